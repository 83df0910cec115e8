package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// backoff spaces the tries of one call. Pauses are random up to a bound that
// doubles, so that clients that a deploy has cut do not come back as one.
type backoff struct {
	giveUp time.Duration
	since  time.Time // of the first failure in a row
	bound  time.Duration
}

const (
	firstPause = 250 * time.Millisecond
	maxPause   = 15 * time.Second
)

// reset notes a success.
func (b *backoff) reset() { b.since, b.bound = time.Time{}, 0 }

// wait pauses after err, or returns an error: err where trying on is vain, the
// context's when it ends.
func (b *backoff) wait(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !passes(err) {
		return err
	}
	now := time.Now()
	if b.since.IsZero() {
		b.since = now
	}
	if now.Sub(b.since) >= b.giveUp {
		return err
	}
	b.bound = min(max(2*b.bound, firstPause), maxPause)
	pause := rand.N(b.bound)
	if p, ok := errors.AsType[*Problem](err); ok && p.RetryAfter > 0 {
		pause += min(p.RetryAfter, maxPause)
	}
	return sleep(ctx, pause)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
