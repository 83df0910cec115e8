package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/httpapi"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/runner"
	"github.com/longhaul/longhaul/pkg/telemetry"
)

// health knows of each dependency whether it is as it should be, and since
// when. It looks by itself, one goroutine each: a probe costs nobody anything,
// and the log gets one line when something goes wrong and one when it is mended.
type health struct {
	log     *slog.Logger
	metrics *telemetry.Metrics
	all     []*dependency

	mu sync.Mutex // guards err and since of all
}

// dependency is one thing that health looks at.
type dependency struct {
	name       string
	gone, back string        // the lines of the log
	every      time.Duration // between two looks
	again      time.Duration // the same while it is wrong; 0: every
	limit      time.Duration // of one look
	required   bool          // without it this process does none of its work
	detail     string        // what everyone may know of an error that says nothing for everyone; the log has the rest
	look       func(context.Context) error

	sooner chan struct{} // asks for a look at once; buffered by one
	err    error
	since  time.Time // zero: not looked at yet
}

func newHealth(log *slog.Logger, m *telemetry.Metrics) *health {
	return &health{log: log, metrics: m}
}

// add must not be called once run is.
func (h *health) add(d dependency) *dependency {
	d.sooner = make(chan struct{}, 1)
	h.all = append(h.all, &d)
	return &d
}

// addRedis: a look is one command, and whoever meets an error meanwhile asks for
// one at once. Two seconds without an answer are a failure, before a probe's own
// patience ends.
func (h *health) addRedis(store *redisstore.Store) *dependency {
	return h.add(dependency{
		name: "redis", gone: "Redis cannot be used", back: "Redis can be used again",
		every: 5 * time.Second, again: time.Second, limit: 2 * time.Second, required: true, detail: "not reachable",
		look: func(ctx context.Context) error {
			if err := store.Ready(ctx); err != nil {
				return err
			}
			began := time.Now()
			err := store.Ping(ctx)
			if err == nil {
				h.metrics.RedisPing(time.Since(began))
			}
			return err
		},
	})
}

// addArtifacts: each look at a bucket costs money. Executions run without it;
// what they leave is not kept.
func (h *health) addArtifacts(files artifact.Store) {
	h.add(dependency{
		name: "artifacts", gone: "artifacts cannot be kept (the setting ARTIFACTS_URL)", back: "artifacts can be kept again",
		every: 15 * time.Second, limit: 10 * time.Second, detail: "files cannot be kept now (the setting ARTIFACTS_URL)",
		look: files.Check,
	})
}

// addDisk: without room a worker takes nothing new. A look is some system calls.
func (h *health) addDisk(run *runner.Runner) {
	h.add(dependency{
		name: "disk", gone: "no room on the disk: this worker takes nothing new", back: "room on the disk: this worker takes work again",
		every: 2 * time.Second, limit: time.Minute, required: true, detail: "no room for another execution (the setting WORKDIR)",
		look: func(context.Context) error { return run.Room() },
	})
}

// run looks until ctx ends.
func (h *health) run(ctx context.Context) error {
	var looking sync.WaitGroup
	for _, d := range h.all {
		looking.Go(func() { h.watch(ctx, d) })
	}
	looking.Wait()
	return nil
}

func (h *health) watch(ctx context.Context, d *dependency) {
	for ctx.Err() == nil {
		began := time.Now()
		look, cancel := context.WithTimeout(ctx, d.limit)
		err := d.look(look)
		cancel()
		if ctx.Err() != nil {
			return // the error, if any, is our own end
		}
		h.found(d, err, began)
		wait := d.every
		if err != nil && d.again > 0 {
			wait = d.again
		}
		select {
		case <-ctx.Done():
		case <-d.sooner:
		case <-time.After(wait):
		}
	}
}

// found takes a look's result. An error that changes while the trouble lasts is
// shown by /ready and not logged again.
func (h *health) found(d *dependency, err error, at time.Time) {
	h.metrics.Check(d.name, err == nil)
	h.mu.Lock()
	defer h.mu.Unlock()
	first, was := d.since.IsZero(), d.since
	changed := first || (d.err == nil) != (err == nil)
	d.err = err
	if !changed {
		return
	}
	d.since = at
	if err != nil {
		h.log.Warn(d.gone, "error", err, "since", at.UTC().Format(execution.TimeFormat))
	} else if !first {
		h.log.Info(d.back, "away", at.Sub(was).Round(time.Millisecond))
	}
}

// hurry asks for a look now.
func (d *dependency) hurry() {
	select {
	case d.sooner <- struct{}{}:
	default: // asked for already
	}
}

// wrong reports whether the last look at d failed.
func (h *health) wrong(d *dependency) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return d.err != nil
}

// checks is what /ready shows.
func (h *health) checks(context.Context) []httpapi.Check {
	h.mu.Lock()
	defer h.mu.Unlock()
	var checks []httpapi.Check
	for _, d := range h.all {
		switch {
		case !d.since.IsZero():
			checks = append(checks, d.check())
		case d.required:
			checks = append(checks, httpapi.Check{Name: d.name, Detail: "not looked at yet"})
		}
	}
	return checks
}

// check needs the mutex. A full Redis is no reason to send callers elsewhere,
// since every replica has the same one: reading goes on, and new work is
// refused with the reason.
func (d *dependency) check() httpapi.Check {
	c := httpapi.Check{Name: d.name, OK: d.err == nil, Since: d.since}
	if d.err != nil {
		c.Degrades = !d.required || execution.CodeOf(d.err) == execution.StorageFull
		c.Detail = d.detail
		if e, ok := errors.AsType[*execution.Error](d.err); ok {
			c.Detail = e.Message
		}
	}
	return c
}
