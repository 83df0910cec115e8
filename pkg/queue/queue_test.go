package queue_test

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/queue"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dial(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	rdb, err := redisstore.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// serve runs a server until the test's stop function is called.
func serve(t *testing.T, url string, o queue.ServerOptions) (stop func()) {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	if o.Slots == 0 {
		o.Slots = 2
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	rdb, err := redisstore.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- queue.NewServer(rdb, o).Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func ticket(n int) execution.Ticket {
	return execution.Ticket{ID: execution.ID("exec_" + strconv.Itoa(n) + "_abcdefghi"), Dispatch: 1, Queue: "default", Timeout: time.Minute}
}

func TestATicketReachesAHandlerOnce(t *testing.T) {
	srv := redistest.Start(t)
	q := queue.New(dial(t, srv.URL))
	got := make(chan execution.ID, 10)
	serve(t, srv.URL, queue.ServerOptions{Handle: func(_ context.Context, id execution.ID) { got <- id }})
	for range 3 { // the same ticket again is no second task
		if err := q.Enqueue(t.Context(), ticket(1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Enqueue(t.Context(), ticket(2)); err != nil {
		t.Fatal(err)
	}
	ids := []execution.ID{<-got, <-got}
	slices.Sort(ids)
	if !slices.Equal(ids, []execution.ID{ticket(1).ID, ticket(2).ID}) {
		t.Errorf("handled %v", ids)
	}
	select {
	case id := <-got:
		t.Errorf("handled %s again", id)
	default:
	}
}

func TestStatesAreThoseThatMatter(t *testing.T) {
	srv := redistest.Start(t)
	q := queue.New(dial(t, srv.URL))
	check := func(tk execution.Ticket, want queue.State) {
		t.Helper()
		if got, err := q.State(t.Context(), tk); err != nil || got != want {
			t.Errorf("state is %v, %v; want %v", got, err, want)
		}
	}
	check(ticket(1), queue.Missing)
	for i, delay := range []time.Duration{0, time.Hour} {
		tk := ticket(i)
		tk.Delay = delay
		if err := q.Enqueue(t.Context(), tk); err != nil {
			t.Fatal(err)
		}
		check(tk, map[bool]queue.State{false: queue.Waiting, true: queue.Scheduled}[delay > 0])
		for range 2 {
			if err := q.Delete(t.Context(), tk); err != nil {
				t.Error(err)
			}
		}
		check(tk, queue.Missing)
	}
	started, release := make(chan struct{}), make(chan struct{})
	serve(t, srv.URL, queue.ServerOptions{Handle: func(context.Context, execution.ID) { close(started); <-release }})
	if err := q.Enqueue(t.Context(), ticket(3)); err != nil {
		t.Fatal(err)
	}
	<-started
	check(ticket(3), queue.Active)
	if err := q.Delete(t.Context(), ticket(3)); err != nil {
		t.Errorf("delete of an active one: %v", err)
	}
	close(release)
}

// Whatever state a task is in, nothing of it may outlive its execution: not
// even one that a dead worker holds. What stays is Asynq's, once per queue.
func TestADroppedTicketLeavesNothingInAnyState(t *testing.T) {
	srv := redistest.Start(t)
	rdb := dial(t, srv.URL)
	q := queue.New(rdb)
	inspector := asynq.NewInspectorFromRedisClient(rdb)
	held, release := make(chan execution.ID, 2), make(chan struct{})
	serve(t, srv.URL, queue.ServerOptions{Slots: 1, Handle: func(_ context.Context, id execution.ID) {
		held <- id
		if id == ticket(1).ID {
			<-release
		}
	}})
	t.Cleanup(func() { close(release) }) // before the server is stopped
	// They become completed, active, waiting, delayed and archived.
	tickets := []execution.Ticket{ticket(0), ticket(1), ticket(2), ticket(3), ticket(4)}
	tickets[3].Delay = time.Hour
	for _, tk := range tickets {
		if err := q.Enqueue(t.Context(), tk); err != nil {
			t.Fatal(err)
		}
		if tk.ID == ticket(1).ID {
			<-held
			<-held
		}
	}
	if err := inspector.ArchiveTask("default", string(ticket(4).ID)+".1"); err != nil {
		t.Fatal(err)
	}
	if n := len(rdb.Keys(t.Context(), "asynq:{default}:t:*").Val()); n != len(tickets) {
		t.Fatalf("%d tasks, want %d", n, len(tickets))
	}
	for _, tk := range tickets {
		for range 2 { // a repeat is harmless
			if err := q.Drop(t.Context(), tk); err != nil {
				t.Errorf("%s: %v", tk.ID, err)
			}
		}
	}
	left := rdb.Keys(t.Context(), "asynq:{default}:*").Val()
	left = slices.DeleteFunc(left, func(key string) bool { return strings.HasPrefix(key, "asynq:{default}:processed") })
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAServerForgetsThoseThatWereKilled(t *testing.T) {
	srv := redistest.Start(t)
	rdb := dial(t, srv.URL)
	now := float64(time.Now().Unix())
	for _, list := range []string{"asynq:servers", "asynq:workers"} {
		rdb.ZAdd(t.Context(), list, redis.Z{Score: now - 600, Member: "dead"}, redis.Z{Score: now + 600, Member: "alive"})
	}
	serve(t, srv.URL, queue.ServerOptions{Handle: func(context.Context, execution.ID) {}})
	for _, list := range []string{"asynq:servers", "asynq:workers"} {
		var all []string
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
			if all = rdb.ZRange(t.Context(), list, 0, -1).Val(); !slices.Contains(all, "dead") {
				break
			}
		}
		if slices.Contains(all, "dead") || !slices.Contains(all, "alive") {
			t.Errorf("%s has %v", list, all)
		}
	}
}

func TestStoppingWaitsForHandlersAndGivesNothingBack(t *testing.T) {
	srv := redistest.Start(t)
	rdb := dial(t, srv.URL)
	q := queue.New(rdb)
	started, release := make(chan struct{}), make(chan struct{})
	var ended bool
	stop := serve(t, srv.URL, queue.ServerOptions{Slots: 1, Handle: func(ctx context.Context, _ execution.ID) {
		close(started)
		<-release
		ended = ctx.Err() == nil
	}})
	if err := q.Enqueue(t.Context(), ticket(1)); err != nil {
		t.Fatal(err)
	}
	<-started
	if err := q.Enqueue(t.Context(), ticket(2)); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	select {
	case <-stopped:
		t.Fatal("stopped with a handler running")
	case <-time.After(300 * time.Millisecond): // the negative needs a moment to show itself
	}
	close(release)
	<-stopped
	if !ended {
		t.Error("the handler's context ended by Asynq's doing")
	}
	if n := rdb.LLen(t.Context(), "asynq:{default}:pending").Val(); n != 1 {
		t.Errorf("%d tasks pending, want the one that was never taken", n)
	}
}

// The contract with Asynq 0.26 that the wake hook relies on: an idle worker asks
// Redis little, and a task is picked up by a wake and not by polling.
func TestAnIdleServerAsksLittleAndWakesAtOnce(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	rdb := dial(t, srv.URL)
	q := queue.New(rdb)
	got := make(chan struct{}, 1)
	serve(t, srv.URL, queue.ServerOptions{Handle: func(context.Context, execution.ID) { got <- struct{}{} }})
	warm := ticket(0)
	if err := q.Enqueue(t.Context(), warm); err != nil {
		t.Fatal(err)
	}
	<-got

	asked := watchTakes(t, rdb)
	const window = 3 * time.Second
	<-time.After(window)     // the measurement itself
	if n := asked(); n > 1 { // one for a wake that came after its task had been found
		t.Errorf("an idle worker asked for tasks %d times in %v: the hook no longer sees the dequeue, or the forwarding", n, window)
	}
	// Ten pick-ups by polling alone would take five seconds on average.
	var total time.Duration
	asked = watchTakes(t, rdb)
	for i := range 10 {
		start := time.Now()
		if err := q.Enqueue(t.Context(), ticket(i+1)); err != nil {
			t.Fatal(err)
		}
		<-got
		total += time.Since(start)
	}
	t.Logf("mean pick-up %v", total/10)
	// That nothing else waits came with the task, or it would be two for each.
	switch n := asked(); {
	case n < 10:
		t.Errorf("ten pick-ups by %d questions: this test no longer sees the dequeue", n)
	case n > 15:
		t.Errorf("ten pick-ups took %d questions", n)
	}
	if total > 4*time.Second {
		t.Errorf("ten pick-ups took %v: the wake does not reach the dequeue", total)
	}
}

// watchTakes counts from now on how often workers ask for tasks, be it those that
// wait or those whose delay is over. What else Asynq runs on its own clock (its
// heartbeat, its recoverer's first look) does not count, for on a busy machine it
// comes when it likes.
func watchTakes(t *testing.T, rdb redis.UniversalClient) (count func() int) {
	t.Helper()
	ctx := t.Context()
	for setting, value := range map[string]string{"slowlog-log-slower-than": "0", "slowlog-max-len": "10000"} {
		if err := rdb.ConfigSet(ctx, setting, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := rdb.Do(ctx, "slowlog", "reset").Err(); err != nil {
		t.Fatal(err)
	}
	return func() (n int) {
		t.Helper()
		commands, err := rdb.SlowLogGet(ctx, -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range commands {
			if len(c.Args) < 5 || c.Args[0] != "evalsha" {
				continue
			}
			first, second := c.Args[3], c.Args[4]
			takes := strings.HasSuffix(first, ":pending") && strings.HasSuffix(second, ":paused")
			forwards := (strings.HasSuffix(first, ":scheduled") || strings.HasSuffix(first, ":retry")) && strings.HasSuffix(second, ":pending")
			if takes || forwards {
				n++
			}
		}
		return n
	}
}

// The contract with Asynq 0.26 that the lease hook relies on.
func TestAsynqsLeasesAreRenewedGenerously(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	rdb := dial(t, srv.URL)
	q := queue.New(rdb)
	started, release := make(chan struct{}), make(chan struct{})
	serve(t, srv.URL, queue.ServerOptions{Handle: func(context.Context, execution.ID) { close(started); <-release }})
	defer close(release)
	if err := q.Enqueue(t.Context(), ticket(1)); err != nil {
		t.Fatal(err)
	}
	<-started
	deadline := time.After(15 * time.Second) // the heartbeat comes every 5 s
	for {
		score := rdb.ZScore(t.Context(), "asynq:{default}:lease", string(ticket(1).ID)+".1").Val()
		if time.Until(time.Unix(int64(score), 0)) > 10*time.Minute {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("the lease ends at %v: Asynq renews it with another command", time.Unix(int64(score), 0))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func TestTheDashboardsCancelButtonIsHeard(t *testing.T) {
	srv := redistest.Start(t)
	rdb := dial(t, srv.URL)
	q := queue.New(rdb)
	started, cancelled := make(chan struct{}), make(chan execution.ID, 1)
	serve(t, srv.URL, queue.ServerOptions{
		Handle: func(context.Context, execution.ID) { close(started); <-cancelled },
		Cancel: func(_ context.Context, id execution.ID) { cancelled <- id; cancelled <- id },
	})
	if err := q.Enqueue(t.Context(), ticket(1)); err != nil {
		t.Fatal(err)
	}
	<-started
	inspector := asynq.NewInspectorFromRedisClient(rdb)
	if err := inspector.CancelProcessing(string(ticket(1).ID) + ".1"); err != nil {
		t.Fatal(err)
	}
	select {
	case id := <-cancelled:
		if id != ticket(1).ID {
			t.Errorf("cancelled %s", id)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told")
	}
}

// The contract with Asynq 0.26 that holding back relies on: it dequeues one task
// at a time, through the client that it was given.
func TestAServerThatHoldsBackTakesNothing(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	q := queue.New(dial(t, srv.URL))
	var mu sync.Mutex
	held := make(chan struct{})
	hold := func() <-chan struct{} {
		mu.Lock()
		defer mu.Unlock()
		return held
	}
	got := make(chan execution.ID, 10)
	stop := serve(t, srv.URL, queue.ServerOptions{Hold: hold, Handle: func(_ context.Context, id execution.ID) { got <- id }})
	waits := func(tk execution.Ticket) {
		t.Helper()
		select {
		case id := <-got:
			t.Fatalf("took %s", id)
		case <-time.After(700 * time.Millisecond): // the negative needs a moment to show itself
		}
		if state, err := q.State(t.Context(), tk); err != nil || state != queue.Waiting {
			t.Errorf("state is %v, %v", state, err)
		}
	}
	if err := q.Enqueue(t.Context(), ticket(1)); err != nil {
		t.Fatal(err)
	}
	waits(ticket(1))
	mu.Lock()
	close(held)
	held = nil
	mu.Unlock()
	if id := <-got; id != ticket(1).ID {
		t.Errorf("took %s", id)
	}
	mu.Lock()
	held = make(chan struct{})
	mu.Unlock()
	<-time.After(1500 * time.Millisecond) // a dequeue that was on its way is over: see idlePoll
	if err := q.Enqueue(t.Context(), ticket(2)); err != nil {
		t.Fatal(err)
	}
	waits(ticket(2))
	stop() // a server that holds back can be stopped, and takes nothing while it does
	if state, err := q.State(t.Context(), ticket(2)); err != nil || state != queue.Waiting {
		t.Errorf("after the stop: %v, %v", state, err)
	}
}

func TestLiveWorkersAreListedWithTheirSlots(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL
	q := queue.New(dial(t, url))
	entered, leave := make(chan struct{}), make(chan struct{})
	handle := func(context.Context, execution.ID) { close(entered); <-leave }
	stop := serve(t, url, queue.ServerOptions{Slots: 7, Queues: []string{"low", "default"}, Handle: handle})
	until := func(what string, fine func([]queue.Worker) bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; {
			workers, err := q.Workers(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if fine(workers) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %+v", what, workers)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	until("it is there", func(w []queue.Worker) bool {
		return len(w) == 1 && w[0].Slots == 7 && slices.Equal(w[0].Queues, []string{"default", "low"}) && !w[0].Draining
	})
	tk := ticket(1)
	tk.Queue = "low"
	if err := q.Enqueue(t.Context(), tk); err != nil {
		t.Fatal(err)
	}
	<-entered
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	until("it drains", func(w []queue.Worker) bool { return len(w) == 1 && w[0].Draining })
	close(leave)
	<-stopped
	until("it has gone", func(w []queue.Worker) bool { return len(w) == 0 })
}
