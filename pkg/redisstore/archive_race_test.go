package redisstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
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

// pauses is a client of Redis that can be held before it writes a part of a packed copy.
type pauses struct {
	parts  atomic.Int64
	before func(part int64)
}

func (p *pauses) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}
func (p *pauses) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (p *pauses) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, c := range cmds {
			if c.Name() == "xadd" && strings.Contains(fmt.Sprint(c.Args()[1]), "evp:") {
				p.before(p.parts.Add(1))
				break
			}
		}
		return next(ctx, cmds)
	}
}

// packer is a replica that is held before each part.
func packer(t *testing.T, srv *redistest.Server, before func(part int64)) *redisstore.Store {
	rdb := client(t, srv)
	rdb.AddHook(&pauses{before: before})
	return redisstore.New(rdb, redisstore.Options{})
}

// noisyLog is an ended log of n KB that does not compress.
func noisyLog(t *testing.T, st *redisstore.Store, n int) execution.ID {
	t.Helper()
	id := create(t, st, spec())
	l := claim(t, st, id)
	rng := rand.New(rand.NewPCG(1, 2))
	for no := range n {
		if err := st.Append(t.Context(), l, batch(uint64(no+1), noise(rng, 1000))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := st.Settle(t.Context(), l, completed()); err != nil {
		t.Fatal(err)
	}
	return id
}

func due(t *testing.T, rdb redis.UniversalClient, id execution.ID) {
	t.Helper()
	if err := rdb.ZAddXX(t.Context(), "lh:{p0}:tidy", redis.Z{Score: 1, Member: string(id)}).Err(); err != nil {
		t.Fatal(err)
	}
}

// tidied runs one Tidy beside the test.
func tidied(st *redisstore.Store) <-chan error {
	ended := make(chan error, 1)
	go func() { _, err := st.Tidy(context.Background()); ended <- err }()
	return ended
}

func TestTwoPackersOfOneLogLoseNothing(t *testing.T) {
	t.Parallel()
	st, srv := redistest.Store(t, redisstore.Options{})
	rdb := client(t, srv)
	id := noisyLog(t, st, 5000)
	before := readAll(t, st, id, 0)
	held, goOn := [2]chan bool{make(chan bool), make(chan bool)}, [2]chan bool{make(chan bool), make(chan bool)}
	holdAt := func(i int, at int64) func(int64) {
		return func(part int64) {
			if part == at {
				held[i] <- true
				<-goOn[i]
			}
		}
	}
	due(t, rdb, id)
	first := tidied(packer(t, srv, holdAt(0, 3))) // two of its parts are written
	<-held[0]
	due(t, rdb, id)
	second := tidied(packer(t, srv, holdAt(1, 2))) // one
	<-held[1]
	close(goOn[0])
	if err := <-first; err != nil {
		t.Error(err)
	}
	sameFromEveryCursor(t, st, id, before, 1000)
	close(goOn[1])
	if err := <-second; err != nil {
		t.Error(err)
	}
	sameFromEveryCursor(t, st, id, before, 1000)
}

func TestACopyThatEndsBeforeItIsWholeIsNotTaken(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{})
	rdb := client(t, srv)
	id := noisyLog(t, st, 4000)
	before := readAll(t, st, id, 0)
	suspended := packer(t, srv, func(part int64) {
		if part == 3 { // for longer than a copy lives
			rdb.Del(context.Background(), rdb.Keys(context.Background(), "lh:{p0}:evp:*").Val()...)
		}
	})
	due(t, rdb, id)
	if err := <-tidied(suspended); err != nil {
		t.Error(err)
	}
	sameFromEveryCursor(t, st, id, before, 1000)
}

// slowShelf calls wait before each Put.
type slowShelf struct {
	*shelf
	wait func(put int64)
	puts atomic.Int64
}

func (s *slowShelf) Put(ctx context.Context, id execution.ID, name string, data []byte) error {
	s.wait(s.puts.Add(1))
	return s.shelf.Put(ctx, id, name, data)
}

func TestAMoveThatRetentionOvertakesLeavesNothingInTheArchive(t *testing.T) {
	held, goOn := make(chan bool), make(chan bool)
	archive := &slowShelf{shelf: newShelf(), wait: func(put int64) {
		if put == 2 {
			held <- true
			<-goOn
		}
	}}
	st, srv := redistest.Store(t, redisstore.Options{Archive: archive, LogHot: time.Millisecond, Retention: time.Millisecond})
	rdb := client(t, srv)
	id := noisyLog(t, st, 4000)
	due(t, rdb, id)
	moved := tidied(st)
	<-held
	if err := archive.Delete(t.Context(), id); err != nil { // as retention does: the files first
		t.Fatal(err)
	}
	if err := st.Purge(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if err := <-moved; err != nil {
		t.Error(err)
	}
	if n := len(archive.held); n > 0 {
		t.Errorf("%d objects are left for ever", n)
	}
	if keys := rdb.Keys(t.Context(), "*"+string(id)+"*").Val(); len(keys) > 0 {
		t.Errorf("left in Redis: %v", keys)
	}
}

// A slow store must cost what it cannot take, not all that it takes.
func TestEverySegmentThatTheArchiveTakesCounts(t *testing.T) {
	t.Parallel()
	archive := &slowShelf{shelf: newShelf(), wait: func(int64) { <-time.After(100 * time.Millisecond) }}
	st, srv := redistest.Store(t, redisstore.Options{LogBytes: 256 << 10, Archive: archive})
	w, rdb := sealer(t, st), client(t, srv)
	ids := make([]execution.ID, 12)
	var writers sync.WaitGroup
	for i := range ids {
		ids[i] = create(t, st, spec())
		l := claim(t, st, ids[i])
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 2))
			for no := range uint64(500) {
				if err := w.Append(t.Context(), l, batch(no+1, noise(rng, 4000))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	indexed := int64(0)
	for _, id := range ids {
		indexed += rdb.ZCard(t.Context(), "lh:{p0}:seg:"+string(id)).Val()
	}
	if puts := archive.puts.Load(); puts < 100 || indexed < puts-4 { // four may be on their way
		t.Errorf("of %d segments that were put, %d count", puts, indexed)
	}
}

func TestAFullRedisIsRelievedByMovingLogs(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{Archive: newShelf(), LogHot: time.Millisecond})
	rdb := client(t, srv)
	id := noisyLog(t, st, 3000)
	before := readAll(t, st, id, 0)
	due(t, rdb, id)
	rdb.ConfigSet(t.Context(), "maxmemory-policy", "noeviction")
	rdb.ConfigSet(t.Context(), "maxmemory", "2mb")
	if _, err := st.Tidy(t.Context()); err != nil {
		t.Error(err)
	}
	expect(t, "entries in Redis", rdb.XLen(t.Context(), "lh:{p0}:ev:"+string(id)).Val(), 0)
	sameFromEveryCursor(t, st, id, before, 1000)
}

func TestALogThatCannotBePackedHoldsUpNoOther(t *testing.T) {
	st, srv := redistest.Store(t, redisstore.Options{})
	rdb := client(t, srv)
	for range 5 {
		longLog(t, st, 100)
	}
	ids := rdb.ZRange(t.Context(), "lh:{p0}:tidy", 0, -1).Val()
	rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: "lh:{p0}:ev:" + ids[0], ID: "100000-0", Values: []any{"n", "1", "enc", "?", "data", "x"}})
	for _, id := range ids {
		due(t, rdb, execution.ID(id))
	}
	failures := 0
	for more := true; more; {
		var err error
		if more, err = st.Tidy(t.Context()); err != nil {
			failures++
		}
	}
	expect(t, "failures", failures, 1)
	expect(t, "left to tidy", rdb.ZCard(t.Context(), "lh:{p0}:tidy").Val(), 1)
}
