package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/faults/lines"
)

// recording is what one subscriber saw of one execution, checked as it came.
type recording struct {
	who   string
	after execution.Cursor // where it began
	done  chan struct{}    // closed when its stream is over

	mu       sync.Mutex // guards below
	last     execution.Cursor
	status   execution.Status
	ended    bool
	gaps     int
	missing  int64 // bytes that gap events say are missing, where they say so
	outputs  map[output]*lines.Checker
	attempt  int
	problems []string
	err      error
}

// output is one stream of one attempt.
type output struct {
	attempt int
	stream  string
}

func newRecording(who string, after execution.Cursor) *recording {
	return &recording{who: who, after: after, last: after, done: make(chan struct{}), outputs: map[output]*lines.Checker{}}
}

// follow subscribes and takes everything until the end or until ctx is over.
func (r *recording) follow(ctx context.Context, c *client.Client, id execution.ID) {
	defer close(r.done)
	for e, err := range c.Stream(ctx, id, r.after) {
		if err != nil {
			r.mu.Lock()
			r.err = err
			r.mu.Unlock()
			return
		}
		r.take(e)
	}
}

func (r *recording) bad(format string, args ...any) {
	if len(r.problems) < 5 {
		r.problems = append(r.problems, r.who+": "+fmt.Sprintf(format, args...))
	}
}

// take checks one event: its number, its bytes, its status.
func (r *recording) take(e api.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		r.bad("event %d (%s) came after the end", e.Seq, e.Type)
	}
	switch {
	case e.Type == execution.EventGap:
		var g execution.GapData
		if err := json.Unmarshal(e.Data, &g); err != nil || g.From != r.last+1 || g.To != e.Seq {
			r.bad("gap %s after event %d", e.Data, r.last)
		}
		r.gaps++
		r.missing += g.Bytes
		for _, c := range r.outputs {
			c.Gap()
		}
	case e.Seq != r.last+1:
		r.bad("event %d (%s) follows event %d", e.Seq, e.Type, r.last)
	}
	r.last = e.Seq
	switch e.Type {
	case execution.EventLog:
		r.log(e)
	case execution.EventStatus, execution.EventEnd:
		r.transition(e)
	}
}

func (r *recording) log(e api.Event) {
	var d api.LogData
	if err := json.Unmarshal(e.Data, &d); err != nil {
		r.bad("log event %d cannot be read: %v", e.Seq, err)
		return
	}
	r.attempt = max(r.attempt, d.Attempt)
	if d.Attempt != r.attempt {
		r.bad("event %d of attempt %d follows attempt %d", e.Seq, d.Attempt, r.attempt)
	}
	key := output{d.Attempt, d.Stream}
	c := r.outputs[key]
	if c == nil {
		c = &lines.Checker{Stream: map[string]byte{"stdout": 'o', "stderr": 'e'}[d.Stream], Attempt: d.Attempt}
		if r.after > 0 || r.gaps > 0 {
			c.Gap()
		}
		r.outputs[key] = c
	}
	before := c.Problem()
	_, _ = c.Write(d.Bytes())
	if c.Problem() != before {
		r.bad("%s of attempt %d, event %d: %s", d.Stream, d.Attempt, e.Seq, c.Problem())
	}
}

func (r *recording) transition(e api.Event) {
	var d struct {
		Status execution.Status `json:"status"`
	}
	if err := json.Unmarshal(e.Data, &d); err != nil || !d.Status.Valid() {
		r.bad("%s event %d has no status: %s", e.Type, e.Seq, e.Data)
		return
	}
	if r.status != "" && r.gaps == 0 && !r.status.CanBecome(d.Status) {
		r.bad("event %d: %s became %s", e.Seq, r.status, d.Status)
	}
	if (e.Type == execution.EventEnd) != d.Status.Terminal() {
		r.bad("%s event %d says %s", e.Type, e.Seq, d.Status)
	}
	r.status, r.ended = d.Status, e.Type == execution.EventEnd
}

// lines counts the whole lines of the newest attempt's stdout.
func (r *recording) lines() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.outputs[output{r.attempt, "stdout"}]; c != nil {
		return c.Last
	}
	return 0
}

// cursor is the number of the newest event seen.
func (r *recording) cursor() execution.Cursor {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// totals gives bytes seen and lines that gaps have taken.
func (r *recording) totals() (bytes int64, skipped int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.outputs {
		bytes += c.Bytes
		skipped += c.Skipped
	}
	return bytes, skipped
}

// agrees compares with another recording of the same execution, from its
// beginning: both must have come to the same end and the same lines.
func (r *recording) agrees(whole *recording) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	problems := r.problems
	bad := func(format string, args ...any) {
		problems = append(problems, r.who+": "+fmt.Sprintf(format, args...))
	}
	switch {
	case r.err != nil && !errors.Is(r.err, context.Canceled):
		bad("its stream ended with: %v", r.err)
	case !r.ended && r.after < whole.last:
		bad("its stream has no end event; the last was %d (%s) of %d", r.last, r.status, whole.last)
	case r.ended && (r.status != whole.status || r.last != whole.last):
		bad("it ended with event %d, %s; others with %d, %s", r.last, r.status, whole.last, whole.status)
	}
	for key, c := range whole.outputs {
		mine := r.outputs[key]
		switch {
		case r.gaps > 0 || whole.gaps > 0 || !r.ended:
		case mine == nil && r.after == 0:
			bad("it saw nothing of %s of attempt %d: %d lines", key.stream, key.attempt, c.Last)
		case mine != nil && (mine.Last != c.Last || r.after == 0 && mine.Bytes != c.Bytes):
			bad("%s of attempt %d: it saw %d lines, %d bytes; others %d, %d", key.stream, key.attempt, mine.Last, mine.Bytes, c.Last, c.Bytes)
		}
	}
	return problems
}
