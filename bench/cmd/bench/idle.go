package main

import (
	"context"
	"time"

	"github.com/longhaul/longhaul/bench/proc"
)

// idle: what a system without work costs.
var idle = &scenario{
	name: "idle", what: "nothing to do: commands that Redis carries out, and CPU",
	peers:   []string{"celery", "rq", "bullmq", "asynq"},
	once:    []string{"celery", "rq", "bullmq", "asynq"},
	columns: []column{{"commands", "Redis commands/s, those within scripts too"}, {"sent", "of which sent"}, {"worker", "worker CPU, % of a core"}, {"redis", "Redis CPU, % of a core"}, {"api", "API CPU, % of a core"}},
	run:     runIdle,
}

func runIdle(ctx context.Context, r *round, c contestant) error {
	return r.with(ctx, c, startOptions{}, func(st *stack) error {
		if err := pause(ctx, 2*time.Second); err != nil { // for what follows a start
			return err
		}
		sent, err := st.redis.monitor()
		if err != nil {
			return err
		}
		before, err := readIdle(ctx, st)
		if err != nil {
			return err
		}
		if err := pause(ctx, r.size.idle); err != nil {
			return err
		}
		after, err := readIdle(ctx, st)
		if err != nil {
			return err
		}
		seconds := after.at.Sub(before.at).Seconds()
		percent := func(a, b time.Duration) float64 { return 100 * (b - a).Seconds() / seconds }
		r.set(c.name, "commands", float64(after.commands-before.commands-1)/seconds) // less our own INFO
		r.set(c.name, "sent", float64(sent()-1)/seconds)
		r.set(c.name, "worker", percent(before.worker, after.worker))
		r.set(c.name, "redis", percent(before.redis, after.redis))
		r.set(c.name, "api", percent(before.api, after.api))
		return nil
	})
}

type idleReading struct {
	at                 time.Time
	commands           int64 // those within scripts too
	api, worker, redis time.Duration
}

func readIdle(ctx context.Context, st *stack) (x idleReading, err error) {
	x.at = time.Now()
	if x.commands, err = st.redis.number(ctx, "stats", "total_commands_processed"); err != nil {
		return x, err
	}
	if x.api, err = proc.CPU(st.api...); err != nil {
		return x, err
	}
	if x.worker, err = proc.CPU(st.workers...); err != nil {
		return x, err
	}
	x.redis, err = proc.CPU(st.redis.pid())
	return x, err
}
