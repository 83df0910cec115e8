package runner_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/queue"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
	"github.com/longhaul/longhaul/pkg/runner"
)

// reap runs a reaper until until holds.
func reap(t *testing.T, store runner.Ledger, l *line, files runner.Files, until func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	p := runner.NewReaper(store, l, files, slog.New(slog.DiscardHandler))
	go func() { done <- p.Run(ctx) }()
	defer func() { cancel(); <-done }()
	deadline := time.After(40 * time.Second)
	for !until() {
		select {
		case <-deadline:
			t.Fatal("the reaper did not get there")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

type noFiles struct {
	mu      sync.Mutex // guards below
	deleted []execution.ID
}

func (f *noFiles) Delete(_ context.Context, id execution.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deleted = append(f.deleted, id)
	return nil
}

func place(t *testing.T, store *redisstore.Store, change func(*execution.Spec)) execution.ID {
	t.Helper()
	s := &execution.Spec{Command: "sh", Args: []string{"x"}}
	if change != nil {
		change(s)
	}
	s.Normalize(execution.DefaultLimits())
	c, err := store.Create(t.Context(), s, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return c.Record.ID
}

func status(t *testing.T, store *redisstore.Store, id execution.ID) execution.Status {
	t.Helper()
	r, err := store.Get(t.Context(), id)
	if execution.CodeOf(err) == execution.NotFound {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Status
}

func TestALostWorkersExecutionsEndOrGoBackInLine(t *testing.T) {
	t.Parallel()
	store, _ := redistest.Store(t, redisstore.Options{LeaseTicks: 2})
	l := &line{states: map[execution.ID]queue.State{}}
	fail := place(t, store, nil)
	again := place(t, store, func(s *execution.Spec) { s.OnInterrupt = execution.Requeue })
	asked := place(t, store, func(s *execution.Spec) { s.OnInterrupt = execution.Requeue })
	alive := place(t, store, nil)
	var keep execution.Lease
	for _, id := range []execution.ID{fail, again, asked, alive} {
		c, err := store.Claim(t.Context(), id, "doomed", redisstore.NewToken())
		if err != nil {
			t.Fatal(err)
		}
		keep = c.Lease
	}
	if _, err := store.Cancel(t.Context(), asked); err != nil {
		t.Fatal(err)
	}
	reap(t, store, l, &noFiles{}, func() bool {
		if _, err := store.Renew(t.Context(), []execution.Lease{keep}); err != nil {
			t.Fatal(err)
		}
		return status(t, store, fail) != execution.Running && status(t, store, again) != execution.Running && status(t, store, asked) != execution.Running
	})
	r, _ := store.Get(t.Context(), fail)
	check(t, r, execution.Errored, execution.ReasonWorkerLost, "doomed")
	r, _ = store.Get(t.Context(), asked)
	check(t, r, execution.Cancelled, execution.ReasonCancelled, "")
	if got := status(t, store, again); got != execution.Queued {
		t.Errorf("on_interrupt requeue: %s", got)
	}
	if len(l.tickets) != 1 || l.tickets[0].ID != again || l.tickets[0].Dispatch != 2 || l.tickets[0].Delay != time.Second {
		t.Errorf("tickets are %+v", l.tickets)
	}
	if got := status(t, store, alive); got != execution.Running {
		t.Errorf("the one whose lease was renewed: %s", got)
	}
}

func TestATaskThatAsynqLostIsDispatchedAgain(t *testing.T) {
	t.Parallel()
	store, _ := redistest.Store(t, redisstore.Options{})
	l := &line{states: map[execution.ID]queue.State{}}
	missing, waiting, late := place(t, store, nil), place(t, store, nil), place(t, store, nil)
	l.states[missing] = queue.Missing
	l.states[waiting], l.states[late] = queue.Waiting, queue.Scheduled
	reap(t, store, l, &noFiles{}, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, again := range l.tickets {
			l.states[again.ID] = queue.Waiting
		}
		return len(l.tickets) > 1
	})
	for _, again := range l.tickets {
		if len(l.tickets) != 2 || again.ID == waiting || again.Dispatch != 2 {
			t.Errorf("tickets are %+v", l.tickets)
		}
	}
}

func TestWhoWaitsTooLongInLineIsToldSo(t *testing.T) {
	store, _ := redistest.Store(t, redisstore.Options{})
	late := place(t, store, func(s *execution.Spec) { s.QueueTimeoutSeconds = 1 })
	patient := place(t, store, nil)
	running := place(t, store, func(s *execution.Spec) { s.QueueTimeoutSeconds = 1 })
	if _, err := store.Claim(t.Context(), running, "w", redisstore.NewToken()); err != nil {
		t.Fatal(err)
	}
	l := &line{states: map[execution.ID]queue.State{late: queue.Waiting, patient: queue.Waiting}}
	reap(t, store, l, &noFiles{}, func() bool { return status(t, store, late) != execution.Queued })
	r, _ := store.Get(t.Context(), late)
	check(t, r, execution.Timeout, execution.ReasonQueueWait, "queue_timeout_seconds")
	if a, b := status(t, store, patient), status(t, store, running); a != execution.Queued || b != execution.Running {
		t.Errorf("the others are %s and %s", a, b)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.dropped) != 1 || l.dropped[0].ID != late || l.dropped[0].Dispatch != 1 {
		t.Errorf("with no worker for its line its task would stay for ever; taken out are %+v", l.dropped)
	}
}

func TestWhatIsPastItsRetentionIsTakenOut(t *testing.T) {
	t.Parallel()
	store, srv := redistest.Store(t, redisstore.Options{Retention: time.Millisecond})
	id := place(t, store, nil)
	if _, err := store.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	files, l := &noFiles{}, &line{}
	reap(t, store, l, files, func() bool { return status(t, store, id) == "" })
	if len(files.deleted) == 0 || files.deleted[0] != id {
		t.Errorf("artifacts deleted of %v", files.deleted)
	}
	if len(l.dropped) != 1 || l.dropped[0].ID != id || l.dropped[0].Dispatch != 1 || l.dropped[0].Queue != "default" {
		t.Errorf("tasks dropped: %+v", l.dropped)
	}
	rdb, _ := redisstore.Dial(srv.URL)
	defer rdb.Close()
	if keys := rdb.Keys(t.Context(), "*").Val(); strings.Contains(strings.Join(keys, " "), string(id)) {
		t.Errorf("left behind: %v", keys)
	}
}

// A busy deployment ends more in a second than one page of 100 holds, and a
// bucket takes its time for each.
func TestRetentionGoesOnWhileThereIsMore(t *testing.T) {
	t.Parallel()
	store, _ := redistest.Store(t, redisstore.Options{Retention: time.Millisecond})
	const rounds, many = 10, 3*100 + 50 // retention is looked at in one of ten
	for range many {
		if _, err := store.Cancel(t.Context(), place(t, store, nil)); err != nil {
			t.Fatal(err)
		}
	}
	files := &pairedFiles{second: make(chan struct{})}
	reap(t, &fewRounds{Store: store, left: rounds}, &line{}, files, func() bool {
		left, err := store.Expired(t.Context(), many)
		return err == nil && len(left) == 0
	})
	if files.alone.Load() {
		t.Error("executions are taken out one by one")
	}
}

// fewRounds lets its reaper have some seconds and no more.
type fewRounds struct {
	*redisstore.Store
	left int // only Run's goroutine touches it
}

func (f *fewRounds) Tick(ctx context.Context) (redisstore.Tick, error) {
	if f.left == 0 {
		return redisstore.Tick{}, nil
	}
	tick, err := f.Store.Tick(ctx)
	if tick.Mine {
		f.left--
	}
	return tick, err
}

// pairedFiles is a store where the first to come waits for a second.
type pairedFiles struct {
	calls  atomic.Int32
	second chan struct{}
	alone  atomic.Bool
}

func (f *pairedFiles) Delete(context.Context, execution.ID) error {
	switch f.calls.Add(1) {
	case 1:
		select {
		case <-f.second:
		case <-time.After(10 * time.Second):
			f.alone.Store(true)
		}
	case 2:
		close(f.second)
	}
	return nil
}
