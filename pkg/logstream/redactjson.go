package logstream

import (
	"bytes"
	"encoding/json"
	"strings"
)

// RedactJSON is Redact for a JSON text, which stays valid: strings, names and
// numbers are looked at by their value, so escapes hide nothing, and one that
// holds a secret is written anew. What is no JSON becomes a redacted string.
func (r *Redactor) RedactJSON(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return raw
	}
	if !json.Valid(raw) {
		return quote(r.RedactString(string(raw)))
	}
	var out []byte // nil until something differs
	done := 0      // raw[:done] is in out, if there is one
	for i := 0; i < len(raw); {
		n := scalar(raw[i:])
		if n == 0 {
			i++
			continue
		}
		if text, found := r.redactScalar(raw[i : i+n]); found {
			out = append(append(out, raw[done:i]...), text...)
			done = i + n
		}
		i += n
	}
	if out == nil {
		return raw
	}
	return append(out, raw[done:]...)
}

// scalar is the length of the string or number at the start of valid JSON, 0 for neither.
func scalar(b []byte) int {
	switch c := b[0]; {
	case c == '"':
		for i := 1; ; i++ {
			switch b[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
	case c == '-' || c >= '0' && c <= '9':
		n := bytes.IndexFunc(b, func(c rune) bool { return !strings.ContainsRune("+-.0123456789Ee", c) })
		if n < 0 {
			return len(b)
		}
		return n
	}
	return 0
}

// redactScalar gives the JSON for a string or number with a secret in it.
func (r *Redactor) redactScalar(raw []byte) (json.RawMessage, bool) {
	value := string(raw)
	if raw[0] == '"' && json.Unmarshal(raw, &value) != nil {
		return nil, false // never: it is valid
	}
	redacted := r.RedactString(value)
	if redacted == value {
		return nil, false
	}
	return quote(redacted), true
}
