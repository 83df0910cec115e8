package e2e

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// line is a line of the log, by the fields that Railway reads and operators search.
type line struct {
	Time      time.Time
	Level     string
	Message   string
	Execution string `json:"execution_id"`
	Attempt   int
	Path      string
	Error     any
	Cause     any
}

// ofTheProcess are lines that concern no execution.
var ofTheProcess = regexp.MustCompile(`^(API |worker (started|draining|stopped|answers)|Redis: |leases not renewed|request$)`)

func TestEveryLineOfTheLogSaysWhichExecutionItIsAbout(t *testing.T) {
	s := newSystem(t, "LOG_LEVEL=debug", "DRAIN_TIMEOUT=6s", "CANCEL_GRACE=1s", "METRICS_TOKEN=another-token-of-this-test")
	a, w := s.api(), s.worker()
	const said, argument = "what-the-engine-said", "an-argument-of-mine"
	ended := a.script("echo " + said + " $TEST_SECRET; exit 3 # " + argument)
	a.wait(ended)
	a.wait(a.run(api.StartRequest{Command: "badchild", Args: []string{"no-such-behaviour", argument}}))
	cancelled := a.script("sleep 600")
	s.Eventually("it runs", func() bool { return a.status(cancelled).Status == execution.Running })
	if _, err := a.Client().Cancel(t.Context(), cancelled, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	a.wait(cancelled)
	late := a.run(api.StartRequest{Command: "sh", Args: []string{"-c", "sleep 600"}, TimeoutSeconds: 1})
	a.wait(late)
	drained := a.script("sleep 600")
	s.Eventually("it runs", func() bool { return a.status(drained).Status == execution.Running })
	w.Stop(30 * time.Second)
	a.Stop(30 * time.Second)

	about := map[string]bool{}
	for _, p := range []proc{a, w} {
		for text := range strings.Lines(p.Log()) {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil || l.Message == "" || l.Time.IsZero() || !slices.Contains([]string{"debug", "info", "warn", "error"}, l.Level) {
				t.Errorf("Railway could not read: %s", text)
				continue
			}
			for _, secret := range []string{token, "another-token-of-this-test", "correct-horse-battery", said, argument} {
				if strings.Contains(text, secret) {
					t.Errorf("%q is in a line: %s", secret, text)
				}
			}
			if _, number := l.Cause.(float64); number {
				t.Errorf("a cause is no word: %s", text)
			}
			about[l.Execution] = true
			switch {
			case strings.Contains(l.Path, "exec_"):
				if l.Execution == "" || !strings.Contains(l.Path, l.Execution) {
					t.Errorf("a request's line has no id: %s", text)
				}
			case !ofTheProcess.MatchString(l.Message) && (l.Execution == "" || l.Attempt == 0):
				t.Errorf("neither of the process nor of an attempt: %s", text)
			}
		}
	}
	for _, id := range []execution.ID{ended, cancelled, late, drained} {
		if !about[string(id)] {
			t.Errorf("no line is about %s", id)
		}
	}
}
