package faults

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// ended waits until n engines have told the journal of their end.
func (s *system) enginesEnded(n int) {
	s.t.Helper()
	s.eventually("the engines have ended", 30*time.Second, func() bool {
		ended := 0
		for _, e := range s.journal() {
			if e.What == "end" {
				ended++
			}
		}
		return ended >= n
	})
}

func TestOutputGoesToDiskWhileRedisIsAway(t *testing.T) {
	single(t)
	s := newSystemOf(t, 2, 1)
	ids := s.startAll(1, engine("-lines", "4000", "-size", "16000", "-both", "-pause", "500us")) // 128 MB
	small := s.start(engine("-lines", "40", "-pause", "50ms"))
	for _, id := range append(ids, small) {
		s.prints(id, 1)
	}
	s.redis.Kill()
	s.enginesEnded(2) // none of them is held up
	s.redis.Start()
	s.complete(append(ids, small), 90*time.Second)
	s.check(60 * time.Second)
}

func TestOutputBeyondTheDisksBudgetIsAnExactGap(t *testing.T) {
	single(t)
	s := newSystemOf(t, 2, 1, "SPOOL_MAX_BYTES=1MiB")
	id := s.start(engine("-lines", "-1", "-size", "1000", "-pause", "1ms", "-both"))
	s.prints(id, 100)
	s.workers[0].proxy.Refuse()
	outage(12 * time.Second) // 20 MB
	s.workers[0].proxy.Heal()
	outage(time.Second)
	if c, err := s.client.Cancel(s.ctx, id, 20*time.Second); err != nil || c.Status != execution.Cancelled {
		t.Errorf("cancel: %+v, %v", c, err)
	}
	sum := s.check(20 * time.Second)
	t.Logf("%d bytes kept", sum.bytes)
}

// A deploy during an outage: the engine's end and its last output are on the
// old worker's disk, which the next worker has too.
func TestADeployWhileRedisIsAwayIsFinishedByTheNextWorker(t *testing.T) {
	single(t)
	s := newSystemOf(t, 2, 1)
	ids := s.startAll(3, engine("-lines", "40", "-pause", "50ms", "-both"))
	interrupted := s.start(engine("-lines", "-1", "-pause", "50ms", "-both"))
	again := s.start(requeued("-lines", "20", "-pause", "50ms", "-succeed-at", "2"))
	for _, id := range append(ids, interrupted, again) {
		s.prints(id, 5)
	}
	s.redis.Kill()
	s.enginesEnded(3)
	s.workers[0].term(9 * time.Second)
	s.workers[0].start()
	outage(time.Second)
	s.redis.Start()
	s.workers[0].awaitStarted()
	s.complete(ids, 30*time.Second)
	s.wants(interrupted, 30*time.Second, execution.Errored, execution.ReasonInterrupted)
	s.complete([]execution.ID{again}, 30*time.Second)
	s.check(10 * time.Second)
	s.nothingLeftOnDisk()
}

func TestAWorkerKilledWhileRedisIsAwayLeavesItsOutputToTheNext(t *testing.T) {
	single(t)
	s := newSystemOf(t, 2, 1)
	id := s.start(engine("-lines", "-1", "-pause", "20ms", "-both"))
	again := s.start(requeued("-lines", "20", "-pause", "50ms", "-succeed-at", "2"))
	s.prints(id, 5)
	s.prints(again, 5)
	s.redis.Kill()
	outage(3 * time.Second)
	s.workers[0].kill()
	s.workers[0].start()
	s.redis.Start()
	s.workers[0].awaitStarted()
	s.wants(id, noticed, execution.Errored, execution.ReasonWorkerLost)
	s.complete([]execution.ID{again}, 30*time.Second)
	s.check(10 * time.Second)
	if n := s.seenLines(id); n < 100 { // 3 s of it
		t.Errorf("only %d lines of what was printed in the outage are kept", n)
	}
	s.nothingLeftOnDisk()
}

// The disk of a worker is full: output that Redis takes needs none, and what
// does not fit while Redis is away is told as a gap.
func TestAFullDiskLosesOnlyWhatAGapTells(t *testing.T) {
	single(t)
	small := smallDisk(t, "size=2m")
	s := newSystemOf(t, 2, 0)
	s.workers = append(s.workers, s.newProc("worker", "worker-1"))
	w := s.workers[0]
	w.env = append(w.env, "WORKDIR="+small, "WORKDIR_MIN_FREE=0")
	w.restart()
	id := s.start(engine("-lines", "-1", "-size", "1000", "-pause", "200us", "-both"))
	s.prints(id, 100)
	w.proxy.Refuse()
	outage(9 * time.Second) // not beyond its lease
	w.mustLive()
	w.proxy.Heal()
	outage(time.Second)
	if c, err := s.client.Cancel(s.ctx, id, 20*time.Second); err != nil || c.Status != execution.Cancelled {
		t.Errorf("cancel: %+v, %v", c, err)
	}
	sum := s.check(20 * time.Second)
	t.Logf("%d bytes kept", sum.bytes)
	// With no byte left for a workdir, an execution waits until there is.
	free := fill(t, small)
	waiting := s.start(engine())
	s.eventually("the worker says so", 20*time.Second, func() bool { return w.logged("no room on the disk") })
	free()
	s.complete([]execution.ID{waiting}, 60*time.Second)
	s.check(20 * time.Second)
}

// nothingLeftOnDisk looks for folders of executions.
func (s *system) nothingLeftOnDisk() {
	s.t.Helper()
	left := func() []string {
		found, _ := filepath.Glob(filepath.Join(s.dir, "work", "*", "*", "exec_*"))
		more, _ := filepath.Glob(filepath.Join(s.dir, "work", "*", "exec_*"))
		return append(found, more...)
	}
	if !comes(5*time.Second, func() bool { return len(left()) == 0 }) {
		s.t.Errorf("left on disk: %v", left())
	}
}

// Workers on one host share one WORKDIR by default: none may take another's
// folder for a dead one's, above all not while both are just starting.
func TestWorkersThatShareAWorkdirLeaveEachOtherAlone(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 0)
	for i := range 6 {
		w := s.newProc("worker", fmt.Sprintf("worker-%d", i+1))
		w.env = append(w.env, "WORKDIR="+filepath.Join(s.dir, "work", "shared"), "MAX_CONCURRENT=1")
		s.workers = append(s.workers, w)
	}
	for range 4 {
		for _, w := range s.workers {
			w.start()
		}
		for _, w := range s.workers {
			w.awaitStarted()
		}
		ids := s.startAll(3, engine("-lines", "20", "-pause", "20ms"))
		s.complete(ids, 20*time.Second)
		lost := s.startAll(3, requeued("-lines", "20", "-pause", "20ms", "-succeed-at", "2"))
		for _, id := range lost {
			s.prints(id, 2)
		}
		for _, w := range s.workers { // what runs leaves something behind
			w.kill()
		}
	}
	for _, w := range s.workers {
		w.restart()
	}
	s.check(60 * time.Second)
}
