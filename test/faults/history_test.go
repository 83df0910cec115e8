package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/faults/lines"
)

// history is all that was asked of a system and all that anybody saw of it.
type history struct {
	s      *system
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// Set by a test before its fault.
	mayOverlap bool           // by design: a worker that Redis cannot see, and requeue
	forgotten  bool           // Redis has lost everything
	noFollower bool           // the test subscribes by itself
	ownKeys    *regexp.Regexp // keys that the test itself has made

	mu      sync.Mutex // guards below
	serial  int
	stories map[execution.ID]*story
	doubts  map[string]bool // serials of starts whose answer was never seen
}

// story is one accepted execution.
type story struct {
	id       execution.ID
	serial   string
	request  api.StartRequest
	accepted time.Time
	ended    time.Time // when a terminal status was first seen
	final    *api.Execution
	attempt  int
	records  []*recording
	problems []string
	found    totals // by check
}

func newHistory(s *system) *history {
	ctx, cancel := context.WithCancel(context.Background())
	h := &history{s: s, ctx: ctx, cancel: cancel, stories: map[execution.ID]*story{}, doubts: map[string]bool{}}
	h.wg.Go(h.poll)
	s.t.Cleanup(func() { cancel(); h.wg.Wait() })
	return h
}

// serialLabel numbers the starts, so that one that was made twice shows.
const serialLabel = "serial"

// try starts an execution and follows it.
func (h *history) try(r api.StartRequest) (execution.ID, error) {
	h.mu.Lock()
	h.serial++
	serial := strconv.Itoa(h.serial)
	h.doubts[serial] = true
	h.mu.Unlock()
	labels := map[string]string{serialLabel: serial}
	maps.Copy(labels, r.Labels)
	r.Labels = labels
	started, err := h.s.client.Start(h.ctx, r, "")
	if err != nil {
		return "", err
	}
	h.accept(started.ID, serial, r)
	return started.ID, nil
}

// accept notes an execution whose 202 was seen.
func (h *history) accept(id execution.ID, serial string, r api.StartRequest) {
	h.mu.Lock()
	if h.stories[id] == nil {
		h.stories[id] = &story{id: id, serial: serial, request: r, accepted: time.Now()}
	}
	delete(h.doubts, serial)
	h.mu.Unlock()
	if !h.noFollower {
		h.follow(id, "follower", 0, h.s.client)
	}
}

// follow adds a subscriber.
func (h *history) follow(id execution.ID, who string, after execution.Cursor, c *client.Client) *recording {
	r := newRecording(who, after)
	h.mu.Lock()
	h.stories[id].records = append(h.stories[id].records, r)
	h.mu.Unlock()
	h.wg.Go(func() { r.follow(h.ctx, c, id) })
	return r
}

func (h *history) all() []*story {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Values(h.stories), func(a, b *story) int { return a.accepted.Compare(b.accepted) })
}

func (h *history) seenLines(id execution.ID) (n int) {
	h.mu.Lock()
	records := h.stories[id].records
	h.mu.Unlock()
	for _, r := range records {
		n = max(n, r.lines())
	}
	return n
}

// seenCursor is the number of the newest event that the first subscriber has seen.
func (h *history) seenCursor(id execution.ID) execution.Cursor {
	h.mu.Lock()
	r := h.stories[id].records[0]
	h.mu.Unlock()
	return r.cursor()
}

// status asks once, and notes the answer; nil while nobody answers.
func (h *history) status(id execution.ID) *api.Execution {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(h.ctx, 10*time.Second)
	defer cancel()
	e, err := h.s.client.Status(ctx, id)
	if err != nil {
		if execution.CodeOf(err) == execution.NotFound {
			h.note(id, begin, nil)
		}
		return nil
	}
	h.note(id, begin, e)
	return e
}

// note checks one answer, nil for 404, against those that had come before its
// question was asked.
func (h *history) note(id execution.ID, begin time.Time, e *api.Execution) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stories[id]
	bad := func(format string, args ...any) {
		if len(s.problems) < 5 {
			s.problems = append(s.problems, fmt.Sprintf(format, args...))
		}
	}
	switch {
	case e == nil:
		if !h.forgotten {
			bad("the API has answered 404")
		}
		return
	case s.final != nil && s.ended.Before(begin):
		if e.Status != s.final.Status || e.LastEvent != s.final.LastEvent || !equal(e.CompletedAt, s.final.CompletedAt) || value(e.Reason) != value(s.final.Reason) {
			bad("it was %s (%s) at event %d, and later %s (%s) at event %d", s.final.Status, value(s.final.Reason), s.final.LastEvent, e.Status, value(e.Reason), e.LastEvent)
		}
	case e.Status.Terminal() && s.final == nil:
		s.final, s.ended = e, time.Now()
	}
	if e.Attempt < s.attempt && s.final != nil && s.ended.Before(begin) {
		bad("attempt %d after attempt %d", e.Attempt, s.attempt)
	}
	s.attempt = max(s.attempt, e.Attempt)
}

func equal(a, b *api.Time) bool { return a == b || a != nil && b != nil && a.Equal(b.Time) }

// poll asks for everybody's status again and again: often while it runs, and
// some of those that have ended, since nothing may change any more.
func (h *history) poll() {
	for round := 0; ; round++ {
		var open, ended []execution.ID
		h.mu.Lock()
		for id, s := range h.stories {
			if s.final == nil {
				open = append(open, id)
			} else if len(ended) < 5 { // others each time: a map's order is random
				ended = append(ended, id)
			}
		}
		h.mu.Unlock()
		for _, id := range append(open, ended...) {
			h.status(id)
		}
		select {
		case <-h.ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// end waits for a terminal status.
func (h *history) end(id execution.ID, within time.Duration) *api.Execution {
	h.s.t.Helper()
	var e *api.Execution
	h.s.eventually(fmt.Sprintf("%s has ended", id), within, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		e = h.stories[id].final
		return e != nil
	})
	return e
}

// journal reads what the engines wrote.
func (h *history) journal() []lines.Entry {
	f, err := os.Open(filepath.Join(h.s.dir, "journal", "journal"))
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []lines.Entry
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var e lines.Entry
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			h.s.t.Errorf("the journal has %q: %v", sc.Text(), err)
			continue
		}
		all = append(all, e)
	}
	return all
}

// engineOf waits for the process id of an execution's newest engine.
func (h *history) engineOf(id execution.ID) (pid int) {
	h.s.t.Helper()
	h.s.eventually("an engine of "+string(id)+" has started", 30*time.Second, func() bool {
		for _, e := range h.journal() {
			if e.ID == string(id) && e.What == "start" {
				pid = e.PID
			}
		}
		return pid != 0
	})
	return pid
}

// processes finds what carries the id of one of ours in its environment.
func (h *history) processes() (found []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		env, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for v := range strings.SplitSeq(string(env), "\x00") {
			if id, ok := strings.CutPrefix(v, "EXECUTION_ID="); ok && h.stories[execution.ID(id)] != nil {
				found = append(found, fmt.Sprintf("process %s of %s", filepath.Base(filepath.Dir(path)), id))
			}
		}
	}
	return found
}

// carries says whether a process belongs to an execution.
func carries(pid int, id string) bool {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && strings.Contains("\x00"+string(env), "\x00EXECUTION_ID="+id+"\x00")
}
