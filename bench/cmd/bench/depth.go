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
		short, long := newLine(st, "critical"), newLine(st, "low")
		if err := short.fill(ctx, 1000); err != nil {
			return err
		}
		begin := time.Now()
		if err := long.fill(ctx, r.size.depth); err != nil {
			return err
		}
		r.set(c.name, "fill", float64(r.size.depth)/time.Since(begin).Seconds())
		err := r.ask(ctx, turns{"position": long.position, "position-short": short.position, "ping": long.ping},
			turns{"status": long.status}, turns{"list": long.page}, turns{"lpos": long.lpos})
		// The limit of what is asked is a question that Redis has nothing to do for.
		for _, name := range []string{"position", "position-short", "status"} {
			r.set("limit", name, r.Values[c.name+"/ping"])
		}
		r.set("limit", "lpos", r.Values[c.name+"/lpos"])
		delete(r.Values, c.name+"/ping")
		return err
	})
}

func micro(d time.Duration) float64 { return float64(d) / 1e3 }

// question asks about the i-th of some executions.
type question func(ctx context.Context, i int) error

// turns are questions that take turns: what is to be compared meets the same moments
// of a machine that is twice as fast in one as in another.
type turns map[string]question

// asked is how often each question is put.
const asked = 500

// ask gives the median of each question, one group after the other.
func (r *round) ask(ctx context.Context, groups ...turns) error {
	runtime.GC() // what filling has left must not be swept meanwhile
	return r.awake(func() error {
		for _, questions := range groups {
			took := make(map[string][]time.Duration, len(questions))
			for i := range asked {
				for name, put := range questions {
					begin := time.Now()
					if err := put(ctx, i); err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
					took[name] = append(took[name], time.Since(begin))
				}
			}
			for name, all := range took {
				r.set("longhaul", name, micro(stat.Quantile(all, 0.5)))
			}
		}
		return nil
	})
}

// line is a queue that is filled past the API.
type line struct {
	queue string
	redis *redisServer
	store *redisstore.Store
	n     int
	some  []*execution.Record // as many as are asked about, or all: from everywhere in it
}

func newLine(st *stack, queue string) *line {
	return &line{queue: queue, redis: st.redis, store: redisstore.New(st.redis.db, redisstore.Options{})}
}

// fill puts n in line.
func (l *line) fill(ctx context.Context, n int) error {
	spec := execution.Spec{Command: "true", Queue: l.queue, DelaySeconds: 3600}
	spec.Normalize(execution.DefaultLimits())
	records := make([]*execution.Record, n)
	err := parallel(len(records), 8, func(i int) error {
		c, err := l.store.Create(ctx, &spec, "", "")
		records[i] = c.Record
		return err
	})
	if err != nil {
		return err
	}
	l.n = n
	ids := make([]any, len(records))
	for i, rec := range records {
		ids[i] = string(rec.ID)
		if i%max(1, len(records)/asked) == 0 {
			l.some = append(l.some, rec)
		}
	}
	for len(ids) > 0 { // the same ids as Asynq's own list would have them
		k := min(len(ids), 1000)
		if err := l.redis.db.RPush(ctx, l.list(), ids[:k]...).Err(); err != nil {
			return err
		}
		ids = ids[k:]
	}
	return nil
}

func (l *line) at(i int) *execution.Record { return l.some[i%len(l.some)] }

func (l *line) position(ctx context.Context, i int) error {
	n, err := l.store.Position(ctx, l.at(i))
	if err == nil && (n < 0 || n >= l.n) {
		err = fmt.Errorf("place %d of %d", n, l.n)
	}
	return err
}

func (l *line) status(ctx context.Context, i int) error {
	_, err := l.store.Get(ctx, l.at(i).ID)
	return err
}

func (l *line) page(ctx context.Context, _ int) error {
	page, err := l.store.List(ctx, execution.ListQuery{Limit: 50})
	if err == nil && len(page.Records) != 50 {
		err = fmt.Errorf("%d in a list of 50", len(page.Records))
	}
	return err
}

func (l *line) ping(ctx context.Context, _ int) error { return l.redis.db.Ping(ctx).Err() }

// lpos is how a place is found in a queue that is a Redis list.
func (l *line) lpos(ctx context.Context, i int) error {
	return l.redis.db.Do(ctx, "LPOS", l.list(), string(l.at(i).ID)).Err()
}

func (l *line) list() string { return "bench:list:" + l.queue }
