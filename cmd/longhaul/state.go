package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// state is what is known of an execution by its events, for the lines below the
// output and for lines where there is no terminal.
type state struct {
	mu       sync.Mutex // guards all below: events change it, the clock reads it
	status   execution.Status
	worker   string
	since    time.Time // of the status
	progress progress
	told     int // the last whole ten percent that was said
	agents   []agent
	note     string // of ours: cancelling, connecting again
}

type progress struct {
	Percent *float64 `json:"percent"`
	Message string   `json:"message"`
}

type agent struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

// newState begins with what a status says; nil: it has just been queued.
func newState(e *api.Execution) *state {
	s := &state{status: execution.Queued, since: time.Now(), told: -1}
	if e == nil {
		return s
	}
	s.status, s.since = e.Status, e.CreatedAt.Time
	if e.StartedAt != nil {
		s.since = e.StartedAt.Time
	}
	if e.Worker != nil {
		s.worker = *e.Worker
	}
	return s
}

func (s *state) setNote(note string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note = note
}

// take notes an event and gives the line that tells of it, if any.
func (s *state) take(e *api.Event) (line string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Type {
	case execution.EventStatus:
		return s.takeStatus(e)
	case execution.EventProgress:
		return s.takeProgress(e)
	case execution.EventAgent:
		return s.takeAgent(e)
	case execution.EventArtifact:
		var file struct {
			Path string
			Size *int64 // none where the engine tells of it, which may still be writing
		}
		if err = read(e, &file); file.Size == nil {
			return "made " + file.Path, err
		}
		return fmt.Sprintf("kept %s (%s)", file.Path, size(*file.Size)), err
	case execution.EventStalled:
		var d struct {
			Silent float64 `json:"silent_seconds"`
		}
		err = read(e, &d)
		return "silent for " + seconds(d.Silent), err
	case execution.EventCheckpoint, execution.EventColdStart, "warning":
		var d struct{ Action, Message string }
		err = read(e, &d)
		return strings.ReplaceAll(strings.TrimSpace(string(e.Type)+" "+d.Action+" "+d.Message), "_", " "), err
	}
	return "", nil // an engine's own type: for programs (-o jsonl)
}

// lasting: its line is of use also where the lines below tell the same for a moment.
func (s *state) lasting(e *api.Event) bool {
	switch e.Type {
	case execution.EventProgress, execution.EventAgent:
		return false
	case execution.EventStatus:
		return e.Attempt > 1 || s.status == execution.Queued && e.Seq > 1
	}
	return true
}

func (s *state) takeStatus(e *api.Event) (string, error) {
	var d struct {
		Status  execution.Status `json:"status"`
		Worker  string           `json:"worker"`
		Message string           `json:"message"`
		Attempt int              `json:"attempt"`
		Backoff float64          `json:"backoff_seconds"`
	}
	if err := read(e, &d); err != nil {
		return "", err
	}
	if d.Status != s.status {
		s.since = time.Now()
	}
	s.status, s.worker = d.Status, d.Worker
	switch {
	case d.Status == execution.Running && d.Attempt > 1:
		return fmt.Sprintf("running on %s, attempt %d", d.Worker, d.Attempt), nil
	case d.Status == execution.Running:
		return "running on " + d.Worker, nil
	case d.Message != "":
		return "back in line: " + d.Message, nil
	}
	return "", nil
}

// takeProgress says every ten percent and each new message, so that a log does
// not fill with it.
func (s *state) takeProgress(e *api.Event) (string, error) {
	var p progress
	if err := read(e, &p); err != nil {
		return "", err
	}
	ten := s.told
	if p.Percent != nil {
		ten = int(*p.Percent / 10)
	}
	news := ten != s.told || p.Message != s.progress.Message
	s.progress, s.told = p, ten
	if !news {
		return "", nil
	}
	return strings.TrimSpace("progress " + p.percent() + p.Message), nil
}

func (p *progress) percent() string {
	if p.Percent == nil {
		return ""
	}
	return fmt.Sprintf("%.0f%% ", *p.Percent)
}

func (s *state) takeAgent(e *api.Event) (string, error) {
	var a agent
	if err := read(e, &a); err != nil || a.Name == "" {
		return "", err
	}
	if i := slices.IndexFunc(s.agents, func(b agent) bool { return b.Name == a.Name }); i >= 0 {
		if s.agents[i] == a {
			return "", nil
		}
		s.agents[i] = a
	} else {
		s.agents = append(s.agents, a)
	}
	return strings.TrimSpace("agent " + a.Name + " " + a.Status + " " + a.Message), nil
}

// mostAgents keeps the lines below to a part of the terminal.
const mostAgents = 8

// lines are those below the output.
func (s *state) lines() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for i, a := range s.agents {
		if i == mostAgents {
			fmt.Fprintf(&b, "  %s\n", faint.Render(fmt.Sprintf("and %d more agents", len(s.agents)-i)))
			break
		}
		fmt.Fprintf(&b, "  %s %s %s\n", bold.Render(a.Name), agentWord(a.Status), faint.Render(a.Message))
	}
	b.WriteString(statusWord(s.status) + " " + span(time.Since(s.since)))
	if s.status == execution.Running && s.worker != "" {
		b.WriteString(faint.Render(" on " + s.worker))
	}
	if p := s.progress; p.Percent != nil {
		b.WriteString("  " + bar(*p.Percent, 24) + " " + p.percent())
	}
	if text := cmp.Or(s.note, s.progress.Message); text != "" {
		b.WriteString(" " + text)
	}
	return b.String()
}

// bar is a progress bar of width cells.
func bar(percent float64, width int) string {
	full := int(min(max(percent, 0), 100) / 100 * float64(width))
	return blue.Render(strings.Repeat("━", full)) + faint.Render(strings.Repeat("━", width-full))
}

func agentWord(status string) string {
	switch status {
	case "completed", "done", "success":
		return green.Render(status)
	case "failed", "error":
		return red.Render(status)
	}
	return blue.Render(status)
}

// set takes over what a status says.
func (s *state) set(e *api.Execution) {
	newest := newState(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.since, s.worker, s.progress = newest.status, newest.since, newest.worker, progressOf(e)
}

func progressOf(e *api.Execution) progress {
	var p progress
	_ = json.Unmarshal(e.Progress, &p) // an engine's own shape shows nothing
	return p
}
