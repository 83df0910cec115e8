package faults

import (
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/longhaul/longhaul/pkg/execution"
)

// dashboard is Asynq as an operator has it.
func (s *system) dashboard() *asynq.Inspector {
	i := asynq.NewInspector(asynq.RedisClientOpt{Addr: s.redis.Addr})
	s.t.Cleanup(func() { _ = i.Close() })
	return i
}

func task(id execution.ID) string { return string(id) + ".1" }

func TestTheDashboardCancelsAndItIsACancelLikeAnyOther(t *testing.T) {
	single(t)
	s := newSystem(t)
	i := s.dashboard()
	id := s.start(engine("-lines", "-1", "-pause", "20ms", "-children", "1"))
	s.prints(id, 3)
	if err := i.CancelProcessing(task(id)); err != nil {
		t.Fatal(err)
	}
	if e := s.wants(id, 10*time.Second, execution.Cancelled, execution.ReasonCancelled); e.CancelRequestedAt == nil {
		t.Error("the request is not recorded")
	}
	s.check(10 * time.Second)
}

func TestTheDashboardArchivesDeletesAndRunsWhatWaits(t *testing.T) {
	single(t)
	s := newSystemOf(t, 2, 1, "MAX_CONCURRENT=1")
	i := s.dashboard()
	first := s.start(engine("-lines", "100", "-pause", "50ms"))
	s.prints(first, 3)
	archived, deleted := s.start(engine()), s.start(engine())
	delayed := engine()
	delayed.DelaySeconds = 6
	early, gone := s.start(delayed), s.start(delayed)
	for what, err := range map[string]error{
		"archive": i.ArchiveTask("default", task(archived)), "delete": i.DeleteTask("default", task(deleted)),
		"run": i.RunTask("default", task(early)), "delete delayed": i.DeleteTask("default", task(gone)),
	} {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	s.complete([]execution.ID{first, archived, deleted, early, gone}, 30*time.Second)
	s.check(10 * time.Second)
}

func TestATaskDeliveredAgainRunsOnce(t *testing.T) {
	single(t)
	s := newSystem(t)
	c := asynq.NewClient(asynq.RedisClientOpt{Addr: s.redis.Addr})
	defer c.Close()
	again := func(id execution.ID, name string) {
		if _, err := c.Enqueue(asynq.NewTask("execution", []byte(id)), asynq.TaskID(name), asynq.MaxRetry(3)); err != nil {
			t.Errorf("enqueue: %v", err)
		}
	}
	delayed := engine("-lines", "40", "-pause", "50ms")
	delayed.DelaySeconds = 1
	ids := s.startAll(3, delayed)
	for n, id := range ids {
		for _, k := range []string{"a", "b", "c"} {
			again(id, string(id)+k)
		}
		if n > 0 {
			s.prints(id, 3)
			again(id, string(id)+"while-running")
		}
	}
	s.complete(ids, 30*time.Second)
	for _, id := range ids {
		again(id, string(id)+"afterwards")
	}
	again("exec_1762548673499_aaaaaaaaa", "unknown")
	if _, err := c.Enqueue(asynq.NewTask("execution", []byte("no id at all")), asynq.MaxRetry(0)); err != nil {
		t.Errorf("enqueue: %v", err)
	}
	s.complete(s.startAll(3, engine()), 20*time.Second) // behind all of that
	s.check(10 * time.Second)
}

func TestATaskWhoseLeaseAndListAreGoneStillRunsToItsEnd(t *testing.T) {
	single(t)
	s := newSystem(t)
	ids := s.startAll(3, engine("-lines", "60", "-pause", "50ms"))
	for _, id := range ids {
		s.prints(id, 3)
	}
	if err := s.rdb.Del(s.ctx, "asynq:{default}:lease", "asynq:{default}:active").Err(); err != nil {
		t.Fatal(err)
	}
	s.complete(ids, 30*time.Second)
	s.check(10 * time.Second)
}
