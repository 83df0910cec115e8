package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/config"
	"github.com/longhaul/longhaul/pkg/dispatch"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/queue"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/runner"
	"github.com/longhaul/longhaul/pkg/telemetry"
	"github.com/longhaul/longhaul/pkg/warm"
)

// Worker runs executions until ctx ends, and then drains.
func Worker(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	p, err := open(cfg, log)
	if err != nil {
		return err
	}
	defer p.close()
	log = p.log
	// Engines of the same user could read the environment of this process, with
	// its secrets, from /proc otherwise.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		log.Warn("the worker's environment stays readable for its engines", "error", err)
	}
	traces, err := telemetry.NewTraces(ctx, "longhaul-worker", Version(), log)
	if err != nil {
		return err
	}
	defer flush(ctx, traces)
	pool := process.NewPool(process.PoolConfig{Slots: cfg.MaxConcurrent, Logger: log})
	keeper := warm.New(p.catalog, pool, warm.Options{Lookup: os.LookupEnv, Logger: log, Observer: p.metrics})
	sealer := redisstore.NewSealer(p.store, log)
	run, err := runner.New(timed{p.store, sealer, p.metrics}, p.catalog, keeper, p.artifacts, p.tasks, runner.Options{
		Worker: cfg.WorkerName, Slots: cfg.MaxConcurrent, Workdir: cfg.Workdir, MinFree: cfg.MinFree,
		Grace: cfg.CancelGrace, DrainTimeout: cfg.DrainTimeout, MetricsEvery: cfg.MetricsInterval, SpoolBytes: cfg.SpoolMaxBytes,
		ArtifactLimits: artifact.Limits{MaxFiles: cfg.Artifacts.MaxFiles, MaxBytes: cfg.Artifacts.MaxBytes},
		Checkpoints:    p.internal, CheckpointEvery: cfg.CheckpointInterval, CheckpointBytes: cfg.CheckpointMaxBytes,
		Lookup: os.LookupEnv, Logger: log, Observer: observer{p.metrics}, Traces: traces,
	})
	if err != nil {
		return err
	}
	p.health.addDisk(run)
	p.metrics.Worker(func() telemetry.WorkerStats { return telemetry.WorkerStats(run.Stats()) })
	// Asynq gets a client of its own, since queue hooks into it; nothing is dialled yet.
	taskClient, err := redisstore.Dial(cfg.RedisURL)
	if err != nil {
		return err
	}
	server := queue.NewServer(taskClient, queue.ServerOptions{
		Slots: cfg.MaxConcurrent, Queues: cfg.Queues, Handle: run.Handle, Hold: run.Full, Logger: p.asynqLog,
		Cancel: func(ctx context.Context, id execution.ID) {
			// The dashboard's cancel button is a request like any other.
			if _, err := dispatch.New(p.store, p.tasks, log).Cancel(ctx, id); err != nil {
				log.WarnContext(ctx, "cancel from the dashboard", "execution_id", id, "error", err)
			}
		},
	})

	g := newGroup(ctx, log, p.away)
	drainProbes, err := p.probes(ctx, g)
	if err != nil {
		return errors.Join(err, run.Close())
	}
	bells := p.store.NewBells(g.ctx, run.Cancel)
	g.start("bells", bells.Run)
	g.start("leases", run.Run)
	g.start("presence", func(ctx context.Context) error { return run.Present(ctx, p.store, Version(), cfg.Queues) })
	g.start("sealing", sealer.Run)
	g.start("recovery", run.Recover)
	g.start("warm engines", func(ctx context.Context) error { return keeper.Run(ctx, run.Folder()) })
	if err := p.keepers(g); err != nil {
		g.stop()
		return err
	}
	if err := awaitRedis(ctx, p); err != nil || ctx.Err() != nil {
		g.stop()
		return errors.Join(err, run.Close())
	}
	log.Info("worker started", "worker", cfg.WorkerName, "slots", cfg.MaxConcurrent, "queues", cfg.Queues, "version", Version())

	// The stop order. queue.Server.Run takes no new task once ctx has ended and
	// returns when every attempt is settled; Drain is what makes them end.
	// Leases are renewed until then, or a reaper would take them for lost.
	drained := context.AfterFunc(ctx, func() {
		log.Info("worker draining", "attempts", run.Active(), "drain_timeout", cfg.DrainTimeout)
		drainProbes()
		sealer.Hurry()
		run.Drain()
	})
	defer drained()
	err = server.Run(ctx)
	run.Drain()
	g.stop()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if cerr := errors.Join(keeper.Close(closing), pool.Close(closing)); cerr != nil {
		log.Error("processes left behind", "error", cerr)
	}
	if cerr := run.Close(); cerr != nil {
		log.Error("workdir not given back", "error", cerr)
	}
	log.Info("worker stopped")
	return err
}

// awaitRedis holds a worker back until Redis answers, or ctx ends: without it
// there is nothing to take, and Asynq would only fill the log.
func awaitRedis(ctx context.Context, p *parts) error {
	for {
		err := p.store.Ready(ctx)
		if err == nil || execution.CodeOf(err) == execution.Conflict {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// observer counts attempts, and what the reaper does.
type observer struct{ m *telemetry.Metrics }

func (o observer) AttemptStarted(s *execution.Spec, waited time.Duration) {
	o.m.Started(s.Name(), waited)
}

func (o observer) AttemptEnded(s *execution.Spec, out *execution.Outcome, ran time.Duration, requeued bool) {
	if requeued {
		o.m.Requeued(s.Name(), out.Reason)
		return
	}
	o.m.Ended(s.Name(), out.Status, out.Reason, ran)
}

// ExecutionEnded counts one that the reaper ended: how long it ran is not known.
func (o observer) ExecutionEnded(s *execution.Spec, out *execution.Outcome) {
	o.m.Ended(s.Name(), out.Status, out.Reason, 0)
}

func (o observer) Reaped(action string) { o.m.Reaped(action) }
func (o observer) Round()               { o.m.ReaperRound(time.Now()) }

// timed is the store as attempts write to it: appends go through the sealer, and are measured.
type timed struct {
	*redisstore.Store
	sealer *redisstore.Sealer
	m      *telemetry.Metrics
}

func (t timed) Append(ctx context.Context, l execution.Lease, b execution.Batch) error {
	start := time.Now()
	err := t.sealer.Append(ctx, l, b)
	t.m.Append(time.Since(start))
	if begun := b.Begun(); err == nil && !begun.IsZero() {
		t.m.Stored(b.LogBytes, time.Since(begun))
	}
	return err
}
