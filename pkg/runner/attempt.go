package runner

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/logstream"
	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/queue"
	"github.com/longhaul/longhaul/pkg/redisstore"
)

// attempt is one try to carry an execution, from claim to settle.
type attempt struct {
	r      *Runner
	spec   execution.Spec
	lease  execution.Lease
	begun  time.Time
	waited time.Duration // in line
	log    *slog.Logger
	spans  spans

	causes chan cause    // the first stop; buffered by one
	left   chan struct{} // closed when nothing of it is here any more

	// Filled by start.
	dir      workdir
	process  *process.Process
	killed   uint64 // process.MemoryKills before it
	grace    time.Duration
	clocks   clocks
	meter    meter
	redactor *logstream.Redactor
	writer   *logstream.Writer
	spool    *logstream.Spool
	kept     atomic.Pointer[logstream.Spool] // the same, for Stats
	pumps    sync.WaitGroup
	writing  chan error // the end of writer.Run
	spooling chan error // the end of spool.Run
	unspool  context.CancelFunc

	checkpoint checkpoint
}

// Handle carries one attempt of id. It returns when the attempt is settled and
// nothing of its engine is left, or at once when there is nothing to do: the
// execution has ended, or somebody else has it.
func (r *Runner) Handle(ctx context.Context, id execution.ID) {
	select {
	case r.slots <- struct{}{}:
	case <-r.drain:
		return // it stays queued; the reaper finds its task missing and dispatches it again
	}
	free := sync.OnceFunc(func() { <-r.slots; queue.Free(ctx) })
	defer free()
	select {
	case <-r.drain: // even where a slot was free too
		return // likewise
	default:
	}
	if r.room.lately() != nil {
		return // likewise; and no task is taken until there is room again
	}
	a := r.claim(ctx, id)
	if a == nil {
		return
	}
	r.enter(a)
	defer r.leave(a)
	defer a.clean(ctx)
	defer func() { a.spans.whole.End("") }() // one that has ended stays as it was

	if err := a.start(ctx); err != nil {
		a.settle(ctx, a.notStarted(ctx, err))
		return
	}
	a.pump(ctx)
	a.keepCheckpoint(ctx)
	defer a.endCheckpoint()
	why := a.watch(ctx)
	a.spans.ran(a.process.Exit())
	a.lastCheckpoint(ctx, why)
	if stored := a.finish(ctx); why == causeFenced || errors.Is(stored, execution.ErrFenced) {
		a.spans.whole.End("fenced")
		a.log.WarnContext(ctx, "attempt fenced; its engine is gone and nothing more is written")
		return
	} else if stored != nil {
		// The end of the log is still on disk, and must be stored before the outcome.
		a.leave(ctx, a.outcome(why))
		return
	}
	free() // what is left to do is to write: the next one may start meanwhile
	a.settle(ctx, a.outcome(why))
}

// claim turns queued into running. While Redis is away it waits; the task is
// ours as long as we live.
func (r *Runner) claim(ctx context.Context, id execution.ID) *attempt {
	token, begun := redisstore.NewToken(), time.Now()
	log := r.o.Logger.With("execution_id", id)
	var c redisstore.Claimed
	err := r.retry(ctx, log, "claim", r.drain, func() (err error) {
		c, err = r.store.Claim(ctx, id, r.o.Worker, token)
		return err
	})
	if err != nil {
		if code := execution.CodeOf(err); code != execution.Conflict && code != execution.NotFound {
			log.ErrorContext(ctx, "not claimed", "error", err)
		}
		return nil
	}
	a := &attempt{
		r: r, spec: c.Spec, lease: c.Lease, begun: time.Now(), waited: c.Waited,
		log: log.With("attempt", c.Lease.Attempt), redactor: logstream.NewRedactor(nil),
		causes: make(chan cause, 1), left: make(chan struct{}), writing: make(chan error, 1), spooling: make(chan error, 1),
	}
	a.trace(ctx, begun)
	return a
}

// start makes the workdir and the process.
func (a *attempt) start(ctx context.Context) (err error) {
	step := a.spans.whole.Child("start", time.Now())
	defer func() {
		step.End(failed(err))
		if err != nil {
			a.spans.run.End(failed(err))
		}
	}()
	launch, err := a.r.catalog.Launch(&a.spec, a.r.o.Lookup)
	if err != nil {
		return err
	}
	a.redactor = logstream.NewRedactor(launch.Secrets)
	if a.grace = launch.Grace; a.grace <= 0 {
		a.grace = a.r.o.Grace
	}
	a.meter.every = a.r.o.MetricsEvery
	a.clocks = clocks{stalledAfter: launch.StalledAfter, progressTimeout: launch.ProgressTimeout}
	if a.dir, err = a.r.disk.workdir(a.note(), launch.Dir); err != nil {
		return err
	}
	if err = a.fetchInputs(ctx); err != nil {
		return err
	}
	if err = a.openCheckpoint(ctx); errors.Is(err, artifact.ErrCheckpointDisk) {
		return &diskError{err}
	} else if err != nil {
		return err
	}
	a.killed = process.MemoryKills()
	a.spans.run = a.spans.whole.Child("run", time.Now())
	a.process, err = a.r.processes.Start(ctx, process.Command{
		ExecutionID: string(a.lease.ID), Warm: launch.Warm,
		Path: launch.Path, Args: launch.Args, Dir: a.dir.cwd, Stdin: launch.Stdin,
		Env: append(launch.Env, a.environ(time.Now().Add(a.spec.Timeout()))...),
		Limits: process.Limits{
			OpenFiles: launch.Limits.OpenFiles, FileSize: launch.Limits.FileSize, AddressSpace: launch.Limits.AddressSpace,
			CPUSeconds: launch.Limits.CPUSeconds, Processes: launch.Limits.Processes,
		},
	})
	if err != nil {
		return err
	}
	a.r.o.Observer.AttemptStarted(&a.spec, a.waited)
	a.log.InfoContext(ctx, "engine started", "engine", a.spec.Name(), "pid", a.process.PID(), "warm", a.process.Warm())
	return nil
}

// pump begins to carry the engine's output to Redis. The pipes are drained
// even when the writer has given up, so that an engine never hangs on us.
func (a *attempt) pump(ctx context.Context) {
	a.spool = logstream.NewSpool(a.r.store, a.lease, a.dir.spool(), a.r.o.SpoolBytes, a.log)
	a.kept.Store(a.spool)
	a.writer = logstream.NewWriter(a.spool, a.lease, logstream.Options{Redactor: a.redactor, Logger: a.log})
	a.tellRestored(ctx)
	a.tellCold(ctx)
	a.writer.Events(a.process.Events()) // so that a value to redact counts before it is printed
	spooling, unspool := context.WithCancel(ctx)
	a.unspool = unspool
	go a.background(ctx, a.writing, a.writer.Run)
	go a.background(spooling, a.spooling, a.spool.Run)
	a.carry(ctx, a.process.Stdout(), func(r io.Reader) error { return a.writer.Pump(execution.Stdout, r) })
	a.carry(ctx, a.process.Stderr(), func(r io.Reader) error { return a.writer.Pump(execution.Stderr, r) })
	a.carry(ctx, a.process.Events(), a.writer.PumpEvents)
}

// carry reads one of the engine's pipes to its end.
func (a *attempt) carry(ctx context.Context, pipe *os.File, read func(io.Reader) error) {
	a.pumps.Go(func() {
		defer pipe.Close()
		if err := read(pipe); err != nil {
			a.log.WarnContext(ctx, "reading the engine's output", "error", err)
		}
	})
}

// background runs a part of the pump. A refused write means that the engine must end.
func (a *attempt) background(ctx context.Context, ended chan<- error, run func(context.Context) error) {
	err := run(ctx)
	if errors.Is(err, execution.ErrFenced) {
		a.stop(causeFenced)
	}
	ended <- err
}

// watch waits until nothing of the engine is left, and ends it when there is a
// cause to. It returns the one cause, if any: what happens after the engine has
// exited by itself is none.
func (a *attempt) watch(ctx context.Context) cause {
	deadline := time.NewTimer(time.Until(a.process.StartedAt().Add(a.spec.Timeout())))
	defer deadline.Stop()
	interrupt := time.NewTimer(time.Hour)
	interrupt.Stop()
	defer interrupt.Stop()

	idle, stop := a.clocks.start(a.process.StartedAt())
	defer stop()
	measure, stopMeasuring := a.meter.start(a.process)
	defer stopMeasuring()
	why, drain, exited := causeNone, a.r.drain, a.process.Exited()
	grace := a.grace
	end := func(c cause, grace time.Duration) {
		if why == causeNone && exited != nil {
			why = c
			a.log.InfoContext(ctx, "ending the engine", "cause", c, "grace", grace)
			a.process.Terminate(grace)
		}
	}
	for {
		select {
		case <-a.process.Gone():
			return why
		case <-exited:
			exited = nil
		case <-deadline.C:
			end(causeTimeout, grace)
		case c := <-a.causes:
			switch c {
			case causeFenced:
				why = c
				a.process.Terminate(0)
			case causeKill:
				end(causeCancel, 0)
				a.process.Terminate(0) // one that is in its grace loses it
			default:
				end(c, grace)
			}
		case now := <-idle:
			stalled, stuck := a.clocks.look(now, a.writer.Activity)
			if stalled > 0 && exited != nil {
				a.tellStalled(ctx, stalled)
			}
			if stuck {
				end(causeIdle, grace)
			}
		case <-measure:
			a.process.Measure()
		case usage := <-a.process.Measured():
			a.tellMetrics(ctx, usage)
		case <-drain:
			drain = nil
			var wait time.Duration
			wait, grace = drainPlan(a.r.o.DrainTimeout, a.savingTime(), a.grace)
			interrupt.Reset(wait)
		case <-interrupt.C:
			end(causeInterrupt, grace)
			a.process.Terminate(grace) // also shortens the grace of an earlier cause
		}
	}
}

// stop asks watch to end the engine; only the first cause is kept.
func (a *attempt) stop(c cause) {
	select {
	case a.causes <- c:
	default:
	}
}
