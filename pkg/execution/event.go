package execution

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"slices"
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
	EventColdStart  EventType = "cold_start"
	EventMetrics    EventType = "metrics"
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

// JSON is the event's data as clients get it: one JSON object on one line. Of a
// chunk it has the bytes as text when they are UTF-8, which is nearly always;
// else as base64, so that no byte is ever changed.
func (e *Event) JSON() json.RawMessage {
	switch {
	case e.Type == EventLog:
		return e.AppendChunk(nil)
	case len(e.Data) == 0:
		return json.RawMessage("{}")
	}
	return e.Data
}

// AppendChunk appends the JSON of a chunk to b.
func (e *Event) AppendChunk(b []byte) []byte {
	// By hand: every byte of every log comes through here, once per replica that
	// somebody watches it on. BenchmarkLogJSON has the difference.
	b = slices.Grow(b, len(e.Bytes)+len(e.Bytes)/16+96)
	b = append(append(b, `{"stream":"`...), e.Stream.String()...)
	switch {
	case len(e.Bytes) == 0:
		b = append(b, '"')
	case utf8.Valid(e.Bytes):
		b = append(appendEscaped(append(b, `","text":"`...), e.Bytes), '"')
	default:
		b = append(base64.StdEncoding.AppendEncode(append(b, `","base64":"`...), e.Bytes), '"')
	}
	if e.Attempt != 0 {
		b = strconv.AppendInt(append(b, `,"attempt":`...), int64(e.Attempt), 10)
	}
	return append(e.Time.UTC().AppendFormat(append(b, `,"time":"`...), TimeFormat), `"}`...)
}

// appendEscaped writes valid UTF-8 as the inside of a JSON string (RFC 8259, 7).
func appendEscaped(b, text []byte) []byte {
	const hex = "0123456789abcdef"
	for {
		n := plain(text)
		b = append(b, text[:n]...)
		if n == len(text) {
			return b
		}
		switch c := text[n]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		text = text[n+1:]
	}
}

// plain counts the bytes at the beginning that need no escape. It looks at
// eight at a time: in each byte of special, the top bit says that the byte is
// below ' ', or equal to '"' or '\\'. One above such a byte may be set for
// nothing, so only the lowest counts.
func plain(text []byte) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(text); i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		quote, slash := w^ones*'"', w^ones*'\\'
		special := ((w-ones*' ')&^w | (quote-ones)&^quote | (slash-ones)&^slash) & tops
		if special != 0 {
			return i + bits.TrailingZeros64(special)/8
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			break
		}
	}
	return i
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
