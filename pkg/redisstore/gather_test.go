package redisstore_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

// stat is one figure of INFO.
func stat(t *testing.T, s *redistest.Server, section, name string) int {
	t.Helper()
	rdb, err := redisstore.Dial(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	for line := range strings.Lines(rdb.Info(t.Context(), section).Val()) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(v))
			return n
		}
	}
	t.Fatalf("INFO has no %s", name)
	return 0
}

func TestTwoHundredStartsWithOneKeyMakeOneExecution(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		news int
		ids  = map[execution.ID]bool{}
	)
	for range 200 {
		all.Go(func() {
			c, err := st.Create(t.Context(), spec(), "me", "the key")
			if err != nil {
				t.Errorf("create: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[c.Record.ID] = true
			if !c.Known {
				news++
			}
		})
	}
	all.Wait()
	if news != 1 || len(ids) != 1 {
		t.Errorf("%d new executions, %d ids", news, len(ids))
	}
}

func TestStartsAtTheSameTimeShareRoundTrips(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{})
	create(t, st, spec()) // Redis knows the script now
	before := stat(t, srv, "stats", "total_reads_processed")
	const n = 400
	var all sync.WaitGroup
	for range n {
		all.Go(func() { create(t, st, spec()) })
	}
	all.Wait()
	reads := stat(t, srv, "stats", "total_reads_processed") - before
	if reads > n/4 {
		t.Errorf("%d starts took %d reads of Redis: they do not go together", n, reads)
	}
	// Each has a place of its own, whatever order a list gives those of one millisecond.
	page, err := st.List(t.Context(), execution.ListQuery{Limit: n + 1})
	if err != nil {
		t.Fatal(err)
	}
	places := map[int]bool{}
	for _, r := range page.Records {
		place, err := st.Position(t.Context(), r)
		if err != nil || place > n {
			t.Fatalf("place %d of %d, %v", place, n, err)
		}
		places[place] = true
	}
	if len(places) != n+1 {
		t.Errorf("%d executions stand in %d places", n+1, len(places))
	}
}

func TestAScriptThatRedisDoesNotKnowIsSentToIt(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{})
	rdb, err := redisstore.Dial(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	for range 5 {
		if err := rdb.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := st.Create(t.Context(), spec(), "", ""); err != nil {
					t.Errorf("create: %v", err)
				}
			})
		}
		all.Wait()
	}
}

// lossy passes everything on to Redis, and when told to, lets it do what it is
// asked and cuts the connection instead of answering.
type lossy struct {
	net.Listener
	to string

	mu    sync.Mutex // guards the fields below
	lose  int        // answers to lose
	stall chan struct{}
}

func newLossy(t *testing.T, s *redistest.Server) *lossy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &lossy{Listener: l, to: s.Addr}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return p
}

func (p *lossy) serve(c net.Conn) {
	defer c.Close()
	up, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer up.Close()
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = io.Copy(up, c)
		_ = up.Close()
	}()
	defer func() { _ = c.Close(); <-over }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := up.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		lost, stall := p.lose > 0, p.stall
		if lost {
			p.lose--
		}
		p.stall = nil // one answer only
		p.mu.Unlock()
		if stall != nil {
			stall <- struct{}{} // it is held now
			<-stall
		}
		if lost {
			return
		}
		if _, err := c.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// gathering is a store with one execution, and its client, which gathers as that of the binaries does.
func gathering(t *testing.T, url string) (redis.UniversalClient, *redisstore.Store) {
	t.Helper()
	rdb, err := redisstore.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	redisstore.Gather(rdb)
	st := redisstore.New(rdb, redisstore.Options{})
	create(t, st, spec())
	return rdb, st
}

func TestALostReplyToManyStartsDoublesNone(t *testing.T) {
	srv := redistest.Start(t)
	p := newLossy(t, srv)
	rdb, st := gathering(t, "redis://"+p.Addr().String()+"/0")
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		made = 1
	)
	for round := range 20 {
		p.mu.Lock()
		p.lose = 1 + round%2
		p.mu.Unlock()
		for range 10 {
			all.Go(func() {
				_, err := st.Create(t.Context(), spec(), "", "")
				if err != nil && execution.CodeOf(err) != execution.Unavailable {
					t.Errorf("create: %v", err)
				}
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					made++
				}
			})
		}
		all.Wait()
	}
	counts, err := rdb.ZCard(t.Context(), "lh:{p0}:status:queued").Result()
	if err != nil {
		t.Fatal(err)
	}
	// One that was answered with an error may be there or not; one that was
	// accepted is there once.
	if int(counts) < made || counts > 201 {
		t.Errorf("%d accepted, %d stored", made, counts)
	}
	if made < 100 {
		t.Errorf("only %d of 200 survived the loss of one reply or two", made)
	}
}

func TestWhoGivesUpWaitingGoesOnAtOnce(t *testing.T) {
	srv := redistest.Start(t)
	_, st := gathering(t, srv.URL)
	srv.Pause()
	defer srv.Resume()
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			start := time.Now()
			if _, err := st.Create(ctx, spec(), "", ""); err == nil || errors.Is(err, execution.ErrFenced) {
				t.Errorf("create: %v", err)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	all.Wait()
}

// One connection that hangs must not hold up those who came right after it.
func TestAScriptThatHangsHoldsUpNobodyElse(t *testing.T) {
	srv := redistest.Start(t)
	p := newLossy(t, srv)
	_, st := gathering(t, "redis://"+p.Addr().String()+"/0")
	stall := make(chan struct{})
	p.mu.Lock()
	p.stall = stall
	p.mu.Unlock()
	hung := make(chan struct{})
	go func() {
		defer close(hung)
		_, _ = st.Create(t.Context(), spec(), "", "")
	}()
	<-stall
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { create(t, st, spec()) })
	}
	all.Wait()
	select {
	case <-hung:
		t.Error("the others waited until it gave up")
	default:
	}
	stall <- struct{}{}
	<-hung
}

// far is a Redis that is 5 ms away.
type far struct{}

func (far) DialHook(next redis.DialHook) redis.DialHook { return next }

func (far) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		<-time.After(5 * time.Millisecond)
		return next(ctx, cmd)
	}
}

func (far) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		<-time.After(5 * time.Millisecond)
		return next(ctx, cmds)
	}
}

// Batches of log are sent from buffers that are used again.
func TestWhoGivesUpMayUseHisBytesForSomethingElse(t *testing.T) {
	srv := redistest.Start(t)
	rdb, err := redisstore.Dial(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	redisstore.Gather(rdb)
	rdb.AddHook(far{})
	push := redis.NewScript("return redis.call('RPUSH', KEYS[1], ARGV[1])")
	if err := push.Run(t.Context(), rdb, []string{"list"}, "mine").Err(); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		var all sync.WaitGroup
		all.Go(func() { _ = push.Run(t.Context(), rdb, []string{"others"}, "x").Err() })
		for i := range 5 { // most of them give up while the pipeline is on its way
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(5+i)*time.Millisecond)
				defer cancel()
				mine := []byte("mine")
				_ = push.Run(ctx, rdb, []string{"list"}, mine).Err()
				copy(mine, "lost")
			})
		}
		all.Wait()
	}
	sent, err := rdb.LRange(t.Context(), "list", 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(sent, func(s string) bool { return s != "mine" }); i >= 0 {
		t.Errorf("what was given as %q went out as %q", "mine", sent[i])
	}
}
