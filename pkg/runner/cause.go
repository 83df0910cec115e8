package runner

import "time"

// cause is why an attempt is being stopped by us; the zero value: it was not.
// The first one counts, whatever comes later.
type cause int

const (
	causeNone      cause = iota
	causeTimeout         // ran past its deadline
	causeCancel          // somebody asked
	causeKill            // somebody asked, and for no grace; from then on it is a cancel
	causeInterrupt       // this worker is told to stop
	causeIdle            // declared no progress for too long
	causeFenced          // the attempt no longer holds its execution
)

// String is for logs.
func (c cause) String() string {
	return [...]string{"none", "timeout", "cancel", "kill", "interrupt", "no progress", "fenced"}[c]
}

// settleMargin is kept back from a drain for settling after the engine is gone.
const settleMargin = 3 * time.Second

// saveMargin is kept back for writing to disk what Redis did not take.
const saveMargin = time.Second

// lastTry is what one command is waited for when that time is over.
const lastTry = saveMargin / 2

// settleLeast is given to settling even where DRAIN_TIMEOUT leaves nothing: the
// engines are gone by then, and an answer from Redis is a matter of milliseconds.
const settleLeast = 2 * time.Second

// saveMost and a quarter of the drain bound what is kept back for saving a
// checkpoint, where another attempt may follow. saveLeast is given to it even
// where DRAIN_TIMEOUT leaves nothing, and ends before settleLeast.
const (
	saveMost  = 5 * time.Second
	saveLeast = time.Second
)

func savingTime(drain time.Duration) time.Duration { return min(saveMost, drain/4) }

// drainPlan divides a worker's drain: engines may end by themselves for wait,
// and are then interrupted with grace, so that saving and settling still fit.
func drainPlan(drain, saving, grace time.Duration) (wait, shorter time.Duration) {
	left := max(0, drain-settleMargin-saving)
	grace = min(grace, left)
	return left - grace, grace
}
