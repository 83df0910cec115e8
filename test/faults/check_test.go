package faults

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/faults/lines"
)

// totals of a check.
type totals struct {
	executions, lost, doubled int
	overlaps                  int // two engines at once, where that is by design
	bytes                     int64
	longest                   time.Duration // from the 202 to a terminal status
}

func (t *totals) add(o totals) {
	t.executions += o.executions
	t.lost += o.lost
	t.doubled += o.doubled
	t.overlaps += o.overlaps
	t.bytes += o.bytes
	t.longest = max(t.longest, o.longest)
}

// check waits until all has ended and holds the history against the promises.
func (s *system) check(within time.Duration) totals {
	s.t.Helper()
	stories := s.all()
	if !s.allEnd(stories, within) {
		return totals{}
	}
	if !comes(5*time.Second, func() bool { return len(s.processes()) == 0 }) {
		s.t.Errorf("left running: %v", s.processes())
	}
	var sum totals
	journal := s.byExecution()
	for _, st := range stories {
		st.found = totals{executions: 1, longest: st.ended.Sub(st.accepted)}
		for _, p := range s.checkStory(st, journal[string(st.id)], &st.found) {
			s.t.Errorf("%s %v: %s", st.id, st.request.Args, p)
		}
		sum.add(st.found)
	}
	s.checkOnce()
	s.checkKeys()
	s.t.Logf("checked %d executions, %d bytes; the longest took %v", sum.executions, sum.bytes, sum.longest.Round(time.Millisecond))
	return sum
}

func (s *system) allEnd(stories []*story, within time.Duration) bool {
	s.t.Helper()
	open := func() (left []string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, st := range stories {
			if st.final == nil {
				left = append(left, string(st.id))
			}
		}
		return left
	}
	if !comes(within, func() bool { return len(open()) == 0 }) {
		for _, id := range open() {
			state := "nobody answers"
			if e := s.status(execution.ID(id)); e != nil {
				state = fmt.Sprintf("%s, attempt %d of %s", e.Status, e.Attempt, value(e.Worker))
			}
			s.t.Errorf("%s has not ended within %v: %s", id, within, state)
		}
		return false
	}
	return true
}

func (s *system) byExecution() map[string][]lines.Entry {
	m := map[string][]lines.Entry{}
	for _, e := range s.journal() {
		m[e.ID] = append(m[e.ID], e)
	}
	return m
}

// checkStory holds one execution's recordings against each other, against a
// replay from the beginning, and against what its engines say that they wrote.
func (s *system) checkStory(st *story, journal []lines.Entry, sum *totals) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	s.mu.Lock()
	problems = append(problems, st.problems...)
	final, records := st.final, st.records
	s.mu.Unlock()
	for i, a := range s.apis { // every replica says the same
		c, err := client.New(a.url, token, client.Options{GiveUpAfter: 20 * time.Second})
		if err != nil {
			bad("%v", err)
			continue
		}
		begin := time.Now()
		e, err := c.Status(s.ctx, st.id)
		if err != nil {
			bad("status from %s: %v", a.name, err)
			continue
		}
		s.note(st.id, begin, e)
		if i == 0 && e.Status != final.Status {
			bad("%s says %s, it was %s", a.name, e.Status, final.Status)
		}
	}
	ctx, cancel := context.WithTimeout(s.ctx, 2*time.Minute)
	defer cancel()
	whole := newRecording("replay", 0)
	whole.follow(ctx, s.client, st.id)
	problems = append(problems, whole.agrees(whole)...)
	if whole.status != final.Status || whole.last != final.LastEvent {
		bad("the events end with %s at %d, the record says %s at %d", whole.status, whole.last, final.Status, final.LastEvent)
	}
	for _, r := range records {
		select {
		case <-r.done:
		case <-time.After(30 * time.Second):
			bad("%s: its stream is not over", r.who)
		}
		problems = append(problems, r.agrees(whole)...)
	}
	n, skipped := whole.totals()
	sum.bytes += n
	if skipped > 0 && whole.gaps == 0 {
		bad("%d lines are missing without a gap event", skipped)
	}
	if n != final.LogBytes && whole.gaps == 0 {
		bad("the replay has %d bytes of output, the record says %d", n, final.LogBytes)
	}
	problems = append(problems, s.checkEngines(st, journal, whole, sum)...)
	return problems
}

// checkEngines compares what engines wrote with what was kept.
func (s *system) checkEngines(st *story, journal []lines.Entry, whole *recording, sum *totals) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	starts := map[int]int{}
	for _, e := range journal {
		switch e.What {
		case "start":
			if starts[e.Attempt]++; starts[e.Attempt] > 1 {
				sum.doubled++
				bad("attempt %d was started %d times", e.Attempt, starts[e.Attempt])
			}
			// An attempt that found no disk to start on had no engine, so the first
			// engine need not be that of attempt 1.
			if len(starts) > 1 && st.request.OnInterrupt != "requeue" {
				sum.doubled++
				bad("it ran again, attempt %d, though it must not", e.Attempt)
			}
		case "overlap":
			if !s.mayOverlap || st.request.OnInterrupt != "requeue" {
				sum.doubled++
				bad("attempt %d began (process %d, %s) while an earlier engine still lived", e.Attempt, e.PID, e.At.Format(time.StampMilli))
			} else {
				sum.overlaps++
			}
		case "end":
			// What a lost worker had not stored yet is gone with it; all else is kept.
			if e.Attempt != st.final.Attempt || lostWorker(st) {
				continue
			}
			if whole.missing > 0 {
				wrote := int64(e.Size) * int64(e.Out+e.Err)
				if kept, _ := whole.totals(); e.Attempt == 1 && kept+whole.missing != wrote {
					sum.lost += int(wrote-kept-whole.missing) / e.Size
					bad("the engine wrote %d bytes; %d were kept, and gaps tell of %d", wrote, kept, whole.missing)
				}
				continue
			}
			for stream, wrote := range map[string]int{"stdout": e.Out, "stderr": e.Err} {
				kept := 0
				if c := whole.outputs[output{e.Attempt, stream}]; c != nil {
					kept = c.Last
					if c.Partial() > 0 {
						bad("%s of attempt %d ends within a line", stream, e.Attempt)
					}
				}
				if kept != wrote {
					sum.lost += wrote - kept
					bad("%s of attempt %d: the engine wrote %d lines, %d were kept (gaps: %d)", stream, e.Attempt, wrote, kept, whole.gaps)
				}
			}
		}
	}
	switch reason := value(st.final.Reason); reason {
	case execution.ReasonStartFailed, execution.ReasonUnknown, execution.ReasonInternal:
		bad("it ended as %s (%s): %s", st.final.Status, reason, value(st.final.ErrorMessage))
	}
	if value(st.final.Reason) == execution.ReasonExited && len(journal) == 0 {
		bad("it is completed, and no engine has run")
	}
	return problems
}

// lostWorker says that the newest attempt ended by its worker's loss: one whose
// cancel was under way is cancelled all the same.
func lostWorker(st *story) bool {
	return value(st.final.Reason) == execution.ReasonWorkerLost || strings.Contains(value(st.final.ErrorMessage), " was lost: ")
}

// checkOnce looks for executions that were made twice, or that nobody asked for.
func (s *system) checkOnce() {
	s.t.Helper()
	seen := map[string]execution.ID{}
	for cursor := ""; ; {
		page, err := s.client.List(s.ctx, client.ListQuery{Limit: 100, Cursor: cursor})
		if err != nil {
			s.t.Errorf("list: %v", err)
			return
		}
		for _, e := range page.Executions {
			n := e.Labels[serialLabel]
			s.mu.Lock()
			known, doubt := s.stories[e.ID] != nil, s.doubts[n]
			s.mu.Unlock()
			if other, twice := seen[n]; twice && other != e.ID {
				s.t.Errorf("one start made two executions: %s and %s", e.ID, other)
			}
			seen[n] = e.ID
			if !known && !doubt {
				s.t.Errorf("%s is there, and nobody has started it", e.ID)
			}
		}
		if page.NextCursor == nil {
			break
		}
		cursor = *page.NextCursor
	}
	for _, st := range s.all() {
		if id, ok := seen[st.serial]; !s.forgotten && (!ok || id != st.id) {
			s.t.Errorf("%s was accepted and is not in the list", st.id)
		}
	}
}

// keyForms are all keys that may be there when everything has ended.
var keyForms = regexp.MustCompile(`^(asynq:.*|lh:meta|lh:\{p\d+\}:((x|ev|evp|seg|hook):exec_\S+|idem:\S+|tidy|tick|workers|worker:\S+|((pgs?|pg@\d+):)?(done|status:(completed|failed|timeout|cancelled|error)|name:\S+|label:\S+)))$`)

// checkKeys looks at what is left in Redis.
func (s *system) checkKeys() {
	s.t.Helper()
	if s.forgotten || s.url != "" { // SCAN sees one node
		return
	}
	left := func() (wrong []string) {
		for it := s.rdb.Scan(s.ctx, 0, "*", 1000).Iterator(); it.Next(s.ctx); {
			if key := it.Val(); !keyForms.MatchString(key) && !(s.ownKeys != nil && s.ownKeys.MatchString(key)) {
				wrong = append(wrong, key)
			}
		}
		return wrong
	}
	if !comes(5*time.Second, func() bool { return len(left()) == 0 }) {
		s.t.Errorf("keys of Redis that should not be there now that all has ended: %s", strings.Join(left(), " "))
	}
}
