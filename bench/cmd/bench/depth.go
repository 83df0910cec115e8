package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/longhaul/longhaul/bench/stat"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
)

// depth: what a place in line, a status and a page of the list cost Redis when
// many wait; as seen by a client of Redis, round trip included, on cores that are awake.
var depth = &scenario{
	name: "depth", what: "with 100,000 executions in line: round trips to Redis for what a status and a list need",
	columns: []column{
		{"position", "place in line p50 µs"}, {"position-short", "same with 1,000"}, {"lpos", "LPOS on a list p50 µs"}, {"status", "status p50 µs"}, {"list", "list of 50 p50 µs"}, {"fill", "stored/s"},
	},
	run: runDepth,
}

func runDepth(ctx context.Context, r *round, c contestant) error {
	return r.with(ctx, c, startOptions{}, func(st *stack) error {
		d := newLine(r, st)
		if err := d.fill(ctx, 1000); err != nil {
			return err
		}
		if err := d.measure(ctx, map[string]look{"position-short": d.position}); err != nil {
			return err
		}
		begin := time.Now()
		if err := d.fill(ctx, r.size.depth); err != nil {
			return err
		}
		r.set(c.name, "fill", float64(r.size.depth-1000)/time.Since(begin).Seconds())
		return d.measure(ctx, map[string]look{"position": d.position, "status": d.status, "list": d.list, "lpos": d.lpos})
	})
}

func micro(d time.Duration) float64 { return float64(d) / 1e3 }

// line is a queue that is being filled past the API.
type line struct {
	r     *round
	redis *redisServer
	store *redisstore.Store
	n     int
	some  []*execution.Record // 500 at most, from everywhere in it
}

func newLine(r *round, st *stack) *line {
	return &line{r: r, redis: st.redis, store: redisstore.New(st.redis.db, redisstore.Options{})}
}

// look is a question about one execution.
type look func(context.Context, *execution.Record) error

func (l *line) measure(ctx context.Context, looks map[string]look) error {
	runtime.GC() // what filling has left must not be swept meanwhile
	return l.r.awake(func() error {
		for name, do := range looks {
			p50, err := l.each(ctx, do)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			l.r.set("longhaul", name, micro(p50))
		}
		return nil
	})
}

// fill goes on until n are in line.
func (l *line) fill(ctx context.Context, n int) error {
	spec := execution.Spec{Command: "true", Queue: "low", DelaySeconds: 3600}
	spec.Normalize(execution.DefaultLimits())
	records := make([]*execution.Record, n-l.n)
	err := parallel(len(records), 8, func(i int) error {
		c, err := l.store.Create(ctx, &spec, "", "")
		records[i] = c.Record
		return err
	})
	if err != nil {
		return err
	}
	l.n, l.some = n, nil
	ids := make([]any, len(records))
	for i, rec := range records {
		ids[i] = string(rec.ID)
		if i%max(1, len(records)/500) == 0 {
			l.some = append(l.some, rec)
		}
	}
	for len(ids) > 0 { // the same ids as Asynq's own list would have them
		k := min(len(ids), 1000)
		if err := l.redis.db.RPush(ctx, "bench:list", ids[:k]...).Err(); err != nil {
			return err
		}
		ids = ids[k:]
	}
	return nil
}

// each is the median over some of those in line.
func (l *line) each(ctx context.Context, do look) (time.Duration, error) {
	took := make([]time.Duration, len(l.some))
	for i, rec := range l.some {
		begin := time.Now()
		if err := do(ctx, rec); err != nil {
			return 0, err
		}
		took[i] = time.Since(begin)
	}
	return stat.Quantile(took, 0.5), nil
}

func (l *line) position(ctx context.Context, rec *execution.Record) error {
	n, err := l.store.Position(ctx, rec)
	if err == nil && (n < 0 || n >= l.n) {
		err = fmt.Errorf("place %d of %d", n, l.n)
	}
	return err
}

func (l *line) status(ctx context.Context, rec *execution.Record) error {
	_, err := l.store.Get(ctx, rec.ID)
	return err
}

func (l *line) list(ctx context.Context, _ *execution.Record) error {
	page, err := l.store.List(ctx, execution.ListQuery{Limit: 50})
	if err == nil && len(page.Records) != 50 {
		err = fmt.Errorf("%d in a list of 50", len(page.Records))
	}
	return err
}

// lpos is how a place is found in a queue that is a Redis list.
func (l *line) lpos(ctx context.Context, rec *execution.Record) error {
	return l.redis.db.Do(ctx, "LPOS", "bench:list", string(rec.ID)).Err()
}
