package faults

import (
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// noticed is how long a lost worker may stay unnoticed.
const noticed = 20 * time.Second

func TestAWorkerKilledInMidRunIsNoticedAndItsEnginesDieWithIt(t *testing.T) {
	single(t)
	s := newSystem(t)
	ids := s.startAll(6, engine("-lines", "200", "-pause", "100ms", "-both"))
	again := s.start(requeued("-lines", "30", "-pause", "50ms", "-succeed-at", "2", "-children", "3"))
	s.prints(again, 5)
	doomed := s.runnerOf(again)
	var lost []execution.ID
	for _, id := range ids {
		if s.runnerOf(id) == doomed {
			lost = append(lost, id)
		}
	}
	pid := s.engineOf(again)
	doomed.kill()
	killed := time.Now()
	s.eventually("its engine is gone", 3*time.Second, func() bool { return !lives(pid) })
	for _, id := range lost {
		s.wants(id, time.Until(killed.Add(noticed)), execution.Errored, execution.ReasonWorkerLost)
	}
	t.Logf("%d executions known to be lost after %v", len(lost), time.Since(killed))
	if e := s.wants(again, 30*time.Second, execution.Completed, execution.ReasonExited); e.Attempt != 2 {
		t.Errorf("attempt %d", e.Attempt)
	}
	doomed.restart()
	s.check(40 * time.Second)
}

func lives(pid int) bool { _, err := os.Stat("/proc/" + strconv.Itoa(pid)); return err == nil }

func TestAWorkerThatWasFrozenComesBackAsAZombieAndWritesNothing(t *testing.T) {
	single(t)
	s := newSystem(t)
	s.mayOverlap = true // the frozen worker's engine goes on while its successor runs
	fails := s.start(engine("-lines", "-1", "-pause", "20ms"))
	s.prints(fails, 5)
	frozen := s.runnerOf(fails)
	again := s.start(requeued("-lines", "20", "-pause", "50ms", "-succeed-at", "2"))
	for range 30 { // until one of them runs beside the first
		if s.runnerOf(again) == frozen {
			break
		}
		// The others' slots are for what the frozen worker leaves behind.
		if _, err := s.client.Cancel(s.ctx, again, 20*time.Second); err != nil {
			t.Fatalf("cancel: %v", err)
		}
		again = s.start(requeued("-lines", "20", "-pause", "50ms", "-succeed-at", "2"))
	}
	s.prints(again, 5)
	engines := []int{s.engineOf(fails), s.engineOf(again)}
	frozen.signal(syscall.SIGSTOP)
	stopped := time.Now()
	s.wants(fails, noticed, execution.Errored, execution.ReasonWorkerLost)
	t.Logf("noticed after %v", time.Since(stopped))
	s.eventually("the others run it again", 30*time.Second, func() bool { e := s.status(again); return e != nil && e.Attempt >= 2 })
	outage(time.Until(stopped.Add(40 * time.Second)))
	frozen.signal(syscall.SIGCONT)
	s.eventually("the zombie's engines are gone", 10*time.Second, func() bool { return !lives(engines[0]) && !lives(engines[1]) })
	s.check(40 * time.Second)
	frozen.mustLive()
}

func TestAKilledShimEndsItsEngineAndNoOther(t *testing.T) {
	single(t)
	s := newSystem(t)
	ids := s.startAll(4, engine("-lines", "60", "-pause", "50ms", "-children", "2"))
	s.prints(ids[0], 5)
	pid := s.engineOf(ids[0])
	if err := syscall.Kill(parentOf(pid), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.wants(ids[0], 5*time.Second, execution.Errored, execution.ReasonShimLost)
	for _, id := range ids[1:] {
		s.wants(id, 30*time.Second, execution.Completed, execution.ReasonExited)
	}
	s.check(10 * time.Second)
}

func TestAnEngineKilledFromOutsideIsToldAsThat(t *testing.T) {
	quick(t)
	s := newSystemOf(t, 1, 1)
	id := s.start(engine("-lines", "-1", "-pause", "20ms", "-children", "2"))
	s.prints(id, 5)
	if err := syscall.Kill(s.engineOf(id), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	e := s.wants(id, 5*time.Second, execution.Failed, execution.ReasonSignal)
	if value(e.Signal) != "SIGKILL" || value(e.ReturnCode) != 137 {
		t.Errorf("signal %s, return code %d", value(e.Signal), value(e.ReturnCode))
	}
	s.check(10 * time.Second)
}

func TestAWorkerThatDrainsLongEnoughLetsItsEnginesFinish(t *testing.T) {
	single(t)
	s := newSystem(t, "DRAIN_TIMEOUT=20s")
	id := s.start(engine("-lines", "40", "-pause", "100ms", "-both"))
	s.prints(id, 5)
	s.runnerOf(id).term(20 * time.Second)
	s.wants(id, time.Second, execution.Completed, execution.ReasonExited)
	s.check(10 * time.Second)
}

func TestAWorkerWhoseDrainIsTooShortInterruptsItsEngines(t *testing.T) {
	single(t)
	s := newSystem(t, "DRAIN_TIMEOUT=6s")
	ids := s.startAll(2, engine("-lines", "-1", "-pause", "20ms"))
	stubborn := s.start(engine("-lines", "-1", "-pause", "20ms", "-ignore-term", "-children", "2"))
	again := s.start(requeued("-lines", "20", "-pause", "20ms", "-succeed-at", "2"))
	ids = append(ids, stubborn)
	for _, id := range append(ids, again) {
		s.prints(id, 3)
	}
	// All three, so that whatever runs is interrupted; the last is started again for what waits.
	for _, w := range s.workers {
		w.term(8 * time.Second)
	}
	for _, id := range ids {
		s.wants(id, time.Second, execution.Errored, execution.ReasonInterrupted)
	}
	s.workers[0].restart()
	s.wants(again, 20*time.Second, execution.Completed, "")
	s.check(10 * time.Second)
}

func TestAWorkerWithNoDrainAtAllLeavesNothingRunning(t *testing.T) {
	single(t)
	s := newSystem(t, "DRAIN_TIMEOUT=0s")
	id := s.start(engine("-lines", "-1", "-pause", "20ms"))
	again := s.start(requeued("-lines", "20", "-pause", "20ms", "-succeed-at", "2"))
	s.prints(id, 3)
	s.prints(again, 3)
	s.runnerOf(id).term(5 * time.Second)
	s.wants(id, time.Second, execution.Errored, execution.ReasonInterrupted)
	if w := s.runnerOf(again); value(s.status(again).Worker) == w.name && s.status(again).Attempt == 1 {
		w.term(5 * time.Second)
	}
	s.wants(again, 20*time.Second, execution.Completed, "")
	s.check(10 * time.Second)
}
