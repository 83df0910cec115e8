package execution

import (
	"encoding/json"
	"time"
)

// Record is the snapshot of an execution that polling reads: everything but
// its events. Zero times mean "not yet".
type Record struct {
	ID      ID
	Spec    Spec
	Status  Status
	Attempt int    // the newest attempt; 0 before the first claim
	Worker  string // who runs or ran the newest attempt

	Dispatch int // number of its newest ticket; there has been one of each number from 1 on

	CreatedAt  time.Time
	EligibleAt time.Time // CreatedAt plus the delay; its place in line goes by this
	StartedAt  time.Time // of the newest attempt
	EndedAt    time.Time

	CancelRequestedAt time.Time
	Last              Cursor          // number of the newest event: the record's version too
	LogBytes          int64           // bytes of stdout and stderr so far, all attempts
	Progress          json.RawMessage // data of the newest progress event
	Metrics           *Metrics        // newest sample of the newest attempt; nil before the first
	Outcome           *Outcome        // nil until terminal
	Past              []PastAttempt   // those after which it went back in line
	Result            json.RawMessage // what the engine wrote to EXECUTION_RESULT_FILE
}

// Duration is how long the newest attempt has run, or ran: from start to end, or to now.
func (r *Record) Duration(now time.Time) time.Duration {
	switch {
	case r.StartedAt.IsZero():
		return 0
	case !r.EndedAt.IsZero():
		now = r.EndedAt
	}
	return max(0, now.Sub(r.StartedAt))
}

// PastAttempt is one that did not end its execution.
type PastAttempt struct {
	StartedAt, EndedAt time.Time
	Outcome            Outcome // what it would have ended as
}

// Outcome is the final fact about an execution: written once, by settle, and never changed.
type Outcome struct {
	Status  Status `json:"status"`
	Reason  Reason `json:"reason"`
	Message string `json:"message,omitempty"` // for people; "" when completed

	ExitCode *int   `json:"exit_code"`        // nil when it died by a signal or never ran
	Signal   string `json:"signal,omitempty"` // "SIGKILL"; what the engine died of, whoever sent it

	Attempt int    `json:"attempt"`
	Worker  string `json:"worker,omitempty"`

	CPUSeconds      float64    `json:"cpu_seconds"`       // user and system, of the whole tree
	PeakMemoryBytes int64      `json:"peak_memory_bytes"` // of the whole tree
	Leftovers       int        `json:"leftovers"`         // processes that outlived the engine and were ended
	SignalSentAt    *time.Time `json:"signal_sent_at,omitempty"`
	GroupEmptyAt    *time.Time `json:"group_empty_at,omitempty"` // proof: nothing of it was left then

	Artifacts int `json:"artifacts"`
}

// Lease is what a claim gives a worker: the right to write for one attempt.
// Every write carries it, and is refused once another claim has been made.
type Lease struct {
	ID      ID
	Attempt int
	Token   string // random per claim: a number alone could be issued twice after a fail-over
}
