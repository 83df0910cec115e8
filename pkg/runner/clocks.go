package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// clocks are an engine's two idle clocks, each off where it is 0. Silence is
// only told of: many good engines are silent for long. What an engine declares
// about its progress is a promise, and may end it.
type clocks struct {
	stalledAfter    time.Duration
	progressTimeout time.Duration

	begun time.Time
	told  bool // of this silence
}

// start gives the instants to look at the clocks; never, where both are off.
func (c *clocks) start(now time.Time) (_ <-chan time.Time, stop func()) {
	c.begun = now
	shortest := c.stalledAfter
	if shortest == 0 || c.progressTimeout > 0 && c.progressTimeout < shortest {
		shortest = c.progressTimeout
	}
	if shortest == 0 {
		return nil, func() {}
	}
	t := time.NewTicker(max(shortest/10, 10*time.Millisecond)) // at most a tenth late
	return t.C, t.Stop
}

// look reads the clocks. stalled is the length of a silence that has not been
// told of yet, else 0; stuck says that progress was due.
func (c *clocks) look(now time.Time, activity func() (output, progress time.Time)) (stalled time.Duration, stuck bool) {
	output, progress := activity()
	silence := now.Sub(later(c.begun, output))
	switch {
	case c.stalledAfter == 0 || silence < c.stalledAfter:
		c.told = false
	case !c.told:
		c.told, stalled = true, silence
	}
	return stalled, c.progressTimeout > 0 && now.Sub(later(c.begun, progress)) >= c.progressTimeout
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (a *attempt) tellStalled(ctx context.Context, silence time.Duration) {
	data := fmt.Appendf(nil, `{"silent_seconds":%d}`, int(silence.Seconds()))
	if err := a.writer.Emit(execution.Event{Type: execution.EventStalled, Data: data}); err != nil {
		a.log.WarnContext(ctx, "stalled, and not told", "error", err)
	}
}
