// Package dispatch starts and cancels executions: the record first, then the
// Asynq task, so that whatever was accepted is in Redis and whatever is in
// Redis gets its turn. It owns no connection and starts no goroutine.
package dispatch

import (
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Options of one Submit.
type Options struct {
	// IdempotencyKey, if any: the same key with the same spec gives the same
	// execution, with another spec an error of code IdempotencyUsed.
	IdempotencyKey string
	// Owner separates the keys of callers from each other: a hash of their token.
	Owner string
}

// Receipt is the answer to Submit.
type Receipt struct {
	Record   *execution.Record
	Position int  // executions before it in its line
	Replayed bool // the idempotency key was known: nothing new was started
}

// CancelReceipt says what a cancel did.
type CancelReceipt struct {
	Record *execution.Record // after the cancel
	// Settled: it was queued and is cancelled now. Otherwise it runs, and its
	// worker has been told.
	Settled bool
	// RequestedAt is when the first cancel was stored; a repeated one keeps it.
	RequestedAt time.Time
}
