package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

// BenchmarkEnded reads among a hundred thousand ended executions, as they ended
// and folded, and takes them out. Medians and Redis' own time are what counts.
func BenchmarkEnded(b *testing.B) {
	const n = 100_000
	e := ended(b, n, time.Hour)
	e.reads("as it ended")
	if e.fold() {
		e.reads("folded")
	}
}

func BenchmarkRetention(b *testing.B) {
	for _, form := range []string{"as it ended", "folded"} {
		e := ended(b, 20_000, time.Millisecond)
		if form == "folded" && !e.fold() {
			return
		}
		b.Run(form, func(b *testing.B) {
			taken, before := 0, e.cpu()
			for b.Loop() {
				ids, err := e.st.Expired(b.Context(), 100)
				if err != nil {
					b.Fatal(err)
				}
				for _, id := range ids {
					if err := e.st.Purge(b.Context(), id); err != nil {
						b.Fatal(err)
					}
				}
				taken += len(ids)
			}
			b.ReportMetric(float64(taken)/b.Elapsed().Seconds(), "purged/s")
			b.ReportMetric((e.cpu()-before)*1e6/float64(max(1, taken)), "µs-of-Redis/each")
		})
	}
}

type many struct {
	b   *testing.B
	st  *redisstore.Store
	rdb redis.UniversalClient
	ids []execution.ID
}

// ended makes n executions that have ended.
func ended(b *testing.B, n int, retention time.Duration) *many {
	srv := redistest.Start(b)
	st := redistest.Open(b, srv, redisstore.Options{FoldAfter: time.Nanosecond, Retention: retention})
	rdb, err := redisstore.Dial(srv.URL)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = rdb.Close() })
	e := &many{b, st, rdb, make([]execution.ID, n)}
	var all sync.WaitGroup
	for lane := range 16 {
		all.Go(func() {
			for i := lane; i < n; i += 16 {
				s := &execution.Spec{Command: fmt.Sprint("command-", i%5), Args: []string{"--customer", fmt.Sprint(i)}, Labels: map[string]string{"team": fmt.Sprint(i % 10)}}
				s.Normalize(execution.DefaultLimits())
				c, err := st.Create(b.Context(), s, "", "")
				if err == nil {
					e.ids[i] = c.Record.ID
					_, err = st.Cancel(b.Context(), c.Record.ID)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return e
}

// cpu is how many seconds Redis has computed so far.
func (e *many) cpu() (sum float64) {
	info := e.rdb.InfoMap(e.b.Context(), "cpu")
	for _, name := range []string{"used_cpu_user", "used_cpu_sys"} {
		v, _ := strconv.ParseFloat(info.Item("CPU", name), 64)
		sum += v
	}
	return sum
}

func (e *many) fold() bool {
	folder, ok := any(e.st).(interface {
		Fold(ctx context.Context) (bool, error)
	})
	if !ok {
		return false
	}
	begun, before, own := time.Now(), e.cpu(), ownCPU()
	for more := true; more; {
		var err error
		if more, err = folder.Fold(e.b.Context()); err != nil {
			e.b.Fatal(err)
		}
	}
	n := float64(len(e.ids))
	e.b.Logf("folded %.0f a second, each %.0f µs of Redis and %.0f of the worker", n/time.Since(begun).Seconds(), (e.cpu()-before)*1e6/n, (ownCPU()-own)*1e6/n)
	return true
}

func ownCPU() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func (e *many) reads(form string) {
	for _, l := range []struct {
		name string
		q    execution.ListQuery
	}{
		{"all", execution.ListQuery{}},
		{"status", execution.ListQuery{Status: []execution.Status{execution.Cancelled}}},
		{"name", execution.ListQuery{Engine: "command-3"}},
		{"label", execution.ListQuery{Labels: map[string]string{"team": "3"}}},
	} {
		e.median(form+"/list by "+l.name, func(int) error { _, err := e.st.List(e.b.Context(), l.q); return err })
	}
	e.median(form+"/status", func(i int) error { _, err := e.st.Get(e.b.Context(), e.ids[i*7919%len(e.ids)]); return err })
	e.median(form+"/output", func(i int) error {
		_, err := e.st.Read(e.b.Context(), e.ids[i*7919%len(e.ids)], 0, 1<<20)
		return err
	})
}

// median reports the time of the middle one, which others on the machine
// disturb least, and what Redis computes for each.
func (e *many) median(name string, do func(i int) error) {
	e.b.Run(name, func(b *testing.B) {
		var took []time.Duration
		before := e.cpu()
		for i := 0; b.Loop(); i++ {
			begun := time.Now()
			if err := do(i); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(begun))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "µs/median")
		b.ReportMetric((e.cpu()-before)*1e6/float64(len(took)), "µs-of-Redis/each")
	})
}
