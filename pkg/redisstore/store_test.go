package redisstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func spec() *execution.Spec {
	s := &execution.Spec{Command: "python", Args: []string{"main.py"}}
	s.Normalize(execution.DefaultLimits())
	return s
}

func create(t *testing.T, st *redisstore.Store, s *execution.Spec) execution.ID {
	t.Helper()
	c, err := st.Create(t.Context(), s, "", "")
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return c.Record.ID
}

func claim(t *testing.T, st *redisstore.Store, id execution.ID) execution.Lease {
	t.Helper()
	c, err := st.Claim(t.Context(), id, "worker-1", redisstore.NewToken())
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	return c.Lease
}

func get(t *testing.T, st *redisstore.Store, id execution.ID) *execution.Record {
	t.Helper()
	r, err := st.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return r
}

func read(t *testing.T, st *redisstore.Store, id execution.ID, after execution.Cursor) []execution.Event {
	t.Helper()
	events, err := st.Read(t.Context(), id, after, 1<<20)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return events
}

func types(events []execution.Event) []string {
	var got []string
	for _, e := range events {
		name := string(e.Type)
		if e.Type == execution.EventStatus || e.Type == execution.EventEnd {
			var d struct {
				Status string `json:"status"`
			}
			_ = json.Unmarshal(e.Data, &d)
			name += ":" + d.Status
		}
		got = append(got, fmt.Sprintf("%d %s", e.Seq, name))
	}
	return got
}

func batch(no uint64, text ...string) execution.Batch {
	b := execution.Batch{No: no}
	for _, s := range text {
		e := execution.Event{Type: execution.EventLog, Stream: execution.Stdout, Time: time.Now(), Attempt: 1, Bytes: []byte(s)}
		b.Data = execution.AppendEvent(b.Data, &e)
		b.N++
		b.LogBytes += int64(len(s))
	}
	return b
}

func completed() redisstore.Settlement {
	code := 0
	return redisstore.Settlement{Outcome: execution.Outcome{Status: execution.Completed, Reason: execution.ReasonExited, ExitCode: &code, Attempt: 1}}
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestAnExecutionGoesThroughItsLifeWithNumberedEvents(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	id := create(t, st, spec())
	l := claim(t, st, id)
	if err := st.Append(t.Context(), l, batch(1, "one\n", "two\n")); err != nil {
		t.Fatal(err)
	}
	end := completed()
	end.Result = json.RawMessage(`{"answer":42}`)
	if _, err := st.Settle(t.Context(), l, end); err != nil {
		t.Fatal(err)
	}
	want := []string{"1 status:queued", "2 status:running", "3 log", "4 log", "5 end:completed"}
	if got := types(read(t, st, id, 0)); !slices.Equal(got, want) {
		t.Errorf("events are %q, want %q", got, want)
	}
	r := get(t, st, id)
	expect(t, "status", r.Status, execution.Completed)
	expect(t, "attempt", r.Attempt, 1)
	expect(t, "last", r.Last, execution.Cursor(5))
	expect(t, "log bytes", r.LogBytes, int64(8))
	expect(t, "result", string(r.Result), `{"answer":42}`)
	if r.EndedAt.IsZero() || r.Outcome == nil || *r.Outcome.ExitCode != 0 {
		t.Errorf("record lacks its end: %+v", r)
	}
}

func TestTheLifeOfAnExecutionOnRedisInAContainer(t *testing.T) {
	st := redistest.Open(t, redistest.Container(t, "--appendonly", "yes"), redisstore.Options{Partitions: 3})
	id := create(t, st, spec())
	l := claim(t, st, id)
	if err := st.Append(t.Context(), l, batch(1, "one\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Settle(t.Context(), l, completed()); err != nil {
		t.Fatal(err)
	}
	want := []string{"1 status:queued", "2 status:running", "3 log", "4 end:completed"}
	if got := types(read(t, st, id, 0)); !slices.Equal(got, want) {
		t.Errorf("events are %q, want %q", got, want)
	}
}

func TestReadingFromAnyCursorGivesExactlyTheRest(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	id := create(t, st, spec())
	l := claim(t, st, id)
	for no := range uint64(40) {
		text := make([]string, 1+no%7)
		for i := range text {
			text[i] = strings.Repeat("x", int(no)*10)
		}
		if err := st.Append(t.Context(), l, batch(no+1, text...)); err != nil {
			t.Fatal(err)
		}
	}
	last := get(t, st, id).Last
	for after := execution.Cursor(0); after <= last; after++ {
		next := after
		for _, e := range read(t, st, id, after) {
			if next++; e.Seq != next {
				t.Fatalf("after %d: event %d follows %d", after, e.Seq, next-1)
			}
		}
		if next != last {
			t.Fatalf("after %d: stopped at %d of %d", after, next, last)
		}
	}
}

func TestARepeatedWriteChangesNothing(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	id := create(t, st, spec())
	token := redisstore.NewToken()
	for range 2 {
		c, err := st.Claim(t.Context(), id, "w", token)
		if err != nil || c.Lease.Attempt != 1 || c.Spec.Command != "python" {
			t.Fatalf("claim again: %+v, %v", c, err)
		}
	}
	l := execution.Lease{ID: id, Attempt: 1, Token: token}
	for range 3 {
		if err := st.Append(t.Context(), l, batch(1, "a", "b")); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := st.Settle(t.Context(), l, completed()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"1 status:queued", "2 status:running", "3 log", "4 log", "5 end:completed"}
	if got := types(read(t, st, id, 0)); !slices.Equal(got, want) {
		t.Errorf("events are %q, want %q", got, want)
	}
}

func TestAStaleAttemptIsFenced(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	id := create(t, st, spec())
	old := claim(t, st, id)
	if _, err := st.Settle(t.Context(), old, redisstore.Settlement{Requeue: true, Outcome: execution.Outcome{Reason: execution.ReasonInterrupted}}); err != nil {
		t.Fatal(err)
	}
	fresh := claim(t, st, id)
	expect(t, "attempt", fresh.Attempt, 2)
	if past := get(t, st, id).Past; len(past) != 1 || past[0].Outcome.Reason != execution.ReasonInterrupted || past[0].EndedAt.Before(past[0].StartedAt) {
		t.Errorf("past attempts are %+v", past)
	}
	if err := st.Append(t.Context(), old, batch(2, "zombie")); !errors.Is(err, execution.ErrFenced) {
		t.Errorf("append of the old attempt: %v", err)
	}
	if _, err := st.Settle(t.Context(), old, completed()); err != nil {
		t.Errorf("the old attempt's own settle, repeated, must stay harmless: %v", err)
	}
	expect(t, "status", get(t, st, id).Status, execution.Running)
	other := old
	other.Token = "guessed"
	if _, err := st.Settle(t.Context(), other, completed()); !errors.Is(err, execution.ErrFenced) {
		t.Errorf("settle with a foreign token: %v", err)
	}
	ren, err := st.Renew(t.Context(), []execution.Lease{old, fresh})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "renewal of the old lease", ren[0], redisstore.Renewal{Fenced: true})
	expect(t, "renewal of the fresh lease", ren[1], redisstore.Renewal{})
	if err := st.Append(t.Context(), fresh, batch(1, "second attempt")); err != nil {
		t.Errorf("append of the new attempt: %v", err)
	}
}

func TestDroppedEventsTakeTheirNumbersAndReadAsOneGap(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	id := create(t, st, spec())
	l := claim(t, st, id)
	dropped := execution.Batch{No: 2, N: 10, LogBytes: 500, Gap: &execution.GapNote{Reason: "no room", Bytes: 500}}
	for _, b := range []execution.Batch{batch(1, "a"), dropped, batch(3, "b")} {
		if err := st.Append(t.Context(), l, b); err != nil {
			t.Fatal(err)
		}
	}
	for after, want := range map[execution.Cursor]string{2: `{"from":4,"to":13,"reason":"no room","bytes":500}`, 7: `{"from":8,"to":13,"reason":"no room","bytes":500}`} {
		events := read(t, st, id, after)
		i := slices.IndexFunc(events, func(e execution.Event) bool { return e.Type == execution.EventGap })
		if i < 0 || events[i].Seq != 13 || string(events[i].Data) != want || events[i+1].Seq != 14 || string(events[i+1].Bytes) != "b" {
			t.Errorf("after %d: %+v", after, events)
		}
	}
}

func TestNobodyGetsTheClaimBeforeTheDelayIsOver(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	s := spec()
	s.DelaySeconds = 3
	id := create(t, st, s)
	_, err := st.Claim(t.Context(), id, "worker-1", redisstore.NewToken())
	if execution.CodeOf(err) != execution.Conflict {
		t.Fatalf("claim at once: %v", err)
	}
	begun := time.Now()
	for execution.CodeOf(err) == execution.Conflict && time.Since(begun) < 10*time.Second {
		<-time.After(50 * time.Millisecond)
		_, err = st.Claim(t.Context(), id, "worker-1", redisstore.NewToken())
	}
	if waited := time.Since(begun); err != nil || waited < 1500*time.Millisecond {
		t.Errorf("claimed after %v: %v", waited, err)
	}
}

func TestOnlyOneOfManyWorkersGetsTheClaim(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	id := create(t, st, spec())
	var won, refused int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := st.Claim(t.Context(), id, fmt.Sprint("w", i), redisstore.NewToken())
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if execution.CodeOf(err) == execution.Conflict {
				refused++
			} else {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	expect(t, "won", won, 1)
	expect(t, "refused", refused, 19)
}

func TestAnIdempotencyKeyStandsForOneExecution(t *testing.T) {
	for _, partitions := range []int{1, 7} {
		st, _ := redistest.Store(t, redisstore.Options{Partitions: partitions})
		var mu sync.Mutex
		ids := map[execution.ID]int{}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				c, err := st.Create(t.Context(), spec(), "alice", "key-1")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				ids[c.Record.ID]++
				mu.Unlock()
			})
		}
		wg.Wait()
		expect(t, "executions made", len(ids), 1)
		traced := spec() // a repeated request has a span of its own
		traced.Traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		if c, err := st.Create(t.Context(), traced, "alice", "key-1"); err != nil || !c.Known || c.Record.Spec.Traceparent != "" {
			t.Errorf("the same body in another trace: %+v, %v", c, err)
		}
		if c, err := st.Create(t.Context(), traced, "alice", "key-2"); err != nil || c.Known {
			t.Errorf("%+v, %v", c, err)
		}
		if c, err := st.Create(t.Context(), spec(), "alice", "key-2"); err != nil || !c.Known || c.Record.Spec.Traceparent != traced.Traceparent {
			t.Errorf("the same body without a trace: %+v, %v", c, err)
		}
		other := spec()
		other.Args = []string{"other.py"}
		if _, err := st.Create(t.Context(), other, "alice", "key-1"); execution.CodeOf(err) != execution.IdempotencyUsed {
			t.Errorf("another body with the key: %v", err)
		}
		if c, err := st.Create(t.Context(), other, "bob", "key-1"); err != nil || c.Known {
			t.Errorf("another caller's same key: %+v, %v", c, err)
		}
	}
}

func TestAnIdempotencyKeyDoesNotOutliveItsExecution(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{Retention: time.Millisecond})
	first, err := st.Create(t.Context(), spec(), "alice", "key-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Cancel(t.Context(), first.Record.ID); err != nil {
		t.Fatal(err)
	}
	for get := true; get; {
		if err := st.Purge(t.Context(), first.Record.ID); err != nil {
			t.Fatal(err)
		}
		_, err := st.Get(t.Context(), first.Record.ID)
		get = err == nil
	}
	again, err := st.Create(t.Context(), spec(), "alice", "key-1")
	if err != nil || again.Known || again.Record.ID == first.Record.ID {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestPositionsCountThoseBefore(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	var ids []execution.ID
	for range 50 { // several of them within a millisecond
		ids = append(ids, create(t, st, spec()))
	}
	later := spec()
	later.DelaySeconds = 3600
	ids = append(ids, create(t, st, later))
	for i, id := range ids {
		n, err := st.Position(t.Context(), get(t, st, id))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "position", n, i)
	}
	claim(t, st, ids[0])
	n, _ := st.Position(t.Context(), get(t, st, ids[3]))
	expect(t, "position after a claim", n, 2)
	n, _ = st.Position(t.Context(), get(t, st, ids[0]))
	expect(t, "position of a running one", n, -1)
}

func TestAFullQueueTakesNoMore(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{MaxQueue: 2})
	create(t, st, spec())
	id := create(t, st, spec())
	if _, err := st.Create(t.Context(), spec(), "", ""); execution.CodeOf(err) != execution.QueueFull || !strings.Contains(err.Error(), "MAX_QUEUE_SIZE") {
		t.Errorf("third: %v", err)
	}
	claim(t, st, id)
	create(t, st, spec())
}

func TestCancelEndsAQueuedOneAndAsksARunningOne(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	queued := create(t, st, spec())
	c, err := st.Cancel(t.Context(), queued)
	if err != nil || !c.Settled {
		t.Fatalf("queued: %+v, %v", c, err)
	}
	expect(t, "status", get(t, st, queued).Status, execution.Cancelled)
	if _, err := st.Claim(t.Context(), queued, "w", "t"); execution.CodeOf(err) != execution.Conflict {
		t.Errorf("claim of a cancelled one: %v", err)
	}
	running := create(t, st, spec())
	l := claim(t, st, running)
	if c, err = st.Cancel(t.Context(), running); err != nil || c.Settled || c.Ended {
		t.Fatalf("running: %+v, %v", c, err)
	}
	first := get(t, st, running).CancelRequestedAt
	if _, err := st.Cancel(t.Context(), running); err != nil {
		t.Fatal(err)
	}
	expect(t, "instant of the request", get(t, st, running).CancelRequestedAt, first)
	ren, err := st.Renew(t.Context(), []execution.Lease{l})
	if err != nil || !ren[0].Cancel {
		t.Errorf("renewal does not tell of the cancel: %+v, %v", ren, err)
	}
	if _, err := st.Settle(t.Context(), l, completed()); err != nil {
		t.Fatal(err)
	}
	if c, err = st.Cancel(t.Context(), running); err != nil || !c.Ended || c.Status != execution.Completed {
		t.Errorf("ended: %+v, %v", c, err)
	}
	if _, err := st.Cancel(t.Context(), "exec_1_aaaaaaaaa"); execution.CodeOf(err) != execution.NotFound {
		t.Errorf("unknown: %v", err)
	}
}

func TestWhatWasCancelledDoesNotGoBackInLine(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	id := create(t, st, spec())
	l := claim(t, st, id)
	if _, err := st.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	s := redisstore.Settlement{Requeue: true, Outcome: execution.Outcome{Status: execution.Errored, Reason: execution.ReasonInterrupted, Message: "deploy", Attempt: 1}}
	for range 2 { // the second is a repeat after a lost reply
		if dispatch, err := st.Settle(t.Context(), l, s); err != nil || dispatch != 0 {
			t.Fatalf("task %d is to be enqueued, %v", dispatch, err)
		}
	}
	r := get(t, st, id)
	if r.Status != execution.Cancelled || r.Outcome.Status != execution.Cancelled || r.Outcome.Message != "cancelled on request; deploy" {
		t.Errorf("%s, %+v", r.Status, r.Outcome)
	}
}

func TestALeaseIsLostByTicksAndNotByTime(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{LeaseTicks: 2})
	id := create(t, st, spec())
	l := claim(t, st, id)
	if lost, err := st.Lost(t.Context(), 10); err != nil || len(lost) != 0 {
		t.Fatalf("lost at once: %v, %v", lost, err)
	}
	for ticks := 0; ticks < 2; {
		tick, err := st.Tick(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if tick.Mine {
			ticks++
		}
	}
	lost, err := st.Lost(t.Context(), 10)
	if err != nil || len(lost) != 1 || lost[0] != l {
		t.Fatalf("after two ticks: %v, %v", lost, err)
	}
	if _, err := st.Renew(t.Context(), []execution.Lease{l}); err != nil {
		t.Fatal(err)
	}
	settle := redisstore.Settlement{Outcome: execution.Outcome{Status: execution.Errored, Reason: execution.ReasonWorkerLost}, IfLost: true}
	if _, err := st.Settle(t.Context(), lost[0], settle); !errors.Is(err, redisstore.ErrAlive) {
		t.Errorf("a renewed lease was taken: %v", err)
	}
}

func TestListsAreFilteredAndPaged(t *testing.T) {
	for _, partitions := range []int{1, 3} {
		st, _ := redistest.Store(t, redisstore.Options{Partitions: partitions})
		for i := range 25 {
			s := spec()
			s.Labels = map[string]string{"team": []string{"red", "blue"}[i%2]}
			id := create(t, st, s)
			if i%5 == 0 {
				claim(t, st, id)
			}
		}
		count := func(q execution.ListQuery) (n int) {
			q.Limit = 4
			var before *execution.Record
			for {
				page, err := st.List(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range page.Records {
					if before != nil && (r.CreatedAt.After(before.CreatedAt) || r.ID == before.ID) {
						t.Fatalf("%s does not come after %s", r.ID, before.ID)
					}
					before = r
				}
				n += len(page.Records)
				if page.Next == "" {
					return n
				}
				q.Cursor = page.Next
			}
		}
		expect(t, "all", count(execution.ListQuery{}), 25)
		expect(t, "running", count(execution.ListQuery{Status: []execution.Status{execution.Running}}), 5)
		expect(t, "red", count(execution.ListQuery{Labels: map[string]string{"team": "red"}}), 13)
		expect(t, "red and running", count(execution.ListQuery{Labels: map[string]string{"team": "red"}, Status: []execution.Status{execution.Running}}), 3)
		expect(t, "by name", count(execution.ListQuery{Engine: "python"}), 25)
		expect(t, "by another name", count(execution.ListQuery{Engine: "node"}), 0)
		if _, err := st.List(t.Context(), execution.ListQuery{Cursor: "x"}); execution.CodeOf(err) != execution.Invalid {
			t.Errorf("bad cursor: %v", err)
		}
	}
}

func TestAListGoesOnPastManyOfOneMillisecond(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{FoldAfter: time.Nanosecond})
	rdb := client(t, srv)
	const n = 200
	for i := range n {
		id := create(t, st, spec())
		if i%2 == 0 {
			if _, err := st.Cancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range []string{"lh:{p0}:status:queued", "lh:{p0}:status:cancelled"} {
			if err := rdb.ZAddXX(t.Context(), key, redis.Z{Score: 1e12, Member: string(id)}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := rdb.HSet(t.Context(), keyOf(rdb, id), "created", "1000000000000").Err(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		seen := map[execution.ID]bool{}
		for q := (execution.ListQuery{Limit: 7}); ; {
			page, err := st.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Records {
				if seen[r.ID] {
					t.Errorf("%s is listed twice", r.ID)
				}
				seen[r.ID] = true
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if len(seen) != n {
			t.Errorf("%d of %d are listed", len(seen), n)
		}
		foldNow(t, st) // a half of them
	}
}

func TestRetentionLeavesNoKeyBehind(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{Retention: time.Millisecond})
	for i := range 20 {
		s := spec()
		s.Labels = map[string]string{"n": fmt.Sprint(i)}
		s.WebhookURL = "https://example.com/hook"
		id := create(t, st, s)
		l := claim(t, st, id)
		_ = st.Append(t.Context(), l, batch(1, "x"))
		if _, err := st.Settle(t.Context(), l, completed()); err != nil {
			t.Fatal(err)
		}
	}
	for purged := 0; purged < 20; {
		ids, err := st.Expired(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if err := st.Purge(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			purged++
		}
	}
	rdb, _ := redisstore.Dial(srv.URL)
	defer rdb.Close()
	keys, err := rdb.Keys(t.Context(), "*").Result()
	if err != nil || !slices.Equal(keys, []string{"lh:meta"}) {
		t.Errorf("left behind: %v, %v", keys, err)
	}
}

func TestBellsRingForEveryChangeAndForCancels(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	wanted := make(chan string, 1)
	bells := st.NewBells(ctx, func(id execution.ID, kill bool) { wanted <- fmt.Sprint(id, kill) })
	done := make(chan error, 1)
	go func() { done <- bells.Run(ctx) }()
	defer func() { cancel(); <-done }()

	id := create(t, st, spec())
	ring, stop := bells.Listen(id)
	defer stop()
	<-ring // confirmed
	l := claim(t, st, id)
	<-ring
	if _, err := st.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	expect(t, "cancel of", <-wanted, fmt.Sprint(id, false))
	if _, err := st.Kill(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	expect(t, "cancel of", <-wanted, fmt.Sprint(id, false))
	expect(t, "kill of", <-wanted, fmt.Sprint(id, true))
	if answers, err := st.Renew(t.Context(), []execution.Lease{l}); err != nil || !answers[0].Kill {
		t.Errorf("the renewal says %+v, %v", answers, err)
	}

	// Every pub/sub connection dies: the listener is rung again once it is back.
	rdb, _ := redisstore.Dial(srv.URL)
	defer rdb.Close()
	if err := rdb.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	<-ring
	if _, err := st.Settle(t.Context(), l, completed()); err != nil {
		t.Fatal(err)
	}
	<-ring
}

func TestBellsBringSmallBatchesAndNothingElse(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	bells := st.NewBells(ctx, nil)
	done := make(chan error, 1)
	go func() { done <- bells.Run(ctx) }()
	defer func() { cancel(); <-done }()

	id := create(t, st, spec())
	ring, brought, stop := bells.Follow(id)
	defer stop()
	<-ring // confirmed
	if got := brought(); got != nil {
		t.Errorf("a confirmation brings %v", got)
	}
	l := claim(t, st, id)
	<-ring
	if got := brought(); got != nil {
		t.Errorf("a status brings %v", got)
	}
	said := func(no uint64, texts ...string) []execution.Event {
		t.Helper()
		if err := st.Append(t.Context(), l, batch(no, texts...)); err != nil {
			t.Fatal(err)
		}
		<-ring
		return brought()
	}
	got := said(1, "one \x00 ", "two\n")
	want, err := st.Read(t.Context(), id, got[0].Seq-1, 1<<20)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("brought %+v, stored %+v, %v", got, want, err)
	}
	if got := said(2, strings.Repeat("x", 2000)); got != nil {
		t.Errorf("a large batch comes with its bell: %d", len(got))
	}
	if got := said(3, "three"); len(got) != 1 {
		t.Errorf("after a large one: %v", got)
	}
	// Who does not look for long has to read. One connection brings all in order, so
	// a bell for another execution says that these were heard.
	other := create(t, st, spec())
	heard, stopOther := bells.Listen(other)
	defer stopOther()
	<-heard
	for no := range uint64(100) {
		if err := st.Append(t.Context(), l, batch(4+no, "more")); err != nil {
			t.Fatal(err)
		}
	}
	claim(t, st, other)
	<-heard
	if got := brought(); got != nil {
		t.Errorf("%d events waited", len(got))
	}
	if got := said(104, "and one"); len(got) != 1 {
		<-ring // the token of the hundred
		if got = brought(); len(got) != 1 {
			t.Errorf("after a look: %v", got)
		}
	}
}

func TestRedisAwayAndFullAreToldApart(t *testing.T) {
	srv := redistest.Start(t, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
	st := redistest.Open(t, srv, redisstore.Options{})
	big := spec()
	big.Args = []string{strings.Repeat("x", 60<<10)}
	var err error
	for range 100 {
		if _, err = st.Create(t.Context(), big, "", ""); err != nil {
			break
		}
	}
	expect(t, "code when full", execution.CodeOf(err), execution.StorageFull)
	srv.Kill()
	_, err = st.Create(t.Context(), spec(), "", "")
	expect(t, "code when away", execution.CodeOf(err), execution.Unavailable)
}

func TestAdviceNamesWhatPutsExecutionsAtRisk(t *testing.T) {
	risky := redistest.Open(t, redistest.Start(t, "--maxmemory-policy", "allkeys-lru"), redisstore.Options{})
	advice, err := risky.Advise(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var settings []string
	for _, a := range advice {
		settings = append(settings, a.Setting)
	}
	if !slices.Equal(settings, []string{"maxmemory-policy", "appendonly"}) {
		t.Errorf("advice is %v", advice)
	}
	safe := redistest.Open(t, redistest.Start(t, "--appendonly", "yes"), redisstore.Options{})
	if advice, err := safe.Advise(t.Context()); err != nil || len(advice) != 0 {
		t.Errorf("advice for a safe server: %v, %v", advice, err)
	}
}

func TestTheNumberOfPartitionsIsFixedAtTheFirstStart(t *testing.T) {
	srv := redistest.Start(t)
	redistest.Open(t, srv, redisstore.Options{Partitions: 4})
	later := redistest.Open(t, srv, redisstore.Options{}) // 1 means: what Redis says
	id := create(t, later, spec())
	expect(t, "status", get(t, later, id).Status, execution.Queued)
	rdb, _ := redisstore.Dial(srv.URL)
	defer rdb.Close()
	if err := redisstore.New(rdb, redisstore.Options{Partitions: 8}).Ready(t.Context()); execution.CodeOf(err) != execution.Conflict {
		t.Errorf("another number: %v", err)
	}
}

func TestURLsOfEveryKindAreReadAndNeverRepeated(t *testing.T) {
	for _, url := range []string{
		"redis://u:secret@h:1/2", "rediss://h:1", "redis+sentinel://u:p@a:1,b:2/mymaster/0", "redis+cluster://u:p@a:1,b:2",
	} {
		rdb, err := redisstore.Dial(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		_ = rdb.Close()
	}
	for _, url := range []string{"", "h:1", "http://secret@h", "redis://u:secret@h:port/x", "redis+sentinel://u:secret@%zz"} {
		if _, err := redisstore.Dial(url); err == nil {
			t.Errorf("%s was taken", url)
		} else if strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "REDIS_URL") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestBeyondTheBudgetHeadAndTailStayAndAGapTellsOfTheRest(t *testing.T) {
	const budget = 40 << 10
	st, srv := redistest.Store(t, redisstore.Options{LogBytes: budget})
	id := create(t, st, spec())
	l := claim(t, st, id)
	rng := rand.New(rand.NewPCG(1, 2))
	line := func() string { // does not compress
		b := make([]byte, 1000)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return string(b)
	}
	for no := range uint64(200) {
		if err := st.Append(t.Context(), l, batch(no+1, line())); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := st.Settle(t.Context(), l, completed()); err != nil {
		t.Fatal(err)
	}
	next, gaps, logs := execution.Cursor(0), 0, 0
	for _, e := range read(t, st, id, 0) {
		if e.Type == execution.EventGap {
			var g execution.GapData
			if err := json.Unmarshal(e.Data, &g); err != nil || g.From != next+1 || g.To != e.Seq {
				t.Errorf("gap %s after %d, %v", e.Data, next, err)
			}
			gaps++
		} else if e.Seq != next+1 {
			t.Errorf("event %d follows %d without a gap", e.Seq, next)
		} else if e.Type == execution.EventLog {
			logs++
		}
		next = e.Seq
	}
	expect(t, "gaps", gaps, 1)
	expect(t, "last", next, get(t, st, id).Last)
	if logs < 36 || logs > 40 {
		t.Errorf("%d chunks of 1000 bytes are kept of a budget of %d", logs, budget)
	}
	rdb, _ := redisstore.Dial(srv.URL)
	defer rdb.Close()
	if n := rdb.MemoryUsage(t.Context(), "lh:{p0}:ev:"+string(id)).Val(); n > 3*budget {
		t.Errorf("the stream takes %d bytes of Redis", n)
	}
}

func TestWhatIsLentIsTheSameAsWhatIsReadWhileItsRoomIsUsedAgain(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	id := create(t, st, spec())
	l := claim(t, st, id)
	var want []string
	rnd := rand.New(rand.NewPCG(1, 2))
	for no := range 60 {
		text := strings.Repeat(fmt.Sprintf("batch %d with a number %d; ", no, rnd.Uint64()), 1+rnd.IntN(3000)) // packed, and not
		if err := st.Append(t.Context(), l, batch(uint64(no+1), text)); err != nil {
			t.Fatal(err)
		}
		want = append(want, text)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got := 0
			for after := execution.Cursor(2); got < len(want); {
				events, done, err := st.Lend(t.Context(), id, after, 256<<10)
				if err != nil || len(events) == 0 {
					t.Errorf("after %d: %d events, %v", after, len(events), err)
					done()
					return
				}
				for i := range events {
					if string(events[i].Bytes) != want[got] {
						t.Errorf("chunk %d differs", got)
					}
					got++
				}
				after = events[len(events)-1].Seq
				done()
			}
		})
	}
	all.Wait()
}

// A node of a cluster does not know the scripts of the others.
func TestAClusterThatKnowsNoScriptIsListedAndFolded(t *testing.T) {
	nodes, url := redistest.Cluster(t, 3)
	rdb, err := redisstore.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	redisstore.Gather(rdb)
	st := redisstore.New(rdb, redisstore.Options{Partitions: 6, FoldAfter: time.Nanosecond})
	forget := func() {
		for _, n := range nodes {
			if err := client(t, n).ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	const n = 24
	var ids []execution.ID
	for range n {
		ids = append(ids, create(t, st, spec()))
	}
	for _, id := range ids {
		if _, err := st.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	for _, do := range []func() error{
		func() error { return nil },
		func() error { _, err := st.Fold(t.Context()); return err },
	} {
		forget()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		forget()
		page, err := st.List(t.Context(), execution.ListQuery{Limit: 100})
		if err != nil || len(page.Records) != n {
			t.Fatalf("a list of %d: %v", len(page.Records), err)
		}
	}
	folded := 0
	for _, node := range nodes {
		c := client(t, node)
		for _, key := range c.Keys(t.Context(), "lh:{p*}:x:*").Val() {
			if isFoldedIn(t, c, key) {
				folded++
			}
		}
	}
	if folded != n {
		t.Errorf("%d of %d are folded", folded, n)
	}
}
