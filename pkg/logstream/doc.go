// Package logstream turns an engine's bytes into redacted, bounded, ordered
// events and writes them by group commit: what gathers while one append is on
// its way goes with the next one, so a quiet engine is seen at once and a busy
// one is written in large batches, without a timer between the two.
//
//	stdout ─ Pump ─ redact ─┐
//	stderr ─ Pump ─ redact ─┼► queue (bounded) ─ Run ─► Sink.Append, batch 1, 2, 3 …
//	fd 3 ─── PumpEvents ────┤
//	ours ─── Emit ──────────┘
//
// It owns the cutting into chunks, the redaction and the repetition of a
// failed append. It owns no storage (Sink) and no process (the readers come
// from the caller). It starts no goroutine: the caller runs Run and one
// goroutine for each Pump and PumpEvents.
package logstream
