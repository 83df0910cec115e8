package runner

import "time"

// cause is why an attempt is being stopped by us; the zero value: it was not.
// The first one counts, whatever comes later.
type cause int

const (
	causeNone      cause = iota
	causeTimeout         // ran past its deadline
	causeCancel          // somebody asked
	causeInterrupt       // this worker is told to stop
	causeIdle            // declared no progress for too long
	causeFenced          // the attempt no longer holds its execution
)

// String is for logs.
func (c cause) String() string {
	return [...]string{"none", "timeout", "cancel", "interrupt", "no progress", "fenced"}[c]
}

// settleMargin is kept back from a drain for settling after the engine is gone.
const settleMargin = 3 * time.Second

// saveMargin is kept back for writing to disk what Redis did not take.
const saveMargin = time.Second

// settleLeast is given to settling even where DRAIN_TIMEOUT leaves nothing: the
// engines are gone by then, and an answer from Redis is a matter of milliseconds.
const settleLeast = 2 * time.Second

// drainPlan divides a worker's drain: engines may end by themselves for wait,
// and are then interrupted with grace, so that settling still fits.
func drainPlan(drain, grace time.Duration) (wait, shorter time.Duration) {
	left := max(0, drain-settleMargin)
	grace = min(grace, left)
	return left - grace, grace
}
