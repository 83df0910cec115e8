package faults

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// The host of everything loses its power, and comes back.
func TestAPowerCutOfEverything(t *testing.T) {
	single(t)
	s := newSystem(t)
	done := s.startAll(3, engine())
	s.complete(done, 20*time.Second)
	fails := s.startAll(3, engine("-lines", "-1", "-pause", "20ms", "-both"))
	again := s.startAll(3, requeued("-lines", "20", "-pause", "20ms", "-succeed-at", "2"))
	for _, id := range append(fails, again...) {
		s.prints(id, 3)
	}
	later := engine()
	later.DelaySeconds = 5
	waiting := s.startAll(3, later)
	s.redis.Kill()
	for _, p := range s.procs() {
		p.kill()
	}
	s.redis.Start()
	for _, p := range s.procs() {
		p.start()
	}
	for _, p := range s.procs() {
		p.awaitStarted()
	}
	for _, id := range fails {
		s.wants(id, noticed, execution.Errored, execution.ReasonWorkerLost)
	}
	s.complete(append(again, waiting...), 40*time.Second)
	s.check(10 * time.Second)
}

// A Redis without persistence is restarted: the same as FLUSHALL, by another way.
func TestARedisThatForgotEverythingLeavesNothingHanging(t *testing.T) {
	single(t)
	s := newSystem(t)
	ids := s.startAll(4, engine("-lines", "-1", "-pause", "50ms", "-children", "2"))
	for _, id := range ids {
		s.prints(id, 3)
	}
	s.forgotten = true
	s.redis.Kill()
	s.emptyRedisDisk()
	s.redis.Start()
	s.eventually("the engines are ended", 25*time.Second, func() bool { return len(s.processes()) == 0 })
	s.complete(s.startAll(4, engine()), 30*time.Second)
}

func (s *system) emptyRedisDisk() {
	s.t.Helper()
	if err := os.RemoveAll(s.aof); err != nil {
		s.t.Fatal(err)
	}
}

// Redis comes back as it was some seconds ago: from a snapshot, or from a
// replica that lagged behind.
func TestARedisRestoredFromAnOlderSnapshotLeavesNothingHanging(t *testing.T) {
	single(t)
	s := newSystem(t)
	old := s.startAll(2, engine("-lines", "-1", "-pause", "50ms"))                         // running in the snapshot and after it
	ending := s.startAll(2, engine("-lines", "60", "-pause", "25ms"))                      // running in the snapshot, completed after it
	again := s.startAll(2, requeued("-lines", "60", "-pause", "25ms", "-succeed-at", "1")) // the same, may run again
	for _, id := range append(append(append([]execution.ID{}, old...), ending...), again...) {
		s.prints(id, 3)
	}
	snapshot := filepath.Join(s.dir, "snapshot")
	if err := os.CopyFS(snapshot, os.DirFS(s.aof)); err != nil {
		t.Fatal(err)
	}
	s.complete(append(ending, again...), 20*time.Second)
	fresh := s.startAll(2, engine("-lines", "-1", "-pause", "50ms")) // the snapshot knows nothing of them
	for _, id := range fresh {
		s.prints(id, 3)
	}
	s.forgotten, s.mayOverlap = true, true
	s.redis.Kill()
	s.emptyRedisDisk()
	if err := os.CopyFS(s.aof, os.DirFS(snapshot)); err != nil {
		t.Fatal(err)
	}
	s.redis.Start()
	all := append(append(append(append([]execution.ID{}, old...), ending...), again...), fresh...)
	ends := func(id execution.ID) bool {
		e, err := s.client.Status(s.ctx, id)
		if execution.CodeOf(err) == execution.NotFound {
			return true
		}
		return err == nil && e.Status.Terminal()
	}
	for _, id := range old { // these go on; nothing is wrong with them
		if _, err := s.client.Cancel(s.ctx, id, 20*time.Second); err != nil {
			t.Errorf("cancel: %v", err)
		}
	}
	for _, id := range all {
		s.eventually(string(id)+" has ended or is unknown", 45*time.Second, func() bool { return ends(id) })
	}
	s.eventually("no engine is left", 20*time.Second, func() bool { return len(s.processes()) == 0 })
	s.complete(s.startAll(4, api.StartRequest{Command: "engine", TimeoutSeconds: 60}), 30*time.Second)
}

// A worker dies at the two moments at which nobody but it knows the truth.

func TestAWorkerKilledBetweenItsClaimAndItsStart(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 1)
	s.complete(s.startAll(1, engine()), 20*time.Second) // so that Redis knows the script
	w := s.workers[0]
	claimed := w.proxy.DropReply(1, calling(t, "claim"), done)
	id, again := s.start(engine()), s.start(requeued("-lines", "20"))
	<-claimed
	w.kill()
	w.restart()
	for _, id := range []execution.ID{id, again} {
		if e := s.end(id, 45*time.Second); e.Status != execution.Completed && value(e.Reason) != execution.ReasonWorkerLost {
			t.Errorf("%s: %s, %s", id, e.Status, value(e.ErrorMessage))
		}
	}
	s.wants(again, time.Second, execution.Completed, "")
	s.check(10 * time.Second)
}

func TestAWorkerKilledBeforeItHeardThatItsSettleWasTaken(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 1)
	s.complete(s.startAll(1, engine()), 20*time.Second)
	w := s.workers[0]
	settled := w.proxy.DropReply(1, calling(t, "settle"), done)
	id := s.start(requeued("-lines", "20"))
	<-settled
	w.kill()
	w.restart()
	if e := s.wants(id, 10*time.Second, execution.Completed, execution.ReasonExited); e.Attempt != 1 {
		t.Errorf("it ran %d times", e.Attempt)
	}
	s.check(10 * time.Second)
}

func TestAStreamIsCutOnPurposeBeforeThePlatformDoes(t *testing.T) {
	single(t)
	s := newSystem(t, "SSE_RESPONSE_LIMIT=10s")
	ids := s.startAll(2, engine("-lines", "1200", "-pause", "20ms", "-both"))
	s.complete(ids, 60*time.Second)
	s.check(10 * time.Second)
}

func TestACancelBetweenTwoAttemptsIsACancel(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 2)
	id := s.start(requeued("-lines", "-1", "-pause", "20ms"))
	s.prints(id, 3)
	w := s.runnerOf(id)
	for _, other := range s.workers {
		if other != w {
			other.kill() // so that it stays in line
		}
	}
	w.term(9 * time.Second)
	if e := s.status(id); e == nil || e.Status != execution.Queued || e.Attempt != 1 {
		t.Fatalf("%+v", e)
	}
	if c, err := s.client.Cancel(s.ctx, id, 0); err != nil || c.Status != execution.Cancelled {
		t.Errorf("%+v, %v", c, err)
	}
	for _, w := range s.workers {
		w.restart()
	}
	s.check(10 * time.Second)
}
