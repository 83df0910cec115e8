package logstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/longhaul/longhaul/pkg/execution"
)

// EventWarning tells the readers of an execution what its engine does wrong
// on its event pipe.
const EventWarning execution.EventType = "warning"

// maxEventLine bounds one line of the event pipe: an event is a message, not a
// file. Large results belong into files.
const maxEventLine = 256 << 10

// Events names the event pipe before any pump starts. From then on whatever an
// engine wrote to it counts before what it wrote to stdout or stderr later: a
// value to redact, above all. Without it PumpEvents does the same, but a pump
// that starts before PumpEvents cannot know. PumpEvents of the same r must follow.
func (w *Writer) Events(r io.Reader) {
	w.events.Store(newEventPipe(r))
}

// PumpEvents reads an engine's own events to r's end: one JSON object per
// line, with its type in "type" and the rest as data. What breaks the rules is
// dropped, with one event of type warning per kind of mistake. It returns and
// blocks as Pump does.
func (w *Writer) PumpEvents(r io.Reader) error {
	e := &events{w: w, warned: map[string]bool{}}
	pipe := w.events.Load()
	if pipe == nil {
		pipe = newEventPipe(r)
		w.events.Store(pipe)
	}
	defer pipe.end()
	for {
		w.waitRoom()
		err := pipe.read(e.add)
		if err != nil {
			e.end()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
	}
}

// events is the state of one event pipe.
type events struct {
	w      *Writer
	warned map[string]bool
	begun  []byte // a line that has not ended; of one that is too long, its beginning
}

// add takes bytes as they were read, and each line that ends in them.
func (e *events) add(b []byte) {
	for {
		line, rest, ended := bytes.Cut(b, []byte{'\n'})
		if !ended {
			e.keep(line)
			return
		}
		if len(e.begun) > 0 {
			e.keep(line)
			line = e.begun
		}
		e.line(line)
		e.begun = e.begun[:0]
		b = rest
	}
}

// keep adds to a line that has not ended. Of one that is too long already, the
// rest is only skipped.
func (e *events) keep(part []byte) {
	if len(e.begun) <= maxEventLine {
		e.begun = append(e.begun, part...)
	}
}

// end takes a last line without a newline.
func (e *events) end() {
	e.line(e.begun)
	e.begun = nil
}

func (e *events) line(line []byte) {
	line = bytes.TrimSpace(line)
	switch {
	case len(line) == 0:
		return
	case len(line) > maxEventLine:
		e.warn("a line longer than 256 KiB was dropped: put large data into a file of EXECUTION_OUTPUT_DIR")
		return
	}
	event, mistake := parseEvent(line)
	switch {
	case mistake != "":
		e.warn(mistake)
	case event.redact != "":
		e.redact(event.redact)
	default:
		e.emit(event.typ, event.data)
	}
}

func (e *events) redact(value string) {
	switch r := e.w.o.Redactor; {
	case r == nil:
		e.warn("redact has no effect: redaction is off on this worker")
	case !r.Add(value):
		e.warn("redact was not taken: a value needs 6 characters at least, and there is a limit to their number and size")
	}
}

func (e *events) warn(message string) {
	if e.warned[message] {
		return
	}
	e.warned[message] = true
	data := appendObject(nil, field{"message", quote("events: " + message)})
	e.emit(EventWarning, data)
}

func (e *events) emit(typ execution.EventType, data []byte) {
	// After the writer has given up or was closed, nobody wants the event.
	_ = e.w.Emit(execution.Event{Type: typ, Data: data})
}
