package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/faults/lines"
)

// stepping asks for an engine that counts its steps in its checkpoint.
func stepping(n int) []string {
	return []string{"-steps", fmt.Sprint(n), "-pause", "50ms"}
}

// steps are those that the engines of an execution tell of, by attempt.
func (s *system) steps(id execution.ID) map[int][]lines.Entry {
	s.t.Helper()
	m := map[int][]lines.Entry{}
	for _, e := range s.journal() {
		if e.ID == string(id) && e.What == "step" {
			m[e.Attempt] = append(m[e.Attempt], e)
		}
	}
	return m
}

// wentOn checks that attempt 2 began where attempt 1 was, but for the steps
// that it repeats, and that it came to the last.
func (s *system) wentOn(id execution.ID, last int) (repeated []lines.Entry) {
	s.t.Helper()
	steps := s.steps(id)
	if len(steps[1]) == 0 || len(steps[2]) == 0 || len(steps) != 2 {
		s.t.Fatalf("steps of %d attempts: %d of the first, %d of the second", len(steps), len(steps[1]), len(steps[2]))
	}
	reached, next, end := steps[1][len(steps[1])-1].Step, steps[2][0].Step, steps[2][len(steps[2])-1].Step
	s.t.Logf("attempt 1 came to step %d, attempt 2 began with %d and came to %d", reached, next, end)
	if next < 2 || next > reached+1 || end != last {
		s.t.Errorf("attempt 1 came to step %d, attempt 2 began with %d and came to %d, want %d", reached, next, end, last)
	}
	for _, e := range steps[1] {
		if e.Step >= next {
			repeated = append(repeated, e)
		}
	}
	return repeated
}

func TestAnEngineGoesOnWhereItStoppedWhenItsWorkerDrains(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 2, "CHECKPOINT_INTERVAL=0")
	id := s.start(requeued(stepping(120)...))
	s.prints(id, 10)
	first := s.runnerOf(id)
	first.term(10 * time.Second)
	e := s.wants(id, 60*time.Second, execution.Completed, execution.ReasonExited)
	if e.Attempt != 2 || value(e.Worker) == first.name {
		t.Errorf("attempt %d of %s", e.Attempt, value(e.Worker))
	}
	if again := s.wentOn(id, 120); len(again) != 0 {
		t.Errorf("%d steps were done again", len(again))
	}
	s.check(10 * time.Second)
	if kept, _ := filepath.Glob(filepath.Join(s.dir, "outputs", ".internal", string(id), "checkpoint", "*")); len(kept) != 1 {
		t.Errorf("in the store: %v", kept) // and below nothing that callers see
	}
}

func TestAnEngineOfALostWorkerRepeatsOneInterval(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 2, "CHECKPOINT_INTERVAL=1s")
	id := s.start(requeued(stepping(250)...))
	s.prints(id, 100)
	killed := time.Now()
	first := s.runnerOf(id)
	first.kill()
	e := s.wants(id, noticed+60*time.Second, execution.Completed, execution.ReasonExited)
	if e.Attempt != 2 || value(e.Worker) == first.name {
		t.Errorf("attempt %d of %s", e.Attempt, value(e.Worker))
	}
	// One interval, and some time for saving on a busy machine: without a restore it would be all.
	if again := s.wentOn(id, 250); len(again) > 0 && killed.Sub(again[0].At) > 4*time.Second {
		t.Errorf("%d steps were done again, the first of them %v old", len(again), killed.Sub(again[0].At))
	}
	first.restart()
	s.check(10 * time.Second)
}

func TestTheNextWorkerOnTheDiskSavesWhatADeadOneLeft(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 1, "CHECKPOINT_INTERVAL=0")
	id := s.start(requeued(stepping(80)...))
	s.prints(id, 10)
	s.workers[0].kill()
	if _, err := os.Stat(filepath.Join(s.dir, "outputs", ".internal", string(id))); err == nil {
		t.Error("it was saved before")
	}
	s.workers[0].restart()
	if e := s.wants(id, 60*time.Second, execution.Completed, execution.ReasonExited); e.Attempt != 2 {
		t.Errorf("attempt %d", e.Attempt)
	}
	if again := s.wentOn(id, 80); len(again) > 1 { // the one that was being done
		t.Errorf("%d steps were done again", len(again))
	}
	s.check(10 * time.Second)
	s.nothingLeftOnDisk()
}
