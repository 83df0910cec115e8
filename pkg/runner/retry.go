package runner

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
)

// Pauses between tries while Redis is away: soon at first, never rarely, since
// an execution's end hangs on it.
const (
	retryFirst = 50 * time.Millisecond
	retryMost  = 2 * time.Second
)

// retry calls do until it succeeds, its error is final, or giveUp is closed.
func (r *Runner) retry(ctx context.Context, log *slog.Logger, what string, giveUp <-chan struct{}, do func() error) error {
	pause := retryFirst
	for tries := 1; ; tries++ {
		err := do()
		if err == nil || final(err) {
			return err
		}
		if tries == 1 || pause == retryMost {
			log.WarnContext(ctx, "trying again", "step", what, "tries", tries, "error", err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-giveUp:
			return err
		case <-time.After(pause):
		}
		pause = min(2*pause, retryMost)
	}
}

// final tells errors that another try would meet again.
func final(err error) bool {
	if errors.Is(err, execution.ErrFenced) || errors.Is(err, redisstore.ErrAlive) {
		return true
	}
	switch execution.CodeOf(err) {
	case execution.Unavailable, execution.StorageFull:
		return false
	}
	return true
}
