// Package runner carries attempts on one worker: claim, start, pump, watch,
// settle (attempt.go tells it in that order). It holds the worker's slots,
// renews its leases, and drains it when the worker is told to stop.
//
// It also has the Reaper, which every replica runs: it notices lost workers,
// lost Asynq tasks and executions whose retention is over.
//
// It does not know how a process tree is run (process), how bytes become
// events (logstream), or how either is stored (redisstore).
//
// Goroutines: Runner.Run and Reaper.Run block until their context ends; an
// attempt has one per output pipe and one for its writer, all gone when Handle
// returns.
package runner
