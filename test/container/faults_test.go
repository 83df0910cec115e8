package container

import (
	"strings"
	"testing"
	"time"

	dockercontainer "github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"

	"github.com/longhaul/longhaul/pkg/execution"
)

func TestAKilledWorkerContainerIsNoticedAndItsWorkGoesElsewhere(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	doomed := s.worker("doomed", "MAX_CONCURRENT=2")
	once := s.start("tick", `{"lines": 600, "pause_ms": 100}`, "fail")
	again := s.start("tick", `{"lines": 40, "pause_ms": 100}`, "requeue")
	s.prints(once, "line 3")
	s.prints(again, "line 3")
	s.worker("other")

	killed := time.Now()
	s.kill(doomed, "SIGKILL")
	s.ends(once, noticed, execution.Errored, execution.ReasonWorkerLost)
	t.Logf("noticed after %v", time.Since(killed).Round(100*time.Millisecond))
	if e := s.ends(again, patience, execution.Completed, execution.ReasonExited); e.Attempt != 2 || value(e.Worker) != "other" {
		t.Errorf("it completed as attempt %d of %v", e.Attempt, value(e.Worker))
	}
}

func TestAWorkerContainerThatIsStoppedDrainsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	w := s.worker("worker-1", "DRAIN_TIMEOUT=6s", "CANCEL_GRACE=1s")
	short := s.start("tick", `{"lines": 15, "pause_ms": 100}`, "fail")
	long := s.start("tick", `{"lines": 600, "pause_ms": 100}`, "fail")
	s.prints(short, "line 3")
	s.prints(long, "line 3")
	s.kill(w, "SIGTERM")
	if code := s.exited(w, time.Minute); code != 0 {
		t.Errorf("the container's exit code is %d", code)
	}
	s.ends(short, patience, execution.Completed, execution.ReasonExited)
	s.lines(short, 15)
	s.ends(long, patience, execution.Errored, execution.ReasonInterrupted)
	if text := logs(w); !strings.Contains(text, `"worker stopped"`) {
		t.Errorf("it did not say that it stopped: %s", text)
	}
}

func TestNothingOfAnEngineIsLeftInAContainer(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	w := s.worker("worker-1")
	s.ends(s.start("orphans", "", ""), patience, execution.Completed, execution.ReasonExited)
	_, out, err := w.Exec(t.Context(), []string{"sh", "-c", `for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline 2>/dev/null; echo "$(cut -d' ' -f3 $p/stat 2>/dev/null)"; done`})
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, out)
	for line := range strings.Lines(text) {
		if strings.Contains(line, "orphans.py") || strings.HasSuffix(strings.TrimSpace(line), "Z") {
			t.Errorf("left behind: %s", line)
		}
	}
	if !strings.Contains(text, "/usr/local/bin/worker") {
		t.Errorf("the list of processes is not one: %s", text)
	}
}

func TestEnginesGoOnWhileRedisIsPaused(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.worker("worker-1")
	id := s.start("tick", `{"lines": 120, "pause_ms": 100}`, "fail")
	s.prints(id, "line 3")
	s.pause(s.redis)
	pass(t, 8*time.Second)
	if code := s.ready(); code != 503 {
		t.Errorf("/ready answers %d while Redis is paused", code)
	}
	s.unpause(s.redis)
	e := s.ends(id, patience, execution.Completed, execution.ReasonExited)
	if e.Attempt != 1 {
		t.Errorf("attempt %d", e.Attempt)
	}
	s.lines(id, 120)
}

func TestAWorkerCutOffFromTheNetworkForAMomentLosesNothing(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	w := s.worker("worker-1")
	id := s.start("tick", `{"lines": 100, "pause_ms": 100}`, "fail")
	s.prints(id, "line 3")
	mend := s.cut(w)
	pass(t, 5*time.Second) // well below the 15 s of a lease
	mend()
	s.ends(id, patience, execution.Completed, execution.ReasonExited)
	s.lines(id, 100)
}

func TestAWorkerCutOffForLongIsGivenUpAndEndsItsEngine(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	w := s.worker("cut-off", "MAX_CONCURRENT=1")
	id := s.start("tick", `{"lines": 250, "pause_ms": 100}`, "requeue")
	s.prints(id, "line 3")
	mend := s.cut(w)
	s.worker("other")
	cut := time.Now()
	for {
		e, err := s.client.Status(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if e.Attempt == 2 {
			break
		}
		if time.Since(cut) > noticed+patience/2 {
			t.Fatalf("it is still attempt %d", e.Attempt)
		}
		pass(t, 200*time.Millisecond)
	}
	t.Logf("the next attempt runs %v after the cut", time.Since(cut).Round(100*time.Millisecond))
	mend()
	e := s.ends(id, patience, execution.Completed, execution.ReasonExited)
	if e.Attempt != 2 || value(e.Worker) != "other" {
		t.Errorf("attempt %d of %v completed", e.Attempt, value(e.Worker))
	}
	if text := logs(w); !strings.Contains(text, "fenced") {
		t.Errorf("the worker that was cut off has not given up: %s", text)
	}
}

func TestAnEngineThatTakesAllMemoryEndsForThatReason(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	w := s.workerWith("worker-1", []testcontainers.ContainerCustomizer{
		testcontainers.WithHostConfigModifier(func(h *dockercontainer.HostConfig) {
			h.Memory = 128 << 20
			h.MemorySwap = h.Memory
		}),
	})
	beside := s.start("tick", `{"lines": 80, "pause_ms": 100}`, "fail")
	s.prints(beside, "line 3")
	e := s.ends(s.start("eat", "", ""), patience, execution.Failed, execution.ReasonMemory)
	if e.ErrorMessage == nil || !strings.Contains(*e.ErrorMessage, "out of memory") || value(e.Signal) != "SIGKILL" || value(e.ReturnCode) != 137 {
		t.Errorf("message %v, signal %v, return code %v", value(e.ErrorMessage), value(e.Signal), value(e.ReturnCode))
	}
	// Who takes too much dies, and neither the worker nor the engine beside it.
	s.ends(beside, patience, execution.Completed, execution.ReasonExited)
	s.lines(beside, 80)
	if state, err := w.State(t.Context()); err != nil || !state.Running {
		t.Errorf("the worker runs no more: %v %v", state, err)
	}
}
