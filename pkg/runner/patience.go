package runner

import (
	"context"
	"time"
)

// fetchLeast is how long reading from the store may go on when the worker is
// told to stop.
const fetchLeast = time.Second

// patiently reads from the artifact store before the engine starts. It waits for
// a store that is away, but not for ever, and not when the attempt is to end.
func (a *attempt) patiently(ctx context.Context, what string, most time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	defer func() { cancel(nil); <-over }()
	go func() {
		defer close(over)
		select {
		case <-a.r.drain:
		case why := <-a.causes:
			a.stop(why) // for watch, should the reading be over this very moment
			cancel(stopped{why})
		case <-ctx.Done():
		}
		select { // an engine that can be started may still end by itself
		case <-time.After(fetchLeast):
			cancel(stopped{causeInterrupt})
		case <-ctx.Done():
		}
	}()
	giveUp := time.Now().Add(most)
	bounded, end := context.WithDeadline(ctx, giveUp)
	defer end()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := try(bounded)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil || hopeless(err) || time.Now().Add(pause).After(giveUp) {
			return err
		}
		a.log.WarnContext(ctx, what+" not read; trying again", "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
