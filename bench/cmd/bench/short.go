package main

import (
	"context"
	"time"
)

// short: 500 times /bin/true, from the first POST until the last has ended, five at a time.
var short = &scenario{
	name: "short", what: "/bin/true, five at once, from the first POST until the last is settled",
	peers: []string{"fastapi", "fastapi-popen", "celery", "rq", "bullmq", "asynq"},
	once:  []string{"asynq", "fastapi-popen"},
	columns: []column{
		{"seconds", "s"}, {"rate", "jobs/s"}, {"limit", "over fork+exec"}, {"cpu", "CPU s, all of it and Redis"}, {"peak", "peak RSS MB"},
	},
	limits: func(ctx context.Context, r *round) error {
		d, err := forkTime(ctx, r.size.shorts)
		r.set("limit", "seconds", d.Seconds())
		r.set("limit", "limit", 1)
		return err
	},
	run: runShort,
}

func runShort(ctx context.Context, r *round, c contestant) error {
	return r.with(ctx, c, startOptions{}, func(st *stack) error {
		req, err := st.request(program{name: "true"})
		if err != nil {
			return err
		}
		if err := r.warm(ctx, st, req); err != nil {
			return err
		}
		before, err := st.done(ctx)
		if err != nil {
			return err
		}
		cpuBefore, err := st.cpu()
		if err != nil {
			return err
		}
		begin := time.Now()
		if _, _, err := flood(req, r.size.shorts, 4); err != nil {
			return err
		}
		if err := st.await(ctx, before, r.size.shorts, patienceForAll); err != nil {
			return err
		}
		took := time.Since(begin).Seconds()
		cpuAfter, err := st.cpu()
		if err != nil {
			return err
		}
		memory, err := st.rss()
		if err != nil {
			return err
		}
		r.set(c.name, "seconds", took)
		r.set(c.name, "rate", float64(r.size.shorts)/took)
		r.set(c.name, "limit", took/r.Values["limit/seconds"])
		r.set(c.name, "cpu", (cpuAfter - cpuBefore).Seconds())
		r.set(c.name, "peak", mb(memory.Peak))
		return nil
	})
}

func mb(n int64) float64 { return float64(n) / 1e6 }
