package execution

import "slices"

// Status is where an execution stands: one of seven words, on the wire and everywhere else.
//
//	          ┌───────── requeue (worker lost or interrupted, attempts left) ─────────┐
//	          ▼                                                                       │
//	accept ► queued ── claim ──► running ── settle ──► completed   exit code 0        │
//	          │                     │                  failed      exit code ≠ 0, or a signal of its own
//	          │                     │                  timeout     ran past its deadline
//	          │                     │                  cancelled   somebody asked
//	          │                     │                  error       our side: start_failed, worker_lost, …
//	          │                     └─────────────────────────────────────────────────┘
//	          └── cancel ► cancelled, queue_timeout ► timeout, undispatchable ► error
//
// The five on the right are terminal: no transition leaves them.
type Status string

// The seven statuses.
const (
	Queued    Status = "queued"
	Running   Status = "running"
	Completed Status = "completed"
	Failed    Status = "failed"
	Timeout   Status = "timeout"
	Cancelled Status = "cancelled"
	Errored   Status = "error"
)

// Statuses lists all seven, in the order in which an execution may meet them.
var Statuses = []Status{Queued, Running, Completed, Failed, Timeout, Cancelled, Errored}

var transitions = map[Status][]Status{
	Queued:  {Running, Cancelled, Timeout, Errored},
	Running: {Queued, Completed, Failed, Timeout, Cancelled, Errored},
}

// Terminal reports whether nothing can follow s.
func (s Status) Terminal() bool { return s.Valid() && len(transitions[s]) == 0 }

// Valid reports whether s is one of the seven words.
func (s Status) Valid() bool { return slices.Contains(Statuses, s) }

// CanBecome reports whether the state machine has an edge from s to next.
func (s Status) CanBecome(next Status) bool { return slices.Contains(transitions[s], next) }

// Reason says in one stable word why an execution is where it is.
type Reason string

// Reasons of terminal statuses. The status in brackets is the one it comes with.
const (
	ReasonExited      Reason = "exited"          // [completed] exit code 0
	ReasonExitCode    Reason = "exit_code"       // [failed] the engine's own non-zero exit
	ReasonSignal      Reason = "signal"          // [failed] a signal that was not ours
	ReasonMemory      Reason = "out_of_memory"   // [failed] the kernel killed it for want of memory
	ReasonTimeout     Reason = "timeout"         // [timeout] ran past its deadline
	ReasonNoProgress  Reason = "no_progress"     // [timeout] declared no progress for too long
	ReasonQueueWait   Reason = "queue_timeout"   // [timeout] waited in line too long
	ReasonCancelled   Reason = "cancelled"       // [cancelled] on request
	ReasonStartFailed Reason = "start_failed"    // [error] the engine could not be started
	ReasonUnknown     Reason = "engine_unknown"  // [error] the worker's catalog lacks it
	ReasonInterrupted Reason = "interrupted"     // [error, or queued again] the worker was told to stop
	ReasonWorkerLost  Reason = "worker_lost"     // [error, or queued again] the worker's lease ran out
	ReasonShimLost    Reason = "supervisor_lost" // [error] the process that watched the engine was killed
	ReasonInternal    Reason = "internal"        // [error] a defect of ours; the message says what
)
