package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/bench/lines"
)

// finished: what is left in Redis of an execution that has ended.
var finished = &scenario{
	name: "finished", what: "what Redis keeps of executions that have ended, when they are folded",
	columns: []column{{"bytes", "bytes per execution without output"}, {"typical", "bytes per byte of a typical log of 1 MB"}},
	run:     runFinished,
}

// typicalArgs are those of the command that Longhaul was made for.
var typicalArgs = []string{"src/main.py", "voice-of-customer", "--analysis-type", "topic-based", "--multi-agent", "--time-period", "week"}

func runFinished(ctx context.Context, r *round, c contestant) error {
	return r.with(ctx, c, startOptions{env: []string{"FOLD_AFTER=1s"}}, func(st *stack) error {
		m, err := newMeter(st, packed)
		if err != nil {
			return err
		}
		req, err := st.request(program{"true", typicalArgs})
		if err != nil {
			return err
		}
		before, err := m.folded(ctx, st, func() error { return r.warm(ctx, st, req) })
		if err != nil {
			return err
		}
		after, err := m.folded(ctx, st, func() error {
			done, err := st.done(ctx)
			if err != nil {
				return err
			}
			if _, _, err := flood(req, r.size.finished, 4); err != nil {
				return err
			}
			return st.await(ctx, done, r.size.finished, patienceForAll)
		})
		if err != nil {
			return err
		}
		r.set(c.name, "bytes", float64(after-before)/float64(r.size.finished))
		return r.typicalLog(ctx, m, c.name)
	})
}

// folded is what Redis has allocated when all that has ended is folded, and
// the tasks are gone that Asynq keeps for an hour. Nothing is folded before the
// work is done, so that it can be counted.
func (m *meter) folded(ctx context.Context, st *stack, work func() error) (int64, error) {
	foldsFrom := func(ms int64) error { return m.rdb.HSet(ctx, "lh:meta", "folds", ms).Err() }
	if err := foldsFrom(time.Now().Add(time.Hour).UnixMilli()); err != nil {
		return 0, err
	}
	if err := work(); err != nil {
		return 0, err
	}
	if err := foldsFrom(0); err != nil {
		return 0, err
	}
	if err := m.calm(ctx); err != nil {
		return 0, err
	}
	return st.redis.used(ctx)
}

// typicalLog is one of timestamps, levels, ids and varying words.
func (r *round) typicalLog(ctx context.Context, m *meter, name string) error {
	const size = 1_000_000
	id, err := m.runProbe(ctx, "log", lines.Typical, strconv.Itoa(size), "0s")
	if err != nil {
		return err
	}
	used, err := m.settled(ctx, func() (int64, error) { return m.ofLog(ctx, id) })
	if err != nil {
		return err
	}
	if used == 0 {
		return fmt.Errorf("nothing is kept of the log of %s", id)
	}
	r.set(name, "typical", float64(used)/size)
	return nil
}
