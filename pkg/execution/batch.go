package execution

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A batch is the unit in which events are written and stored: the events of
// one flush, back to back, each as
//
//	kind     1 byte: 0 any type, 1 stdout chunk, 2 stderr chunk
//	time     uvarint, Unix milliseconds
//	attempt  uvarint
//	type     uvarint length and bytes; only with kind 0
//	payload  uvarint length and bytes
//
// Numbers are not inside: the append script gives them, so a batch can be
// prepared before its place is known and repeated after a lost reply.

const kindTyped = 0

// AppendEvent adds e to a batch.
func AppendEvent(b []byte, e *Event) []byte {
	b = append(b, byte(e.Stream))
	b = binary.AppendUvarint(b, uint64(e.Time.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(e.Attempt))
	if e.Stream != NoStream {
		return appendBytes(b, e.Bytes)
	}
	b = appendBytes(b, []byte(e.Type))
	return appendBytes(b, e.Data)
}

func appendBytes(b, p []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(p)))
	return append(b, p...)
}

var errBatch = errors.New("execution: malformed batch")

// DecodeBatch reads the events of a batch and numbers them from first. Their
// bytes point into b. Errors mean that the stored data is damaged.
func DecodeBatch(b []byte, first Cursor) ([]Event, error) {
	var events []Event
	for seq := first; len(b) > 0; seq++ {
		e := Event{Seq: seq}
		kind := b[0]
		if kind > byte(Stderr) {
			return nil, fmt.Errorf("%w: kind %d", errBatch, kind)
		}
		b = b[1:]
		var ms, attempt uint64
		var ok bool
		if ms, b, ok = cutUvarint(b); !ok {
			return nil, errBatch
		}
		if attempt, b, ok = cutUvarint(b); !ok {
			return nil, errBatch
		}
		e.Time, e.Attempt = time.UnixMilli(int64(ms)).UTC(), int(attempt)
		if kind == kindTyped {
			var typ []byte
			if typ, b, ok = cutBytes(b); !ok {
				return nil, errBatch
			}
			e.Type = EventType(typ)
		} else {
			e.Type, e.Stream = EventLog, Stream(kind)
		}
		var payload []byte
		if payload, b, ok = cutBytes(b); !ok {
			return nil, errBatch
		}
		if e.Stream != NoStream {
			e.Bytes = payload
		} else {
			e.Data = payload
		}
		events = append(events, e)
	}
	return events, nil
}

func cutUvarint(b []byte) (uint64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

func cutBytes(b []byte) (p, rest []byte, ok bool) {
	n, b, ok := cutUvarint(b)
	if !ok || n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}

// Batch is one append: N events, encoded by AppendEvent. No counts the batches
// of one attempt from 1; Redis refuses to take the same one twice, which makes
// a repeated append harmless.
type Batch struct {
	No       uint64
	N        int
	Data     []byte
	LogBytes int64           // bytes of stdout and stderr in it
	Progress json.RawMessage // data of its newest progress event, if any
	Metrics  json.RawMessage // likewise of its newest metrics event
	// Gap, if any, stands in for Data: the N events were not kept.
	Gap *GapNote
}

// Begun is the time of its first event; zero where there is none.
func (b *Batch) Begun() time.Time {
	if len(b.Data) == 0 {
		return time.Time{}
	}
	ms, n := binary.Uvarint(b.Data[1:])
	if n <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}

// GapNote says of events that a writer had to drop what is known of them.
type GapNote struct {
	Reason string `json:"reason"`
	Bytes  int64  `json:"bytes,omitempty"` // of stdout and stderr
}
