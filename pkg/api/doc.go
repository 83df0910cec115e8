// Package api is what goes over the wire: the JSON bodies that the server
// writes and the Go client reads, each in one place with the words and examples
// that the OpenAPI document shows. It does no I/O, knows no HTTP library and
// starts no goroutine.
package api
