package logstream

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"

	"github.com/longhaul/longhaul/pkg/execution"
)

// engineEvent is a line of the event pipe, understood.
type engineEvent struct {
	typ    execution.EventType
	data   json.RawMessage
	redact string // a value to redact from now on; then there is no event
}

var eventType = regexp.MustCompile(`^[a-z][a-z0-9_.-]*$`) // of at most 64

// reserved are the types that say something in Longhaul's own name.
var reserved = []execution.EventType{
	execution.EventStatus, execution.EventLog, execution.EventCheckpoint, execution.EventColdStart, execution.EventMetrics, execution.EventGap, execution.EventEnd,
}

// parseEvent reads one line. mistake is "" or what the engine's author must
// change; it never repeats anything of the line, which may hold secrets.
func parseEvent(line []byte) (e engineEvent, mistake string) {
	line = bytes.ToValidUTF8(line, []byte("\uFFFD")) // no JSON reader downstream would take less
	var fields map[string]json.RawMessage
	if json.Unmarshal(line, &fields) != nil || fields == nil {
		return e, "a line that is no JSON object was dropped"
	}
	var typ string
	if json.Unmarshal(fields["type"], &typ) != nil || len(typ) > 64 || !eventType.MatchString(typ) {
		return e, `an object without a "type" was dropped: it must be a string of 1 to 64 of a-z, 0-9, '_', '.', '-', starting with a letter`
	}
	e.typ = execution.EventType(typ)
	if slices.Contains(reserved, e.typ) {
		return e, "an event of type " + typ + " was dropped: this type is Longhaul's own"
	}
	delete(fields, "type")
	switch e.typ {
	case "redact":
		if json.Unmarshal(fields["value"], &e.redact) != nil || e.redact == "" {
			return e, `redact needs a string "value"`
		}
		return e, ""
	case execution.EventProgress:
		if mistake := checkProgress(fields); mistake != "" {
			return e, mistake
		}
	}
	e.data = object(fields)
	return e, ""
}

// checkProgress clamps the percentage in place.
func checkProgress(fields map[string]json.RawMessage) (mistake string) {
	var number json.Number
	raw := fields["percent"]
	if len(raw) == 0 || raw[0] == '"' || json.Unmarshal(raw, &number) != nil || number == "" {
		return `progress needs a number "percent" from 0 to 100`
	}
	switch percent, _ := strconv.ParseFloat(number.String(), 64); { // out of range is ±Inf, which is clamped too
	case percent < 0:
		fields["percent"] = json.RawMessage("0")
	case percent > 100:
		fields["percent"] = json.RawMessage("100")
	}
	var message string
	if raw, ok := fields["message"]; ok && json.Unmarshal(raw, &message) != nil {
		return `progress takes only a string as "message"`
	}
	return ""
}

type field struct {
	name  string
	value json.RawMessage
}

// object builds a JSON object of fields, sorted by name, numbers as they were
// written, on one line.
func object(fields map[string]json.RawMessage) json.RawMessage {
	list := make([]field, 0, len(fields))
	for name, value := range fields {
		list = append(list, field{name, value})
	}
	slices.SortFunc(list, func(a, b field) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	return appendObject(nil, list...)
}

func appendObject(b []byte, fields ...field) json.RawMessage {
	var compact bytes.Buffer
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, quote(f.name)...), ':')
		compact.Reset()
		if json.Compact(&compact, f.value) != nil { // never: it was unmarshalled
			compact.WriteString("null")
		}
		b = append(b, compact.Bytes()...)
	}
	return append(b, '}')
}

// quote is s as a JSON string, with nothing escaped that needs not be.
func quote(s string) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string cannot fail
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}
