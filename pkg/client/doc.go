// Package client is the Go client of the HTTP API. It speaks the bodies of
// package api, turns problems into errors with the codes of package execution,
// and follows an execution over cut lines without losing or doubling an event.
// It starts no goroutine that outlives a call.
//
// Start (or StartWith, with files) gives an id at once, Stream its events, Wait its
// end, Output its result and files, Cancel ends it. Start, Stream and Wait try again
// while a server is away, up to Options.GiveUpAfter; what is asked once, such as
// Status, is the caller's to repeat.
package client
