// Package httpapi is the HTTP face of Longhaul and the only owner of echo and
// huma. It binds and authenticates a request, calls the small interfaces of
// deps.go, and writes JSON, SSE, NDJSON, plain text or a problem. It does not
// listen (package app does, with Configure) and holds no state of an execution:
// every answer comes from the record and the events by cursor.
//
// It starts no goroutine of its own. Open streams run in the goroutine of their
// request and are known to the Server, so that Drain can end them.
package httpapi
