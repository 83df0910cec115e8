// Package execution is the vocabulary of Longhaul: what a caller asks for
// (Spec), where it stands (Record, Status), what happened to it (Event), and
// how it ended (Outcome). It does no I/O and starts no goroutine; every other
// package speaks in its types.
package execution
