package faults

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

func TestOneIdempotencyKeyStartsOnce(t *testing.T) {
	quick(t)
	s := newSystemOf(t, 2, 1)
	r := engine("-lines", "5")
	r.Labels = map[string]string{serialLabel: "same"}
	ids := make([]execution.ID, 200)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			started, err := s.client.Start(s.ctx, r, "one-key-for-all")
			if err != nil {
				t.Errorf("start: %v", err)
				return
			}
			ids[i] = started.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("two executions: %s and %s", id, ids[0])
		}
	}
	s.accept(ids[0], "same", r)
	s.complete(ids[:1], 20*time.Second)
	s.check(10 * time.Second)
}

// races cancels n executions, each a random while after its start, and holds
// the answers against the ends.
func races(t *testing.T, n int, upTo time.Duration, args ...string) {
	s := newSystem(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ends := map[execution.Status]int{}
	for range n {
		id := s.start(engine(args...))
		outage(time.Duration(random.Int64N(int64(upTo))))
		c, err := s.client.Cancel(s.ctx, id, 20*time.Second)
		e := s.end(id, 20*time.Second)
		ends[e.Status]++
		switch {
		case err == nil && c.Status != e.Status:
			t.Errorf("%s: the cancel said %s, it ended as %s", id, c.Status, e.Status)
		case err != nil && (execution.CodeOf(err) != execution.Conflict || e.Status == execution.Cancelled):
			t.Errorf("%s: the cancel said %v, it ended as %s", id, err, e.Status)
		case e.Status != execution.Cancelled && e.Status != execution.Completed:
			t.Errorf("%s: %s, %s", id, e.Status, value(e.ErrorMessage))
		}
		if e.StartedAt == nil && len(s.byExecution()[string(id)]) > 0 {
			t.Errorf("%s was cancelled in line, and an engine has run", id)
		}
	}
	t.Logf("ends: %v", ends)
	s.check(10 * time.Second)
}

func TestCancelAgainstCompletion(t *testing.T) {
	single(t)
	races(t, 50, 100*time.Millisecond, "-lines", "4", "-pause", "10ms")
}

func TestCancelAtTheMomentOfTheClaim(t *testing.T) {
	single(t)
	races(t, 50, 8*time.Millisecond, "-lines", "-1", "-pause", "10ms")
}

func TestAnEngineThatDiesAtTheMomentOfItsCancel(t *testing.T) {
	single(t)
	s := newSystem(t)
	for _, args := range [][]string{{"-die-at-term"}, {"-die-at-term", "-exit", "3"}, {"-ignore-term"}, {"-children", "20", "-ignore-term"}} {
		id := s.start(engine(append(args, "-lines", "-1", "-pause", "10ms")...))
		s.prints(id, 3)
		if c, err := s.client.Cancel(s.ctx, id, 20*time.Second); err != nil || c.Status != execution.Cancelled || c.GroupEmptyAt == nil {
			t.Errorf("%v: %+v, %v", args, c, err)
		}
		if left := s.processes(); len(left) > 0 {
			t.Errorf("%v: left after the proof that nothing is: %v", args, left)
		}
	}
	s.check(10 * time.Second)
}
