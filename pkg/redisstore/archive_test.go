package redisstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

// shelf is an Archive that can fail.
type shelf struct {
	mu   sync.Mutex
	down bool
	hang bool // Put does not come back before its context ends
	held map[string][]byte
	gets atomic.Int64
}

func newShelf() *shelf { return &shelf{held: map[string][]byte{}} }

var errAway = errors.New("the shelf is away")

func (a *shelf) Put(ctx context.Context, id execution.ID, name string, data []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hang {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if a.down {
		return errAway
	}
	a.held[string(id)+"/"+name] = data
	return nil
}

func (a *shelf) Get(_ context.Context, id execution.ID, name string) ([]byte, error) {
	a.gets.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		return nil, errAway
	}
	data, ok := a.held[string(id)+"/"+name]
	if !ok {
		return nil, execution.Errorf(execution.NotFound, "no %s", name)
	}
	return data, nil
}

func (a *shelf) Delete(_ context.Context, id execution.ID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name := range a.held {
		if strings.HasPrefix(name, string(id)+"/") {
			delete(a.held, name)
		}
	}
	return nil
}

func (a *shelf) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// noise does not compress.
func noise(rng *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return string(b)
}

func sealer(t *testing.T, st *redisstore.Store) *redisstore.Sealer {
	t.Helper()
	s := redisstore.NewSealer(st, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func client(t *testing.T, srv *redistest.Server) redis.UniversalClient {
	t.Helper()
	rdb, err := redisstore.Dial(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// tidyNow makes what is to be tidied due, and tidies until nothing is left to.
func tidyNow(t *testing.T, st *redisstore.Store, rdb redis.UniversalClient) {
	t.Helper()
	for range 100 {
		ids := rdb.ZRange(t.Context(), "lh:{p0}:tidy", 0, -1).Val()
		if len(ids) == 0 {
			return
		}
		for _, id := range ids {
			rdb.ZAdd(t.Context(), "lh:{p0}:tidy", redis.Z{Score: 1, Member: id})
		}
		for more := true; more; {
			var err error
			if more, err = st.Tidy(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Fatal("there is always something to tidy")
}

// readAll is read for logs of any size.
func readAll(t *testing.T, st *redisstore.Store, id execution.ID, after execution.Cursor) (all []execution.Event) {
	t.Helper()
	for {
		got := read(t, st, id, after)
		if len(got) == 0 {
			return all
		}
		all, after = append(all, got...), got[len(got)-1].Seq
	}
}

// sameFromEveryCursor compares what is read with what was there before.
func sameFromEveryCursor(t *testing.T, st *redisstore.Store, id execution.ID, want []execution.Event, step int) {
	t.Helper()
	for i := 0; i < len(want); i += step {
		after := execution.Cursor(0)
		if i > 0 {
			after = want[i-1].Seq
		}
		got := readAll(t, st, id, after)
		if len(got) != len(want)-i {
			t.Fatalf("%d events after %d, want %d", len(got), after, len(want)-i)
		}
		for k := range got {
			if !reflect.DeepEqual(got[k], want[i+k]) {
				t.Fatalf("after %d, event %d is\n%+v, was\n%+v", after, k, got[k], want[i+k])
			}
		}
	}
	sameBackwards(t, st, id, want)
}

func TestAReaderSeesEveryByteOfALogThatIsSealedMeanwhile(t *testing.T) {
	const budget = 64 << 10
	archive := newShelf()
	st, srv := redistest.Store(t, redisstore.Options{LogBytes: budget, Archive: archive})
	w, rdb := sealer(t, st), client(t, srv)
	id := create(t, st, spec())
	l := claim(t, st, id)

	ended := make(chan []execution.Event)
	go func() { // a subscriber, as the hub reads for it
		var all []execution.Event
		defer func() { ended <- all }()
		for after := execution.Cursor(0); len(all) == 0 || all[len(all)-1].Type != execution.EventEnd; {
			got, err := st.Read(t.Context(), id, after, 8<<10)
			if err != nil {
				t.Error(err)
				return
			}
			if all = append(all, got...); len(got) > 0 {
				after = got[len(got)-1].Seq
			}
		}
	}()
	rng := rand.New(rand.NewPCG(1, 2))
	var wrote strings.Builder
	for no := range uint64(1000) {
		text := noise(rng, 1000)
		wrote.WriteString(text)
		if err := w.Append(t.Context(), l, batch(no+1, text)); err != nil {
			t.Fatal(err)
		}
		if n, _ := rdb.HGet(t.Context(), "lh:{p0}:x:"+string(id), "stored").Int64(); n > budget {
			t.Fatalf("%d bytes of %d are in Redis after batch %d", n, budget, no)
		}
	}
	if _, err := st.Settle(t.Context(), l, completed()); err != nil {
		t.Fatal(err)
	}
	for name, events := range map[string][]execution.Event{"live": <-ended, "replay": read(t, st, id, 0)} {
		var got strings.Builder
		for i, e := range events {
			if e.Seq != execution.Cursor(i+1) {
				t.Fatalf("%s: event %d is numbered %d and of type %s", name, i+1, e.Seq, e.Type)
			}
			got.Write(e.Bytes)
		}
		if got.String() != wrote.String() {
			t.Errorf("%s: %d bytes were read of %d", name, got.Len(), wrote.Len())
		}
	}
	if n := len(archive.held); n < 50 {
		t.Errorf("only %d segments are in the archive", n)
	}
	sameFromEveryCursor(t, st, id, read(t, st, id, 0), 37)
}

func TestWhileTheArchiveIsAwayTheBudgetHoldsAndAGapIsExact(t *testing.T) {
	const budget = 64 << 10
	archive := newShelf()
	st, _ := redistest.Store(t, redisstore.Options{LogBytes: budget, Archive: archive})
	w := sealer(t, st)
	id := create(t, st, spec())
	l := claim(t, st, id)
	rng := rand.New(rand.NewPCG(1, 2))
	texts := []string{}
	write := func(n int) {
		for range n {
			texts = append(texts, noise(rng, 1000))
			if err := w.Append(t.Context(), l, batch(uint64(len(texts)), texts[len(texts)-1])); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(200)
	archive.set(func() { archive.down = true })
	write(200)
	archive.set(func() { archive.down = false })
	if _, err := st.Settle(t.Context(), l, completed()); err != nil {
		t.Fatal(err)
	}
	next, missing := execution.Cursor(0), 0
	for _, e := range read(t, st, id, 0) {
		switch {
		case e.Type == execution.EventGap:
			var g execution.GapData
			if err := json.Unmarshal(e.Data, &g); err != nil || g.From != next+1 || g.To != e.Seq {
				t.Errorf("gap %s after %d, %v", e.Data, next, err)
			}
			missing += int(g.To - g.From + 1)
		case e.Seq != next+1:
			t.Errorf("event %d follows %d without a gap", e.Seq, next)
		case e.Type == execution.EventLog: // 1 and 2 are queued and running
			if string(e.Bytes) != texts[e.Seq-3] {
				t.Errorf("event %d has other bytes", e.Seq)
			}
		}
		next = e.Seq
	}
	// 200 were written without an archive; the budget takes some 50 of them, and
	// what was not sealed yet when it went away makes room for those.
	if missing < 100 || missing > 260 {
		t.Errorf("%d events are missing", missing)
	}
}

func TestAnArchiveThatHangsHoldsTheEngineUpOnce(t *testing.T) {
	archive := newShelf()
	archive.hang = true
	st, _ := redistest.Store(t, redisstore.Options{LogBytes: 64 << 10, Archive: archive})
	w := sealer(t, st)
	l := claim(t, st, create(t, st, spec()))
	rng := rand.New(rand.NewPCG(1, 2))
	begun := time.Now()
	for no := range uint64(200) {
		if err := w.Append(t.Context(), l, batch(no+1, noise(rng, 1000))); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begun); took > 15*time.Second { // 140 of them were beyond what may wait 2 s each
		t.Errorf("200 batches took %v", took)
	}
}

// longLog writes n small batches and ends the execution.
func longLog(t *testing.T, st *redisstore.Store, n int) execution.ID {
	t.Helper()
	id := create(t, st, spec())
	l := claim(t, st, id)
	for no := range n {
		if err := st.Append(t.Context(), l, batch(uint64(no+1), fmt.Sprintf("2026-11-22T10:00:%02d step %d of the analysis is done\n", no%60, no))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := st.Settle(t.Context(), l, completed()); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAnEndedLogIsPacked(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{})
	rdb := client(t, srv)
	id := longLog(t, st, 5000)
	key := "lh:{p0}:ev:" + string(id)
	before, size := read(t, st, id, 0), rdb.MemoryUsage(t.Context(), key, 0).Val()
	tidyNow(t, st, rdb)
	sameFromEveryCursor(t, st, id, before, 501)
	packed := rdb.MemoryUsage(t.Context(), key, 0).Val()
	t.Logf("5000 entries of one line: %d bytes of Redis; packed: %d", size, packed)
	if n := rdb.XLen(t.Context(), key).Val(); n > 5 || packed > size/8 {
		t.Errorf("packed to %d entries and %d bytes of Redis, from 5003 and %d", n, packed, size)
	}
	if ttl := rdb.TTL(t.Context(), key).Val(); ttl != -1 {
		t.Errorf("the packed log ends by itself in %v", ttl)
	}
	expect(t, "left to tidy", rdb.ZCard(t.Context(), "lh:{p0}:tidy").Val(), 0)
}

func TestALogThatIsHardlyOneTakesWhatItNeeds(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{Archive: newShelf()})
	rdb := client(t, srv)
	id := longLog(t, st, 3)
	expect(t, "to tidy", rdb.ZCard(t.Context(), "lh:{p0}:tidy").Val(), 0)
	expect(t, "events", len(read(t, st, id, 0)), 6)
	if n := rdb.MemoryUsage(t.Context(), "lh:{p0}:ev:"+string(id), 0).Val(); n > 2000 {
		t.Errorf("six events take %d bytes of Redis", n)
	}
}

func TestAnEndedLogMovesToTheArchiveAndLeavesNothingWhenItsTimeIsOver(t *testing.T) {
	const budget = 64 << 10
	archive := newShelf()
	st, srv := redistest.Store(t, redisstore.Options{LogBytes: budget, Archive: archive, LogHot: time.Millisecond, Retention: time.Millisecond})
	w, rdb := sealer(t, st), client(t, srv)
	id := create(t, st, spec())
	l := claim(t, st, id)
	rng := rand.New(rand.NewPCG(3, 4))
	for no := range uint64(300) {
		archive.set(func() { archive.down = no > 100 && no < 200 }) // so that there is a hole in it too
		if err := w.Append(t.Context(), l, batch(no+1, noise(rng, 1000))); err != nil {
			t.Fatal(err)
		}
	}
	archive.set(func() { archive.down = false })
	if _, err := st.Settle(t.Context(), l, completed()); err != nil {
		t.Fatal(err)
	}
	before := read(t, st, id, 0)
	tidyNow(t, st, rdb)
	expect(t, "the stream exists", rdb.Exists(t.Context(), "lh:{p0}:ev:"+string(id)).Val(), 0)
	sameFromEveryCursor(t, st, id, before, 17)
	if err := st.Purge(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, key := range rdb.Keys(t.Context(), "*"+string(id)+"*").Val() {
		t.Errorf("%s is left", key)
	}
}

func TestWhatTheArchiveDoesNotGiveIsAGapOnlyWhenItIsGone(t *testing.T) {
	archive := newShelf()
	st, srv := redistest.Store(t, redisstore.Options{Archive: archive, LogHot: time.Millisecond})
	rdb := client(t, srv)
	id := longLog(t, st, 200)
	last := get(t, st, id).Last
	tidyNow(t, st, rdb)

	archive.set(func() { archive.down = true })
	if _, err := st.Read(t.Context(), id, 0, 1<<20); execution.CodeOf(err) != execution.Unavailable {
		t.Errorf("with the archive away: %v", err)
	}
	whole := func(what string, st *redisstore.Store) {
		t.Helper()
		got := read(t, st, id, 5)
		if len(got) != 1 || got[0].Type != execution.EventGap || got[0].Seq != last || !strings.Contains(string(got[0].Data), `"from":6`) {
			t.Errorf("%s: %v", what, got)
		}
	}
	archive.set(func() { archive.down = false })
	for name, data := range archive.held {
		archive.set(func() { archive.held[name] = append([]byte("x"), data...) })
	}
	whole("damaged", st)
	archive.set(func() { clear(archive.held) })
	whole("gone", st)
	if _, err := redistest.Open(t, srv, redisstore.Options{}).Read(t.Context(), id, 5, 1<<20); execution.CodeOf(err) != execution.Unavailable {
		t.Errorf("by a replica without an archive: %v", err)
	}
}

func TestManyReadersOfOneSegmentFetchItOnce(t *testing.T) {
	archive := newShelf()
	st, srv := redistest.Store(t, redisstore.Options{Archive: archive, LogHot: time.Millisecond})
	rdb := client(t, srv)
	id := longLog(t, st, 500)
	tidyNow(t, st, rdb)
	var readers sync.WaitGroup
	for i := range 100 {
		readers.Go(func() {
			if _, err := st.Read(t.Context(), id, execution.Cursor(i), 1<<10); err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
	expect(t, "fetches", archive.gets.Load(), 1)
}

func TestAStaleAttemptSealsNothing(t *testing.T) {
	const budget = 64 << 10
	st, srv := redistest.Store(t, redisstore.Options{LogBytes: budget, Archive: newShelf()})
	w, rdb := sealer(t, st), client(t, srv)
	id := create(t, st, spec())
	l := claim(t, st, id)
	rng := rand.New(rand.NewPCG(1, 2))
	for no := range uint64(40) { // straight to the store, so that nothing is sealed yet
		if err := st.Append(t.Context(), l, batch(no+1, noise(rng, 1000))); err != nil {
			t.Fatal(err)
		}
	}
	stale := l
	stale.Token = redisstore.NewToken()
	if err := w.Append(t.Context(), stale, batch(41, "x")); !errors.Is(err, execution.ErrFenced) {
		t.Errorf("a stale append: %v", err)
	}
	entries := rdb.XLen(t.Context(), "lh:{p0}:ev:"+string(id)).Val()
	expect(t, "entries", entries, 41)
	expect(t, "segments", rdb.Exists(t.Context(), "lh:{p0}:seg:"+string(id)).Val(), 0)
}

func TestALogWhoseRecordWasTakenOutByHandLeavesNothing(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{Archive: newShelf()})
	rdb := client(t, srv)
	id := longLog(t, st, 200)
	rdb.Del(t.Context(), "lh:{p0}:x:"+string(id))
	tidyNow(t, st, rdb)
	expect(t, "the stream exists", rdb.Exists(t.Context(), "lh:{p0}:ev:"+string(id)).Val(), 0)
	expect(t, "left to tidy", rdb.ZCard(t.Context(), "lh:{p0}:tidy").Val(), 0)
}
