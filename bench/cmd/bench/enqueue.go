package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/longhaul/longhaul/bench/stat"
	"github.com/longhaul/longhaul/bench/wire"
)

// enqueue: how fast work is accepted. The workers are stopped meanwhile, so that
// it is that alone; Longhaul stores the whole record and its indexes.
var enqueue = &scenario{
	name: "enqueue", what: "POSTs over 8 connections with the workers stopped, and one at a time",
	peers: []string{"fastapi", "celery", "rq", "bullmq", "asynq"},
	once:  []string{"asynq"},
	columns: []column{
		{"rate", "accepted/s"},
		{"p50", "p50 ms"},
		{"p99", "p99 ms"},
		{"single", "p50 ms, one connection"},
		{"cpu", "API CPU s/1,000"},
		{"share", "of Echo's hello"},
	},
	limits: enqueueLimit,
	run:    runEnqueue,
}

const enqueueConns = 8

func enqueueLimit(ctx context.Context, r *round) error {
	return r.hello(ctx, func(url string) error {
		req, err := wire.NewRequest(http.MethodGet, url, nil, nil)
		if err != nil {
			return err
		}
		if _, _, err := flood(req, r.size.warmUp, enqueueConns); err != nil {
			return err
		}
		_, took, err := flood(req, 2*r.size.posts, enqueueConns)
		r.set("limit", "rate", float64(2*r.size.posts)/took.Seconds())
		r.set("limit", "share", 1)
		return err
	})
}

func runEnqueue(ctx context.Context, r *round, c contestant) error {
	return r.with(ctx, c, startOptions{}, func(st *stack) error {
		req, err := st.request(program{name: "true"})
		if err != nil {
			return err
		}
		if err := r.warm(ctx, st, req); err != nil {
			return err
		}
		if err := st.signal(true); err != nil {
			return err
		}
		defer st.signal(false) //nolint:errcheck // it is ended next
		before, err := st.apiCPU()
		if err != nil {
			return err
		}
		each, took, err := flood(req, r.size.posts, enqueueConns)
		if err != nil {
			return err
		}
		after, err := st.apiCPU()
		if err != nil {
			return err
		}
		single, _, err := flood(req, r.size.posts/5, 1)
		if err != nil {
			return err
		}
		rate := float64(r.size.posts) / took.Seconds()
		r.set(c.name, "rate", rate)
		r.setMS(c.name, "p50", stat.Quantile(each, 0.5))
		r.setMS(c.name, "p99", stat.Quantile(each, 0.99))
		r.setMS(c.name, "single", stat.Quantile(single, 0.5))
		r.set(c.name, "cpu", (after-before).Seconds()*1000/float64(r.size.posts))
		r.set(c.name, "share", rate/r.Values["limit/rate"])
		return st.checkQueued(ctx, r.size.posts+r.size.posts/5)
	})
}

// warm lets a system do a little of what it is going to be measured at.
func (r *round) warm(ctx context.Context, st *stack, req wire.Request) error {
	before, err := st.done(ctx)
	if err != nil {
		return err
	}
	if _, _, err := flood(req, r.size.warmUp, 4); err != nil {
		return err
	}
	return st.await(ctx, before, r.size.warmUp, time.Minute)
}

// checkQueued looks into Longhaul's Redis for what was accepted: as many records in line as were posted.
func (s *stack) checkQueued(ctx context.Context, want int) error {
	if s.ours == nil {
		return nil
	}
	n, err := s.redis.db.ZCard(ctx, "lh:{p0}:q:default").Result()
	if err == nil && int(n) < want-5 { // a stopped worker may hold some that it had taken
		err = fmt.Errorf("%d were accepted, %d are in line", want, n)
	}
	return err
}
