package faults

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// storeAway makes the artifact store refuse what is to be kept, until back is
// called: the folder in which it writes is none any more.
func (s *system) storeAway() (back func()) {
	s.t.Helper()
	tmp := filepath.Join(s.dir, "outputs", ".internal", ".tmp")
	_ = os.Rename(tmp, tmp+".aside") // it may not be there yet
	if err := os.WriteFile(tmp, nil, 0o600); err != nil {
		s.t.Errorf("take the store away: %v", err)
	}
	return func() {
		if err := os.Remove(tmp); err != nil {
			s.t.Errorf("bring the store back: %v", err)
		}
		_ = os.Rename(tmp+".aside", tmp)
	}
}

// inRedis is how many bytes an execution's log takes there, by Redis' own count.
func (s *system) inRedis(id execution.ID) int64 {
	return s.rdb.MemoryUsage(s.ctx, "lh:{p0}:ev:"+string(id), 0).Val()
}

func TestALogLargerThanItsBudgetIsReadBackWhole(t *testing.T) {
	single(t)
	const budget = 128 << 10
	s := newSystemOf(t, 2, 1, "LOG_REDIS_BYTES=128KiB", "LOG_HOT_TTL=1s")
	id := s.start(engine("-lines", "20000", "-size", "1000", "-both"))
	most := int64(0)
	s.eventually("it has ended", time.Minute, func() bool {
		most = max(most, s.inRedis(id))
		e := s.status(id)
		return e != nil && e.Status.Terminal()
	})
	t.Logf("at most %d bytes of Redis for a budget of %d", most, budget)
	if most > 2*budget {
		t.Errorf("the log took up to %d bytes of Redis; the budget is %d", most, budget)
	}
	s.wants(id, time.Second, execution.Completed, "")
	s.eventually("the log has left Redis", 30*time.Second, func() bool { return s.inRedis(id) == 0 })
	if sum := s.check(30 * time.Second); sum.bytes != 40_000_000 {
		t.Errorf("%d bytes are read back of 40,000,000", sum.bytes)
	}
	if list, err := s.client.Artifacts(s.ctx, id); err != nil || len(list.Artifacts) > 0 {
		t.Errorf("the log's segments are listed as artifacts: %+v, %v", list, err)
	}
}

func TestAnArtifactStoreThatIsAwayCostsAtMostAnExactGap(t *testing.T) {
	single(t)
	s := newSystemOf(t, 2, 1, "LOG_REDIS_BYTES=128KiB", "LOG_HOT_TTL=1s")
	id := s.start(engine("-lines", "20000", "-size", "1000", "-pause", "300us", "-both"))
	s.prints(id, 3000)
	back := s.storeAway()
	outage(3 * time.Second)
	back()
	s.wants(id, time.Minute, execution.Completed, "")
	s.check(30 * time.Second)
	s.eventually("the log has left Redis", 30*time.Second, func() bool { return s.inRedis(id) == 0 })
	s.check(30 * time.Second)
}
