package faults

import (
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Told to stop while nothing answers: the worst moment of a deploy.

func TestAWorkerThatCannotReachRedisStopsInTime(t *testing.T) {
	single(t)
	// What is under way with a connection that says nothing fails after three seconds,
	// twice, and the log's end then goes to disk: a shorter drain has no room for that
	// on a busy machine.
	s := newSystemOf(t, 2, 1, "DRAIN_TIMEOUT=8s")
	id := s.start(engine("-lines", "-1", "-pause", "20ms"))
	again := s.start(requeued("-lines", "20", "-pause", "20ms", "-succeed-at", "2"))
	s.prints(id, 3)
	s.prints(again, 3)
	w := s.workers[0]
	w.proxy.BlackHole()
	begin := time.Now()
	w.term(13 * time.Second) // platforms kill 5 s after the drain
	t.Logf("stopped after %v", time.Since(begin))
	if left := s.processes(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	w.proxy.Heal()
	w.restart()
	if e := s.end(id, noticed); e.Status != execution.Errored || value(e.Reason) != execution.ReasonInterrupted {
		t.Errorf("%s, %s", e.Status, value(e.Reason))
	}
	s.complete([]execution.ID{again}, 30*time.Second)
	s.check(10 * time.Second)
	s.nothingLeftOnDisk()
}

func TestAnAPIThatCannotReachRedisStopsInTime(t *testing.T) {
	single(t)
	s := newSystemOf(t, 2, 1, "DRAIN_TIMEOUT=6s")
	id := s.start(engine("-lines", "100", "-pause", "100ms"))
	for range 10 {
		s.follow(id, "another", 0, s.client)
	}
	s.prints(id, 3)
	for _, a := range s.apis {
		a.proxy.BlackHole()
	}
	outage(500 * time.Millisecond)
	for _, a := range s.apis {
		begin := time.Now()
		a.term(8 * time.Second)
		t.Logf("%s stopped after %v", a.name, time.Since(begin))
	}
	for _, a := range s.apis {
		a.proxy.Heal()
		a.restart()
	}
	s.complete([]execution.ID{id}, 40*time.Second)
	s.check(10 * time.Second)
}

func TestACancelReachesAWorkerThatIsOutOfReachForAWhile(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 1)
	id := s.start(engine("-lines", "-1", "-pause", "20ms"))
	s.prints(id, 3)
	s.workers[0].proxy.BlackHole()
	c, err := s.client.Cancel(s.ctx, id, 0)
	if err != nil || c.Delivered != "pending" {
		t.Errorf("%+v, %v", c, err)
	}
	outage(6 * time.Second)
	s.workers[0].proxy.Heal()
	s.wants(id, 10*time.Second, execution.Cancelled, execution.ReasonCancelled)
	s.check(10 * time.Second)
}

// Memory that Redis lacks must not keep anybody from stopping an engine.
func TestACancelInAFullRedisStopsTheEngine(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 1)
	id := s.start(engine("-lines", "-1", "-pause", "20ms"))
	s.prints(id, 3)
	pid := s.engineOf(id)
	if err := s.rdb.ConfigSet(s.ctx, "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	// It cannot be stored, and the answer says so; but the worker hears of it.
	if _, err := s.client.Cancel(s.ctx, id, 0); execution.CodeOf(err) != execution.StorageFull || !strings.Contains(err.Error(), "told to stop") {
		t.Errorf("cancel: %v", err)
	}
	if !comes(8*time.Second, func() bool { return !lives(pid) }) {
		t.Error("the engine runs on")
	}
	if err := s.rdb.ConfigSet(s.ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	if e := s.status(id); e != nil && !e.Status.Terminal() {
		_, _ = s.client.Cancel(s.ctx, id, 20*time.Second)
	}
	s.check(20 * time.Second)
}
