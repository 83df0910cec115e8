package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/queue"
	"github.com/longhaul/longhaul/pkg/redistest"
)

// draft does what is drafted for a ticket.
func draft(t *testing.T, rdb redis.UniversalClient, q *queue.Queue, tk execution.Ticket) {
	t.Helper()
	d, err := q.Draft(t.Context(), tk)
	if err != nil {
		t.Fatal(err)
	}
	if err := redis.NewScript(d.Text).Run(t.Context(), rdb, d.Keys, d.Args...).Err(); err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
}

func TestADraftLeavesWhatEnqueueLeaves(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Hour} {
		left := map[bool]string{}
		for _, drafted := range []bool{false, true} {
			rdb := dial(t, redistest.Start(t).URL)
			q := queue.New(rdb)
			tk := ticket(1)
			tk.Delay = delay
			for range 2 { // a repeat is harmless
				if drafted {
					draft(t, rdb, q, tk)
				} else if err := q.Enqueue(t.Context(), tk); err != nil {
					t.Fatal(err)
				}
			}
			task := rdb.HGetAll(t.Context(), "asynq:{default}:t:"+string(tk.ID)+".1").Val()
			delete(task, "pending_since")
			left[drafted] = fmt.Sprintf("%q %q %q %q", task, rdb.LRange(t.Context(), "asynq:{default}:pending", 0, -1).Val(),
				rdb.ZRange(t.Context(), "asynq:{default}:scheduled", 0, -1).Val(), rdb.SMembers(t.Context(), "asynq:queues").Val())
		}
		if left[false] != left[true] {
			t.Errorf("enqueued: %s\ndrafted:  %s", left[false], left[true])
		}
	}
}

// Where many are in line a draft wakes nobody, since somebody has been woken: all are taken in time
// for all that.
func TestALongLineOfDraftsIsTakenByAnIdleServer(t *testing.T) {
	srv := redistest.Start(t)
	rdb := dial(t, srv.URL)
	q := queue.New(rdb)
	const many = 300
	got := make(chan execution.ID, many)
	serve(t, srv.URL, queue.ServerOptions{Slots: 4, Handle: func(_ context.Context, id execution.ID) { got <- id }})
	for n := range many {
		draft(t, rdb, q, ticket(n))
	}
	enough := time.After(30 * time.Second)
	for n := range many {
		select {
		case <-got:
		case <-enough:
			t.Fatalf("%d of %d were taken", n, many)
		}
	}
}
