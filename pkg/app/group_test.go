package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAStopWaitsForAllButARedisThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		g := newGroup(t.Context(), slog.New(slog.DiscardHandler), away.Load)
		answer := make(chan struct{})
		g.start("deaf", func(context.Context) error { <-answer; return nil })
		stopped := make(chan struct{})
		go func() { g.stop(); close(stopped) }()
		<-time.After(time.Hour)
		select {
		case <-stopped:
			t.Fatal("did not wait, though Redis is there")
		default:
		}
		away.Store(true)
		<-stopped
		close(answer)
	})
}

func TestAStopWaitsForNothingThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t.Context(), slog.New(slog.DiscardHandler), func() bool { return true })
		g.start("quick", func(ctx context.Context) error { <-ctx.Done(); return nil })
		begun := time.Now()
		g.stop()
		if waited := time.Since(begun); waited > 0 { // by the bubble's clock
			t.Errorf("waited %v", waited)
		}
	})
}
