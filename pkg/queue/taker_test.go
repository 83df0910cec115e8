package queue_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/queue"
	"github.com/longhaul/longhaul/pkg/redistest"
)

func TestManyTicketsGoOutAtOnceAndInOrder(t *testing.T) {
	srv := redistest.Start(t)
	rdb := dial(t, srv.URL)
	q := queue.New(rdb)
	var want []string
	for round := range 3 {
		if err := rdb.ScriptFlush(t.Context()).Err(); err != nil { // Redis may have been restarted
			t.Fatal(err)
		}
		var batch []execution.Ticket
		for i := range 50 {
			batch = append(batch, ticket(round*50+i))
			want = append(want, string(ticket(round*50+i).ID)+".1")
		}
		for range 2 { // a repeat after a lost reply
			if err := q.Enqueue(t.Context(), batch...); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := rdb.LRange(t.Context(), "asynq:{default}:pending", 0, -1).Val()
	slices.Reverse(got) // Asynq takes from the end
	if !slices.Equal(got, want) {
		t.Errorf("the line is %v", got)
	}
	before := reads(t, rdb)
	var batch []execution.Ticket
	for i := range 50 {
		batch = append(batch, ticket(1000+i))
	}
	if err := q.Enqueue(t.Context(), batch...); err != nil {
		t.Fatal(err)
	}
	if n := reads(t, rdb) - before; n > 5 { // this question is one of them
		t.Errorf("Redis read %d times for one batch", n)
	}
}

// reads counts how often Redis has read from its clients.
func reads(t *testing.T, rdb redis.UniversalClient) int {
	t.Helper()
	for line := range strings.Lines(rdb.Info(t.Context(), "stats").Val()) {
		if v, ok := strings.CutPrefix(line, "total_reads_processed:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(v))
			return n
		}
	}
	t.Fatal("INFO does not count reads")
	return 0
}

func TestTicketsOfAllQueuesAreTakenByOneWake(t *testing.T) {
	srv := redistest.Start(t)
	q := queue.New(dial(t, srv.URL))
	got := make(chan execution.ID, 10)
	serve(t, srv.URL, queue.ServerOptions{Slots: 5, Handle: func(_ context.Context, id execution.ID) { got <- id }})
	if err := q.Enqueue(t.Context(), ticket(0)); err != nil {
		t.Fatal(err)
	}
	<-got // it hears now
	var batch []execution.Ticket
	for i, name := range []string{"low", "critical", "default"} {
		tk := ticket(i + 1)
		tk.Queue = name
		batch = append(batch, tk)
	}
	late := ticket(9)
	late.Delay = time.Hour
	if err := q.Enqueue(t.Context(), append(batch, late)...); err != nil {
		t.Fatal(err)
	}
	for range batch {
		if id := <-got; id == late.ID {
			t.Error("took the one with a delay")
		}
	}
	if state, err := q.State(t.Context(), late); err != nil || state != queue.Scheduled {
		t.Errorf("the one with a delay: %v, %v", state, err)
	}
}

// The bound is of tasks in their slots: who gave his back only has to write.
func TestASlotGivenBackIsTakenAndNoMore(t *testing.T) {
	srv := redistest.Start(t)
	q := queue.New(dial(t, srv.URL))
	const slots = 2
	var inSlot, most atomic.Int32
	begun, next, end := make(chan struct{}, 20), make(chan struct{}), make(chan struct{})
	stop := serve(t, srv.URL, queue.ServerOptions{Slots: slots, Handle: func(ctx context.Context, _ execution.ID) {
		most.Store(max(most.Load(), inSlot.Add(1)))
		begun <- struct{}{}
		<-next
		inSlot.Add(-1)
		queue.Free(ctx)
		queue.Free(ctx) // counts once
		<-end
	}})
	var batch []execution.Ticket
	for i := range 6 {
		batch = append(batch, ticket(i))
	}
	if err := q.Enqueue(t.Context(), batch...); err != nil {
		t.Fatal(err)
	}
	for range slots {
		<-begun
	}
	select {
	case <-begun:
		t.Error("a third task was taken with two slots")
	case <-time.After(300 * time.Millisecond): // the negative needs a moment to show itself
	}
	for range 6 - slots { // each that frees its slot lets one more in, though none has returned
		next <- struct{}{}
		<-begun
	}
	for range slots {
		next <- struct{}{}
	}
	if most.Load() != slots {
		t.Errorf("%d at once", most.Load())
	}
	close(end)
	stop()
}

// A task that Asynq cannot read never reaches a handler: it must not cost its
// slot for good.
func TestATaskThatCannotBeReadCostsNoSlot(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	rdb := dial(t, srv.URL)
	q := queue.New(rdb)
	for i := range 2 {
		key := "asynq:{default}:t:broken" + strconv.Itoa(i)
		if err := rdb.HSet(t.Context(), key, "msg", "\xff\xff", "state", "pending").Err(); err != nil {
			t.Fatal(err)
		}
		if err := rdb.LPush(t.Context(), "asynq:{default}:pending", "broken"+strconv.Itoa(i)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan execution.ID, 1)
	serve(t, srv.URL, queue.ServerOptions{Slots: 2, Handle: func(_ context.Context, id execution.ID) { got <- id }})
	if err := q.Enqueue(t.Context(), ticket(1)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-got:
	case <-time.After(20 * time.Second):
		t.Fatal("both slots are lost")
	}
}

// A wake may be lost, and none comes for a task whose delay is over.
func TestAQueueWithoutAWakeIsServedBesideABusyOne(t *testing.T) {
	srv := redistest.Start(t)
	q := queue.New(dial(t, srv.URL))
	urgent := ticket(0)
	urgent.Queue, urgent.Delay = "critical", time.Second
	got := make(chan struct{})
	var next atomic.Int32
	stop := serve(t, srv.URL, queue.ServerOptions{Slots: 1, Handle: func(ctx context.Context, id execution.ID) {
		if id == urgent.ID {
			close(got)
			return
		}
		<-time.After(2 * time.Millisecond) // the work
		if err := q.Enqueue(ctx, ticket(int(next.Add(1)))); err != nil {
			t.Errorf("enqueue: %v", err)
		}
	}})
	var batch []execution.Ticket
	for range 20 { // the line never gets empty
		batch = append(batch, ticket(int(next.Add(1))))
	}
	if err := q.Enqueue(t.Context(), append(batch, urgent)...); err != nil {
		t.Fatal(err)
	}
	select {
	case <-got:
	case <-time.After(10 * time.Second):
		t.Errorf("the urgent one still waits, after %d others", next.Load())
	}
	stop()
}
