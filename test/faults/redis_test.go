package faults

import (
	"strconv"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// load starts engines that print through the next seconds, some of them much.
func (s *system) load(seconds string) []execution.ID {
	s.t.Helper()
	count := map[string]string{"3": "60", "8": "160", "12": "240", "25": "500", "30": "600"}[seconds]
	if count == "" {
		s.t.Fatal("no such load")
	}
	ids := s.startAll(3, engine("-lines", count, "-pause", "50ms", "-both"))
	ids = append(ids, s.start(engine("-lines", count, "-pause", "50ms", "-size", "4000")))
	for _, id := range ids {
		s.prints(id, 3)
	}
	return ids
}

// complete checks that all of them end well.
func (s *system) complete(ids []execution.ID, within time.Duration) {
	s.t.Helper()
	deadline := time.Now().Add(within)
	for _, id := range ids {
		s.wants(id, time.Until(deadline), execution.Completed, execution.ReasonExited)
	}
}

func TestARestartOfRedisLosesNothing(t *testing.T) {
	single(t)
	s := newSystem(t)
	ids := s.load("8")
	s.redis.Stop()
	s.redis.Start()
	s.complete(ids, 40*time.Second)
	s.complete(s.startAll(2, engine()), 20*time.Second)
	s.check(10 * time.Second)
}

func TestAKilledRedisLosesNothing(t *testing.T) {
	quick(t)
	s := newSystem(t)
	ids := s.load("3")
	s.redis.Kill()
	s.redis.Start()
	s.complete(ids, 40*time.Second)
	s.check(10 * time.Second)
}

func away(t *testing.T, seconds string, d time.Duration) {
	s := newSystem(t)
	ids := s.load(seconds)
	through := engine("-lines", strconv.Itoa(int((d+10*time.Second)/time.Second)), "-pause", "1s")
	through.TimeoutSeconds = int64(d.Seconds()) + 300
	ids = append(ids, s.start(through)) // ends after the outage, whatever its length
	s.prints(ids[len(ids)-1], 2)
	during := make(chan execution.ID, 1)
	s.redis.Kill()
	go func() { // accepted when Redis is back, once
		id, err := s.try(engine())
		if err != nil {
			t.Errorf("start during the outage: %v", err)
		}
		during <- id
	}()
	outage(d)
	s.redis.Start()
	s.complete(ids, 90*time.Second)
	if id := <-during; id != "" {
		s.complete([]execution.ID{id}, 20*time.Second)
	}
	s.check(10 * time.Second)
}

func TestRedisAwayFor5Seconds(t *testing.T)   { single(t); away(t, "8", 5*time.Second) }
func TestRedisAwayForOneMinute(t *testing.T)  { single(t); away(t, "30", time.Minute) }
func TestRedisAwayForTenMinutes(t *testing.T) { onlyLong(t); away(t, "30", 10*time.Minute) }

func TestAWorkerThatAloneCannotReachRedisIsTakenForLost(t *testing.T) {
	single(t)
	s := newSystem(t)
	s.mayOverlap = true // nobody can tell it from a dead worker
	fails := s.start(engine("-lines", "-1", "-pause", "50ms"))
	s.prints(fails, 3)
	cut := s.runnerOf(fails)
	pid := s.engineOf(fails)
	others := s.startAll(4, requeued("-lines", "100", "-pause", "100ms"))
	for _, id := range others {
		s.prints(id, 3)
	}
	cut.proxy.BlackHole()
	since := time.Now()
	s.wants(fails, noticed, execution.Errored, execution.ReasonWorkerLost)
	t.Logf("noticed after %v", time.Since(since))
	outage(time.Until(since.Add(24 * time.Second)))
	cut.proxy.Heal()
	s.eventually("its engine is gone", 12*time.Second, func() bool { return !lives(pid) })
	s.complete(others, 60*time.Second)
	s.check(10 * time.Second)
	cut.mustLive()
	s.complete(s.startAll(6, engine()), 20*time.Second)
}

func TestAHalfOpenConnectionIsNoticed(t *testing.T) {
	single(t)
	s := newSystem(t)
	ids := s.load("12")
	for _, p := range s.procs() {
		p.proxy.HalfOpen(replies)
	}
	outage(5 * time.Second)
	for _, p := range s.procs() {
		p.proxy.Heal()
	}
	s.complete(ids, 40*time.Second)
	s.check(10 * time.Second)
}

func TestASlowRedisIsBorne(t *testing.T) {
	single(t)
	s := newSystem(t)
	for _, p := range s.procs() {
		p.proxy.Delay(100 * time.Millisecond) // each way
	}
	ids := s.startAll(4, engine("-lines", "100", "-pause", "20ms", "-both"))
	cancelled := s.start(engine("-lines", "-1", "-pause", "20ms"))
	s.prints(cancelled, 5)
	if e, err := s.client.Cancel(s.ctx, cancelled, 20*time.Second); err != nil || e.Delivered != "settled" {
		t.Errorf("cancel: %+v, %v", e, err)
	}
	s.complete(ids, 40*time.Second)
	s.check(20 * time.Second)
}

func TestLostPubSubDelaysAndLosesNothing(t *testing.T) {
	single(t)
	s := newSystem(t)
	ids := s.startAll(6, engine("-lines", "300", "-pause", "25ms", "-both"))
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for range 7 {
			outage(time.Second)
			if err := s.rdb.Do(s.ctx, "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
				t.Errorf("CLIENT KILL: %v", err)
			}
		}
	}()
	victim := s.start(engine("-lines", "-1", "-pause", "50ms"))
	s.prints(victim, 20)
	if _, err := s.client.Cancel(s.ctx, victim, 20*time.Second); err != nil {
		t.Errorf("cancel: %v", err)
	}
	s.complete(ids, 40*time.Second)
	<-stop
	s.check(10 * time.Second)
}

func TestABlipExactlyAtCompletionLeavesACompletion(t *testing.T) {
	single(t)
	s := newSystem(t)
	ids := s.startAll(4, engine("-lines", "40", "-pause", "50ms"))
	again := s.startAll(2, requeued("-lines", "40", "-pause", "50ms"))
	s.prints(ids[0], 20)
	for _, w := range s.workers {
		w.proxy.Refuse()
	}
	ended := func() (n int) {
		for _, e := range s.journal() {
			if e.What == "end" {
				n++
			}
		}
		return n
	}
	s.eventually("the engines have ended", 20*time.Second, func() bool { return ended() == 6 })
	outage(4 * time.Second)
	for _, w := range s.workers {
		w.proxy.Heal()
	}
	s.complete(append(ids, again...), 10*time.Second)
	s.check(10 * time.Second)
}

func TestAFullRedisRefusesNewWorkAndLosesNone(t *testing.T) {
	single(t)
	s := newSystem(t)
	ids := s.startAll(4, engine("-lines", "4000", "-pause", "1ms", "-size", "1000"))
	for _, id := range ids {
		s.prints(id, 100)
	}
	if err := s.rdb.ConfigSet(s.ctx, "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.try(engine()); execution.CodeOf(err) != execution.StorageFull {
		t.Errorf("a start in a full Redis: %v", err)
	}
	outage(3 * time.Second)
	if e := s.status(ids[0]); e == nil || e.Status != execution.Running {
		t.Errorf("reading from a full Redis gives %+v", e)
	}
	if err := s.rdb.ConfigSet(s.ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	s.complete(ids, 60*time.Second)
	s.complete(s.startAll(2, engine()), 20*time.Second)
	s.check(10 * time.Second)
}

func TestAFlushedRedisLeavesNothingHanging(t *testing.T) {
	single(t)
	s := newSystem(t)
	ids := s.startAll(4, engine("-lines", "-1", "-pause", "50ms", "-children", "2"))
	waiting := s.startAll(20, engine("-lines", "-1", "-pause", "200ms")) // more than there are slots
	for _, id := range ids {
		s.prints(id, 3)
	}
	s.forgotten = true
	if err := s.rdb.FlushAll(s.ctx).Err(); err != nil {
		t.Fatal(err)
	}
	s.eventually("the engines are ended", 20*time.Second, func() bool { return len(s.processes()) == 0 })
	for _, id := range append(ids, waiting...) {
		if _, err := s.client.Status(s.ctx, id); execution.CodeOf(err) != execution.NotFound {
			t.Errorf("%s: %v", id, err)
		}
	}
	fresh := s.startAll(4, api.StartRequest{Command: "engine", TimeoutSeconds: 60})
	s.complete(fresh, 30*time.Second)
	for _, w := range s.procs() {
		w.mustLive()
	}
}
