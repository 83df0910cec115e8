// Package client is the Go client of the HTTP API. It speaks the bodies of
// package api, turns problems into errors with the codes of package execution,
// and follows an execution over cut lines without losing or doubling an event.
// It starts no goroutine that outlives a call.
package client
