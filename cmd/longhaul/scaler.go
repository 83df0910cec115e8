package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

const (
	// stepTimeout bounds one look: two answers from two services.
	stepTimeout = 30 * time.Second
	// mostPause is between two looks that fail.
	mostPause = 5 * time.Minute
)

// platform is where replicas are set.
type platform interface {
	Replicas(ctx context.Context) (int, error)
	SetReplicas(ctx context.Context, n int) error
}

// scaler follows the line: up at once, down after a calm period and to the most
// that was wanted in it, so that a line that comes and goes changes nothing.
type scaler struct {
	ask      func(context.Context) (*api.QueueStats, error)
	platform platform
	most     int
	calm     time.Duration
	// removeBusy lets replicas go while executions run. Which ones go is the
	// platform's choice: only a drain time as long as the longest execution makes
	// that harmless.
	removeBusy bool
	dryRun     bool
	log        *slog.Logger
	now        func() time.Time

	since  time.Time // since when fewer were wanted than there are; zero: they are not
	peak   int       // the most that was wanted since then
	waited bool      // said that what runs holds it up
}

// watch looks again and again until ctx ends. The first look must work, since
// what is wrong with that is most often a setting. Later ones are tried again,
// ever later; a token that has gone bad ends it.
func (s *scaler) watch(ctx context.Context, every time.Duration) error {
	pause := every
	for first := true; ; first = false {
		err := s.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			pause = every
		case first || errors.Is(err, errToken):
			return err
		default:
			pause = later(pause, err)
			s.log.WarnContext(ctx, "could not look; the replicas stay as they are", "error", err, "again_in", pause)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// later doubles the pause, and does not come before it is asked to.
func later(pause time.Duration, err error) time.Duration {
	pause = min(2*pause, mostPause)
	if b, ok := errors.AsType[*busy](err); ok {
		pause = max(pause, min(b.wait, time.Hour))
	}
	return pause
}

func (s *scaler) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return s.step(ctx)
}

// step looks once, and does what follows from it.
func (s *scaler) step(ctx context.Context) error {
	line, err := s.ask(ctx)
	if execution.CodeOf(err) == execution.Unauthorized {
		return fmt.Errorf("%w (set LONGHAUL_TOKEN)", err)
	} else if err != nil {
		return err
	}
	have, err := s.platform.Replicas(ctx)
	if err != nil {
		return err
	}
	log := s.log.With("replicas", have, "wanted", line.WantedReplicas, "depth", line.Depth, "running", line.Running)
	log.DebugContext(ctx, "looked")
	want := line.WantedReplicas
	if want >= have {
		s.since, s.waited = time.Time{}, false
		if want = min(want, s.most); want <= have {
			return nil
		}
		return s.set(ctx, log, "more workers", want)
	}
	if s.since.IsZero() {
		s.since, s.peak = s.now(), want
		log.InfoContext(ctx, "fewer workers are wanted; waiting whether it stays so", "calm", s.calm)
	}
	s.peak = max(s.peak, want)
	if s.now().Sub(s.since) < s.calm {
		return nil
	}
	if line.Running > 0 && !s.removeBusy {
		if !s.waited {
			log.InfoContext(ctx, "workers are kept while anything runs, since the platform chooses which one stops (--remove-busy)")
		}
		s.waited = true
		return nil
	}
	return s.set(ctx, log, "fewer workers", s.peak)
}

// set begins a new calm period only when it worked.
func (s *scaler) set(ctx context.Context, log *slog.Logger, what string, n int) error {
	if s.dryRun {
		log.InfoContext(ctx, what+", were this no dry run", "to", n)
	} else {
		if err := s.platform.SetReplicas(ctx, n); err != nil {
			return err
		}
		log.InfoContext(ctx, what, "to", n)
	}
	s.since, s.waited = time.Time{}, false
	return nil
}
