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
	name: "finished", what: "what Redis keeps of executions that have ended, some seconds after the end",
	columns: []column{{"bytes", "bytes per execution without output"}, {"typical", "bytes per byte of a typical log of 1 MB"}},
	run:     runFinished,
}

// typicalArgs are those of the command that Longhaul was made for.
var typicalArgs = []string{"src/main.py", "voice-of-customer", "--analysis-type", "topic-based", "--multi-agent", "--time-period", "week"}

func runFinished(ctx context.Context, r *round, c contestant) error {
	return r.with(ctx, c, startOptions{}, func(st *stack) error {
		m, err := newMeter(st, packed)
		if err != nil {
			return err
		}
		req, err := st.request(program{"true", typicalArgs})
		if err != nil {
			return err
		}
		if err := r.warm(ctx, st, req); err != nil {
			return err
		}
		before, err := usedLater(ctx, st)
		if err != nil {
			return err
		}
		done, err := st.done(ctx)
		if err != nil {
			return err
		}
		if _, _, err := flood(req, r.size.finished, 4); err != nil {
			return err
		}
		if err := st.await(ctx, done, r.size.finished, patienceForAll); err != nil {
			return err
		}
		after, err := usedLater(ctx, st)
		if err != nil {
			return err
		}
		r.set(c.name, "bytes", float64(after-before)/float64(r.size.finished))
		return r.typicalLog(ctx, m, c.name)
	})
}

// usedLater is what Redis has allocated when the logs of what has ended are packed, which happens some 5 s later.
func usedLater(ctx context.Context, st *stack) (int64, error) {
	if err := pause(ctx, 12*time.Second); err != nil {
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
