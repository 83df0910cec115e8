package api

import (
	"encoding/json"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Event is one event of an execution's log, as JSON pages and NDJSON carry it.
// docs/protocol.md describes the data of each type.
type Event struct {
	Seq     execution.Cursor    `json:"seq" doc:"Its number: 1, 2, 3 ... without holes" example:"7"`
	Type    execution.EventType `json:"type" doc:"status, log, progress, agent, artifact, checkpoint, cold_start, gap, end, or a type of the engine's own" example:"log"`
	Time    Time                `json:"time" format:"date-time"`
	Attempt int                 `json:"attempt" example:"1"`
	Data    json.RawMessage     `json:"data" doc:"An object; of a log event {stream, text or base64, attempt, time}"`
}

// EventOf puts e into the shape of the wire.
func EventOf(e *execution.Event) Event {
	return Event{Seq: e.Seq, Type: e.Type, Time: Time{e.Time}, Attempt: e.Attempt, Data: e.JSON()}
}

// LogData is the data of a log event. Text is there when the bytes are UTF-8,
// Base64 when they are not.
type LogData struct {
	Stream  string `json:"stream"`
	Text    string `json:"text,omitempty"`
	Base64  []byte `json:"base64,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	Time    Time   `json:"time"`
}

// Bytes are the chunk's bytes, exactly as the engine wrote them.
func (d *LogData) Bytes() []byte {
	if d.Text != "" {
		return []byte(d.Text)
	}
	return d.Base64
}

// Output is the JSON answer to GET /execute/output/{id}: one page of events.
type Output struct {
	ID         execution.ID     `json:"execution_id" example:"exec_1762548673499_vqx7d3cpo"`
	Status     execution.Status `json:"status" enum:"queued,running,completed,failed,timeout,cancelled,error" example:"completed"`
	ReturnCode *int             `json:"return_code" example:"0"`
	Events     []Event          `json:"events" nullable:"false"`
	NextAfter  execution.Cursor `json:"next_after" doc:"For ?after= of the next page" example:"41"`
	More       bool             `json:"more" doc:"There are events behind this page already"`
	Output     string           `json:"output" doc:"The text of this page's chunks, joined; bytes that are no UTF-8 are replaced (text/plain has them exactly)"`
	Result     json.RawMessage  `json:"result" doc:"What the engine wrote to EXECUTION_RESULT_FILE, or null"`
	Artifacts  []Artifact       `json:"artifacts" nullable:"false" doc:"Files the engine left"`
}

// Artifact is one file that an engine left in EXECUTION_OUTPUT_DIR.
type Artifact struct {
	Path        string `json:"path" example:"report/index.html"`
	Size        int64  `json:"size" example:"20480"`
	ContentType string `json:"content_type" example:"text/html; charset=utf-8"`
	URL         string `json:"url" doc:"Where to download it, relative to the server" example:"/outputs/exec_1762548673499_vqx7d3cpo/report/index.html"`
}

// Artifacts is the answer to GET /outputs/{id}.
type Artifacts struct {
	ID        execution.ID `json:"execution_id" example:"exec_1762548673499_vqx7d3cpo"`
	Artifacts []Artifact   `json:"artifacts" nullable:"false"`
}
