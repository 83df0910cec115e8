// Package redisstore keeps executions in Redis: records, event streams,
// leases, indexes, idempotency keys and due webhooks. It is the only owner of
// go-redis (pkg/queue borrows its client for Asynq's two hooks) and of every
// key that Longhaul writes; keys.go lists them all.
//
// Each transition is one Lua script that checks the state and changes record,
// event stream and indexes together, so no reader ever sees half of one, and
// that can be repeated after a lost reply without doing anything twice.
//
// What Redis is not to keep of a log is in an Archive, in segments: seal.go
// moves the middle of a log that grows, tidy.go one that has ended, and read.go
// finds both.
//
// A Store starts no goroutine but for a fetch from the archive, which ends by
// itself. Bells has one, inside Bells.Run, and Sealer a few, inside Sealer.Run.
package redisstore
