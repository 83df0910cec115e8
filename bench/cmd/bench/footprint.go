package main

import (
	"context"
	"time"
)

// footprint: memory of a fresh idle system, and how soon it answers.
var footprint = &scenario{
	name: "footprint", what: "a fresh system without work: memory of API and workers, and time from the API's start to its first 200",
	peers:   []string{"fastapi", "celery", "rq", "bullmq", "asynq"},
	once:    []string{"rq", "bullmq", "asynq"},
	columns: []column{{"rss", "RSS MB"}, {"pss", "PSS MB"}, {"start", "start to first 200, ms"}},
	run:     runFootprint,
}

func runFootprint(ctx context.Context, r *round, c contestant) error {
	return r.with(ctx, c, startOptions{fresh: true}, func(st *stack) error {
		if err := pause(ctx, 5*time.Second); err != nil {
			return err
		}
		m, err := st.rss()
		if err != nil {
			return err
		}
		r.set(c.name, "rss", mb(m.RSS))
		r.set(c.name, "pss", mb(m.PSS))
		if st.ready > 0 {
			r.setMS(c.name, "start", st.ready)
		}
		return nil
	})
}
