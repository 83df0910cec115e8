package logstream

import (
	"strings"
	"sync"
	"sync/atomic"
)

// Mask stands where a secret was.
const Mask = "***"

const (
	// minSecret is what a value needs to be redacted: shorter ones would tear
	// holes into ordinary text and hide nothing.
	minSecret = 6
	// An engine may add values while it runs. These limits keep it from
	// filling the worker's memory with them; the catalog's own are not limited.
	maxAdded      = 4096
	maxAddedBytes = 1 << 20
)

// Redactor knows the secrets of one execution and the forms in which they, and
// common kinds of tokens, appear in output. It may be used by any number of
// goroutines at once.
//
// All occurrences are masked, overlapping ones too; what touches or overlaps
// becomes one Mask.
type Redactor struct {
	matcher atomic.Pointer[matcher]

	mu    sync.Mutex // guards below: one Add at a time
	words words
	added int
	bytes int
}

// NewRedactor makes a redactor for secrets. Values under 6 characters are ignored.
func NewRedactor(secrets []string) *Redactor {
	b := basisOf(secrets)
	r := &Redactor{words: b.words}
	r.matcher.Store(b.matcher)
	return r
}

// Add redacts value too, from now on. It is false where the value is ignored:
// too short, or too many were added.
func (r *Redactor) Add(value string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.words.known[strings.TrimSpace(value)] {
		return true
	}
	if r.added >= maxAdded || r.bytes+len(value) > maxAddedBytes {
		return false
	}
	if r.added == 0 { // the first are shared with other redactors
		r.words = r.words.clone()
	}
	if !r.words.learn(value) {
		return false
	}
	r.added++
	r.bytes += len(value)
	r.matcher.Store(newMatcher(r.words.literals))
	return true
}

// Redact gives b with all secrets masked: b itself where there is none.
func (r *Redactor) Redact(b []byte) []byte {
	found := r.find(b)
	if len(found) == 0 {
		return b
	}
	out, _ := mask(make([]byte, 0, len(b)), b, 0, len(b), found, false)
	return out
}

// RedactString is Redact for a string.
func (r *Redactor) RedactString(s string) string {
	b := []byte(s)
	found := r.find(b)
	if len(found) == 0 {
		return s
	}
	out, _ := mask(make([]byte, 0, len(b)), b, 0, len(b), found, false)
	return string(out)
}

// find locates the secrets of a whole text.
func (r *Redactor) find(b []byte) []span {
	s := scan{b: b, final: true}
	r.matcher.Load().scan(&s)
	return s.sorted()
}

// mask appends b[from:to] to dst with the spans replaced. masked says whether
// the byte before from was masked; the result says so for the byte before to.
func mask(dst, b []byte, from, to int, spans []span, masked bool) ([]byte, bool) {
	for _, s := range spans {
		if s.to <= from {
			continue
		}
		if s.from >= to {
			break
		}
		if s.from > from {
			dst = append(dst, b[from:s.from]...)
			masked = false
		}
		if !masked {
			dst = append(dst, Mask...)
		}
		from, masked = min(s.to, to), true
	}
	if from < to {
		dst = append(dst, b[from:to]...)
		masked = false
	}
	return dst, masked
}
