package faults

import (
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

func TestAnEngineThatPrintsALotIsKeptWhole(t *testing.T) {
	single(t)
	count := "51200" // 200 MB
	if long() {
		count = "262144" // 1 GB
	}
	s := newSystemOf(t, 1, 1)
	id := s.start(engine("-lines", count, "-size", "4096"))
	begin := time.Now()
	e := s.wants(id, 3*time.Minute, execution.Completed, "")
	t.Logf("%d bytes in %v", e.LogBytes, time.Since(begin))
	s.check(time.Minute)
}

func TestBeyondTheBudgetTheMiddleIsAGap(t *testing.T) {
	single(t)
	s := newSystemOf(t, 2, 1, "LOG_REDIS_BYTES=128KiB", "ARTIFACTS_URL=")
	id := s.start(engine("-lines", "20000", "-size", "1000", "-both"))
	s.wants(id, time.Minute, execution.Completed, "")
	sum := s.check(30 * time.Second)
	if sum.bytes > 30<<20 {
		t.Errorf("nothing was dropped: %d bytes", sum.bytes)
	}
}

func TestAnEngineThatForksManyIsEndedWhole(t *testing.T) {
	single(t)
	many := "150"
	if long() {
		many = "2000"
	}
	s := newSystemOf(t, 1, 1)
	id := s.start(engine("-lines", "-1", "-pause", "50ms", "-children", many))
	s.prints(id, 3)
	begin := time.Now()
	if _, err := s.client.Cancel(s.ctx, id, 30*time.Second); err != nil {
		t.Errorf("cancel: %v", err)
	}
	t.Logf("gone after %v", time.Since(begin))
	if left := s.processes(); len(left) > 0 {
		t.Errorf("%d processes are left", len(left))
	}
	s.check(10 * time.Second)
}

func TestATimeoutIsKeptWhileRedisIsAway(t *testing.T) {
	single(t)
	s := newSystem(t)
	r := engine("-lines", "-1", "-pause", "20ms", "-ignore-term")
	r.TimeoutSeconds = 3
	id := s.start(r)
	s.prints(id, 5)
	pid := s.engineOf(id)
	s.redis.Kill()
	s.eventually("the engine is gone, in time and without Redis", 3*time.Second+grace+time.Second, func() bool { return !lives(pid) })
	outage(2 * time.Second)
	s.redis.Start()
	s.wants(id, 10*time.Second, execution.Timeout, execution.ReasonTimeout)
	s.check(10 * time.Second)
}
