package runner

import (
	"context"
	"errors"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
)

// finish takes what the engine left: the rest of its output and its files. It
// returns when all of the log is stored. The error says that it is not: fenced,
// or a drain that ran out of time while Redis was away.
func (a *attempt) finish(ctx context.Context) error {
	a.pumps.Wait()
	a.tellLastMetrics(ctx)
	a.dir.artifacts = a.collect(ctx)
	a.writer.Close()
	err := <-a.writing
	a.spool.Close()
	defer a.unspool()
	var kept error
	select {
	case kept = <-a.spooling:
	case <-a.r.giveUp:
		a.unspool()
		kept = <-a.spooling // from here on, nobody but the next process touches the file
	}
	if errors.Is(kept, context.Canceled) {
		kept = errNotStored
	}
	return errors.Join(err, kept)
}

var errNotStored = errors.New("the end of the log is still on disk")

// settle writes the outcome, for as long as it takes: without it the execution
// would be "running" with nothing running.
func (a *attempt) settle(ctx context.Context, s redisstore.Settlement) {
	var dispatch int
	step := a.spans.whole.Child("settle", time.Now())
	err := a.r.retry(ctx, a.log, "settle", a.r.giveUp, func() error {
		return a.r.within(func() (err error) {
			dispatch, err = a.r.store.Settle(ctx, a.lease, s)
			return err
		})
	})
	step.End(failed(err))
	if err != nil && !final(err) {
		a.leave(ctx, s)
		return
	}
	if err != nil {
		a.log.ErrorContext(ctx, "not settled", "status", s.Outcome.Status, "reason", s.Outcome.Reason, "error", err)
		return
	}
	if s.Requeue && dispatch == 0 {
		s.Requeue, s.Outcome.Status, s.Outcome.Reason = false, execution.Cancelled, execution.ReasonCancelled
	}
	a.spans.settled(&s.Outcome, s.Requeue)
	a.r.o.Observer.AttemptEnded(&a.spec, &s.Outcome, time.Since(a.begun), s.Requeue)
	a.log.InfoContext(ctx, "attempt settled", "status", s.Outcome.Status, "reason", s.Outcome.Reason, "requeued", s.Requeue)
	if !s.Requeue {
		return
	}
	if err := a.r.tasks.Enqueue(ctx, execution.TicketFor(a.lease.ID, &a.spec, dispatch, s.Backoff)); err != nil {
		a.log.WarnContext(ctx, "task not enqueued; the reaper will", "error", err)
	}
}

// within is do, which a draining worker does not wait for when its time is over:
// a command on a connection that says nothing takes seconds to fail. Redis may
// still have obeyed it, as with any reply that is lost: to settle once more is
// harmless.
func (r *Runner) within(do func() error) error {
	select {
	case <-r.drain:
	default:
		return do()
	}
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-r.giveUp:
	}
	select {
	case err := <-done: // also of a first try that has only begun
		return err
	case <-time.After(lastTry):
		return &execution.Error{Code: execution.Unavailable, Message: "Redis has not answered in the time of the drain"}
	}
}

// leave puts an outcome that Redis did not take in time on disk, with the end
// of the log: the next process on this disk settles it (see Recover).
func (a *attempt) leave(ctx context.Context, s redisstore.Settlement) {
	if a.dir.root == "" { // it has not even a folder: its lease runs out, and the reaper settles it
		a.log.ErrorContext(ctx, "Redis is away and the outcome is lost", "status", s.Outcome.Status)
		return
	}
	a.dir.left = true
	if err := a.dir.saveSettlement(s); err != nil {
		a.log.ErrorContext(ctx, "the outcome could not be kept on disk", "status", s.Outcome.Status, "error", err)
		return
	}
	a.log.WarnContext(ctx, "Redis is away: the outcome waits on disk for the next worker here", "status", s.Outcome.Status)
}

func (a *attempt) clean(ctx context.Context) {
	// A tree that lost its shim may have left somebody behind who still writes here.
	if spare := a.dir.spare; spare != nil {
		if !a.dir.left && a.process != nil && !a.process.Exit().ShimLost && a.r.disk.spares.keep(spare, a.dir.root) {
			return
		}
		spare.close()
	}
	if err := a.dir.remove(); err != nil {
		a.log.WarnContext(ctx, "workdir not removed", "error", err)
	}
}
