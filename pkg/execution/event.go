package execution

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// Cursor is the number of an event: 1, 2, 3 … without holes over all attempts
// of an execution. As a position it means "everything up to here was seen"; 0
// is the beginning.
type Cursor uint64

// maxCursor is the largest integer that JSON readers and Redis' Lua hold exactly.
const maxCursor = 1<<53 - 1

// ParseCursor reads a cursor from a query or a Last-Event-ID header. The empty
// string is the beginning.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > maxCursor {
		return 0, InvalidField("after", "must be the number of an event: a whole number from 0 up, as in the id of the last event received")
	}
	return Cursor(n), nil
}

// String gives the decimal form.
func (c Cursor) String() string { return strconv.FormatUint(uint64(c), 10) }

// EventType names a kind of event on the wire. Engines may send types of their
// own; those listed here are Longhaul's.
type EventType string

// Longhaul's own event types. Data shapes are in docs/protocol.md.
const (
	EventStatus     EventType = "status"
	EventLog        EventType = "log"
	EventProgress   EventType = "progress"
	EventAgent      EventType = "agent"
	EventArtifact   EventType = "artifact"
	EventStalled    EventType = "stalled"
	EventCheckpoint EventType = "checkpoint"
	EventGap        EventType = "gap"
	EventEnd        EventType = "end"
)

// Stream says which of the engine's two outputs a chunk came from.
type Stream uint8

// NoStream is for events that are no chunk.
const (
	NoStream Stream = iota
	Stdout
	Stderr
)

// String gives "stdout", "stderr" or "".
func (s Stream) String() string {
	switch s {
	case Stdout:
		return "stdout"
	case Stderr:
		return "stderr"
	}
	return ""
}

// Event is one entry of an execution's ordered log. A chunk (Type log) has
// Stream and Bytes; every other event has Data, a JSON object.
type Event struct {
	Seq     Cursor
	Type    EventType
	Time    time.Time // when the worker saw it, to the millisecond
	Attempt int
	Stream  Stream
	Bytes   []byte
	Data    json.RawMessage
}

// Size is about how many bytes the event holds, for budgets.
func (e *Event) Size() int { return len(e.Bytes) + len(e.Data) + len(e.Type) + 16 }

// logData is a chunk's data on the wire. Text when the bytes are UTF-8, which
// is nearly always; else base64, so that no byte is ever changed.
type logData struct {
	Stream  string `json:"stream"`
	Text    string `json:"text,omitempty"`
	Base64  []byte `json:"base64,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	Time    string `json:"time"`
}

// JSON is the event's data as clients get it: one JSON object on one line.
func (e *Event) JSON() (json.RawMessage, error) {
	if e.Type != EventLog {
		if len(e.Data) == 0 {
			return json.RawMessage("{}"), nil
		}
		return e.Data, nil
	}
	d := logData{Stream: e.Stream.String(), Attempt: e.Attempt, Time: e.Time.UTC().Format(TimeFormat)}
	if utf8.Valid(e.Bytes) {
		d.Text = string(e.Bytes)
	} else {
		d.Base64 = e.Bytes
	}
	return json.Marshal(d)
}

// TimeFormat is RFC 3339 in UTC to the millisecond: the form of every instant on the wire.
const TimeFormat = "2006-01-02T15:04:05.000Z07:00"

// GapData is the data of a gap event: the numbers From to To, both included, are gone.
type GapData struct {
	From Cursor `json:"from"`
	To   Cursor `json:"to"`
	GapNote
}

// GapEvent stands where the events from to to are missing. It takes the number
// of the last missing one, so that a reader's cursor passes over the hole.
func GapEvent(from, to Cursor, note GapNote) Event {
	data, _ := json.Marshal(GapData{from, to, note}) // plain fields cannot fail
	return Event{Seq: to, Type: EventGap, Data: data}
}
