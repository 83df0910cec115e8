package api

import (
	"encoding/json"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Execution is the answer to GET /execute/status/{id} and one line of a list.
// Every field is always there; null means "not yet" or "does not apply".
type Execution struct {
	ID      execution.ID     `json:"execution_id" example:"exec_1762548673499_vqx7d3cpo"`
	Status  execution.Status `json:"status" enum:"queued,running,completed,failed,timeout,cancelled,error" example:"running"`
	Command *string          `json:"command" doc:"null for an engine" example:"python"`
	Args    []string         `json:"args" nullable:"false" example:"[\"src/main.py\",\"voice-of-customer\"]"`
	Engine  *string          `json:"engine" doc:"null for a command" example:"agent"`

	QueuePosition   *int    `json:"queue_position" doc:"Executions before it in line; null unless queued" example:"0"`
	CreatedAt       Time    `json:"created_at" format:"date-time" example:"2025-01-07T19:11:13.499Z"`
	StartedAt       *Time   `json:"started_at" format:"date-time" doc:"Of the newest attempt" example:"2025-01-07T19:11:15.001Z"`
	CompletedAt     *Time   `json:"completed_at" format:"date-time" doc:"When it ended, however that was" example:"2025-01-07T19:25:30.123Z"`
	DurationSeconds float64 `json:"duration_seconds" doc:"How long the newest attempt has run, or ran" example:"857.2"`
	ReturnCode      *int    `json:"return_code" doc:"As a shell gives it: 128 + n for a signal; null where no process ended" example:"0"`
	ErrorMessage    *string `json:"error_message" doc:"Why it did not complete" example:"ran longer than 7200 s"`

	Reason          *execution.Reason `json:"reason" doc:"In one stable word why it ended as it did" example:"exited"`
	ExitCode        *int              `json:"exit_code" doc:"The engine's own exit code; null when a signal ended it" example:"0"`
	Signal          *string           `json:"signal" doc:"What the engine died of" example:"SIGKILL"`
	CPUSeconds      *float64          `json:"cpu_seconds" doc:"Of the whole process tree" example:"12.5"`
	PeakMemoryBytes *int64            `json:"peak_memory_bytes" doc:"Of the whole process tree" example:"104857600"`

	Attempt     int     `json:"attempt" doc:"0 before the first" example:"1"`
	MaxAttempts int     `json:"max_attempts" example:"1"`
	Worker      *string `json:"worker" doc:"Who runs or ran the newest attempt" example:"worker-1"`

	PastAttempts []PastAttempt `json:"past_attempts" nullable:"false" doc:"Those after which it went back in line, oldest first"`

	TimeoutSeconds    int64             `json:"timeout_seconds" example:"7200"`
	Deadline          *Time             `json:"deadline" format:"date-time" doc:"When the running attempt will be stopped" example:"2025-01-07T21:11:15.001Z"`
	CancelRequestedAt *Time             `json:"cancel_requested_at" format:"date-time"`
	Progress          json.RawMessage   `json:"progress" doc:"Data of the newest progress event, or null"`
	Metrics           *Metrics          `json:"metrics" doc:"Data of the newest metrics event, or null: the engine has run for less than METRICS_INTERVAL"`
	Labels            map[string]string `json:"labels" doc:"As given at the start"`
	RerunOf           *execution.ID     `json:"rerun_of" doc:"The execution that this one repeats, by POST /execute/rerun/{id}"`
	LastEvent         execution.Cursor  `json:"last_event" doc:"Number of the newest event: the cursor of ?after=" example:"41"`
	LogBytes          int64             `json:"log_bytes" doc:"Bytes of stdout and stderr so far" example:"20480"`
	Links             Links             `json:"links"`
}

// Metrics is the data of a metrics event: what the engine uses, with all that it started.
type Metrics struct {
	CPUPercent  float64 `json:"cpu_percent" doc:"Since the sample before; 100 is one core. A sample within 0.1 s of another repeats its" example:"132.5"`
	MemoryBytes int64   `json:"memory_bytes" doc:"Resident; pages that processes share count for each" example:"104857600"`
	Processes   int     `json:"processes" doc:"0 in the last sample, when nothing was left" example:"3"`
	CPUSeconds  float64 `json:"cpu_seconds" doc:"User and system, so far" example:"12.1"`
}

// PastAttempt is one that did not end its execution: its worker was lost or
// told to stop, and on_interrupt is requeue.
type PastAttempt struct {
	Attempt   int              `json:"attempt" example:"1"`
	Worker    string           `json:"worker" example:"worker-1"`
	StartedAt Time             `json:"started_at" format:"date-time"`
	EndedAt   Time             `json:"ended_at" format:"date-time"`
	Reason    execution.Reason `json:"reason" example:"worker_lost"`
	Message   string           `json:"message" example:"the worker was told to stop"`
}

// List is the answer to GET /execute/list.
type List struct {
	Executions []Execution `json:"executions" nullable:"false" doc:"Newest first"`
	NextCursor *string     `json:"next_cursor" doc:"For ?cursor= of the next page; null on the last"`
	ScannedTo  *string     `json:"scanned_to,omitempty" doc:"There when the page is not full because 2000 executions were looked at: the search goes on from this cursor, which is next_cursor too"`
	Counts     *Counts     `json:"counts,omitempty" doc:"With counts=true"`
}

// Counts are how many executions of each status are kept, whatever the list was
// asked for.
type Counts struct {
	Queued    int64 `json:"queued" example:"3"`
	Running   int64 `json:"running" example:"2"`
	Completed int64 `json:"completed" example:"120"`
	Failed    int64 `json:"failed" example:"4"`
	Timeout   int64 `json:"timeout" example:"1"`
	Cancelled int64 `json:"cancelled" example:"0"`
	Error     int64 `json:"error" example:"0"`
}

// Cancelled is the answer to POST /execute/cancel/{id}.
type Cancelled struct {
	ID                execution.ID     `json:"execution_id" example:"exec_1762548673499_vqx7d3cpo"`
	Status            execution.Status `json:"status" enum:"queued,running,completed,failed,timeout,cancelled,error" example:"running"`
	Message           string           `json:"message" example:"Cancellation requested"`
	CancelRequestedAt *Time            `json:"cancel_requested_at" format:"date-time"`
	Delivered         string           `json:"delivered" enum:"settled,pending" doc:"settled: it has ended and nothing of it is left; pending: its worker has been told" example:"pending"`
	SignalSentAt      *Time            `json:"signal_sent_at" format:"date-time" doc:"When the engine was told to stop"`
	GroupEmptyAt      *Time            `json:"group_empty_at" format:"date-time" doc:"The proof: from then on no process of it was left"`
}
