package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/queue"
	"github.com/longhaul/longhaul/pkg/redisstore"
)

// Ledger is what the Reaper looks through: redisstore.
type Ledger interface {
	Ready(ctx context.Context) error
	Tick(ctx context.Context) (redisstore.Tick, error)
	Get(ctx context.Context, id execution.ID) (*execution.Record, error)
	Lost(ctx context.Context, limit int) ([]execution.Lease, error)
	Settle(ctx context.Context, l execution.Lease, s redisstore.Settlement) (dispatch int, err error)
	HeadOfLine(ctx context.Context, limit int, ms int64) ([]redisstore.Waiting, error)
	Redispatch(ctx context.Context, id execution.ID, dispatch int) (int, error)
	Overdue(ctx context.Context, limit int) ([]execution.ID, error)
	Abandon(ctx context.Context, id execution.ID, o execution.Outcome) (bool, error)
	Expired(ctx context.Context, limit int) ([]execution.ID, error)
	Purge(ctx context.Context, id execution.ID) error
	Tidy(ctx context.Context) (more bool, err error)
	Fold(ctx context.Context) (more bool, err error)
}

// Line is what the Reaper puts back, and takes out in the end: queue.
type Line interface {
	Tasks
	Delete(ctx context.Context, t execution.Ticket) error
	Drop(ctx context.Context, t execution.Ticket) error
	State(ctx context.Context, t execution.Ticket) (queue.State, error)
}

// Files is what goes with an execution whose retention is over: artifact.Store.
type Files interface {
	Delete(ctx context.Context, id execution.ID) error
}

// ReaperObserver is told of what a Reaper does, for metrics. Its methods must not block.
type ReaperObserver interface {
	// Reaped: lost and overdue ended an execution or put it back, redispatched gave
	// it a new task, discarded took it out after its retention.
	Reaped(action string)
	ExecutionEnded(spec *execution.Spec, o *execution.Outcome)
	Round() // one more look has reached Redis
}

const (
	reapEvery = time.Second
	// standByEvery is how often a replica comes that was not the one to move the
	// clock: should that one be gone, this many ticks are lost.
	standByEvery = 2 * time.Second
	// slowTicks lie between two looks at what can wait: retention, and what
	// becomes of logs and records minutes after the end.
	slowTicks = 10
	// reapMost bounds one round of each duty, so that a flood of one never keeps
	// the others waiting.
	reapMost = 100
	// A task may be missing for as long as it takes from the record to Asynq;
	// after that it is lost.
	missingAfter = 3 * time.Second
	// A worker claims at once when it has taken a task. One that has not after
	// this long has died in between, or its dequeue was answered to nobody.
	activeAfter = 15 * time.Second
	// headOfLine is how deep each queue is looked at: a lost task reaches it
	// however long the line.
	headOfLine = 50
	// cleanAtOnce is for stores of files, where each waits for a bucket most of
	// the time; to Redis it is eight clients more, each with one command at a time.
	cleanAtOnce = 8
	// deleteTimeout bounds how long one execution's files may hold up the next's.
	deleteTimeout = 30 * time.Second
)

// Reaper ends what its worker no longer can, and puts back what Asynq has
// lost. Every replica runs one; whoever moves the lease clock in a second does
// that second's work, so more replicas make it surer, not busier.
type Reaper struct {
	ledger Ledger
	line   Line
	files  Files
	log    *slog.Logger
	tell   ReaperObserver

	// active remembers since when a task was seen with a worker whose execution
	// is still queued. Only Run's own goroutine touches it.
	active map[execution.ID]time.Time
	// Each asks for a round of a duty that waits for a store of files, which may
	// be slow, or away: it must not hold up the rest.
	clean, tidying, folding chan struct{}
}

// NewReaper makes a Reaper.
func NewReaper(ledger Ledger, line Line, files Files, log *slog.Logger) *Reaper {
	return &Reaper{ledger: ledger, line: line, files: files, log: log, tell: nobody{}, active: map[execution.ID]time.Time{}, clean: make(chan struct{}, 1), tidying: make(chan struct{}, 1), folding: make(chan struct{}, 1)}
}

// Observe sets who is told. Call it before Run.
func (p *Reaper) Observe(o ReaperObserver) { p.tell = o }

// Run reaps until ctx ends. Redis being away is waited out.
func (p *Reaper) Run(ctx context.Context) error {
	var cleaning sync.WaitGroup
	defer cleaning.Wait()
	cleaning.Go(func() { p.keep(ctx, "retention", p.clean, p.expired) })
	cleaning.Go(func() { p.keep(ctx, "logs of ended executions", p.tidying, p.tidy) })
	cleaning.Go(func() { p.keep(ctx, "records of ended executions", p.folding, p.fold) })
	every := reapEvery
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		next, err := p.round(ctx)
		if err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "reaper", "error", err)
		}
		if next != every { // else its beat stays, however long the round took
			every = next
			ticker.Reset(every)
		}
	}
}

// round does one second's work, if it is this replica's, and says when the next is.
func (p *Reaper) round(ctx context.Context) (next time.Duration, err error) {
	if err := p.ledger.Ready(ctx); err != nil {
		return reapEvery, err
	}
	tick, err := p.ledger.Tick(ctx)
	if err != nil {
		return reapEvery, err
	}
	p.tell.Round()
	if !tick.Mine {
		return standByEvery, nil
	}
	if tick.N%slowTicks == 0 {
		p.startSlow()
	}
	var failed []error
	if tick.Running {
		failed = append(failed, p.lost(ctx))
	}
	if tick.Impatient {
		failed = append(failed, p.overdue(ctx))
	}
	if tick.Waiting {
		failed = append(failed, p.missing(ctx))
	} else {
		clear(p.active)
	}
	return reapEvery, errors.Join(failed...)
}

// startSlow asks for a round of each slow duty.
func (p *Reaper) startSlow() {
	for _, rounds := range []chan struct{}{p.clean, p.tidying, p.folding} {
		select {
		case rounds <- struct{}{}:
		default: // the last round of it still goes on
		}
	}
}

// each does one thing for many and goes on past those that fail.
func each[T any](ctx context.Context, all []T, do func(context.Context, T) error) error {
	var failed []error
	for _, one := range all {
		if err := do(ctx, one); err != nil {
			failed = append(failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return few(failed)
}

// few shortens a list of errors that say the same.
func few(failed []error) error {
	if n := len(failed); n > 3 {
		return errors.Join(failed[0], fmt.Errorf("and %d more", n-1))
	}
	return errors.Join(failed...)
}

// lost settles attempts whose lease has run out.
func (p *Reaper) lost(ctx context.Context) error {
	leases, err := p.ledger.Lost(ctx, reapMost)
	if err != nil {
		return err
	}
	return each(ctx, leases, p.lose)
}

func (p *Reaper) lose(ctx context.Context, l execution.Lease) error {
	r, err := p.ledger.Get(ctx, l.ID)
	if err != nil {
		return err
	}
	s := lostSettlement(r)
	dispatch, err := p.ledger.Settle(ctx, l, s)
	if errors.Is(err, redisstore.ErrAlive) || errors.Is(err, execution.ErrFenced) {
		return nil // it renewed, or settled, between our two looks
	}
	if err != nil {
		return err
	}
	p.log.WarnContext(ctx, "worker lost", "execution_id", l.ID, "attempt", l.Attempt, "worker", r.Worker, "requeued", dispatch > 0)
	p.tell.Reaped("lost")
	if dispatch == 0 {
		p.tell.ExecutionEnded(&r.Spec, &s.Outcome)
		return nil
	}
	return p.line.Enqueue(ctx, execution.TicketFor(l.ID, &r.Spec, dispatch, s.Backoff))
}

// lostSettlement is how an execution ends whose worker is gone.
func lostSettlement(r *execution.Record) redisstore.Settlement {
	o := execution.Outcome{
		Status: execution.Errored, Reason: execution.ReasonWorkerLost, Attempt: r.Attempt, Worker: r.Worker,
		Message: fmt.Sprintf("worker %s was lost: it was killed, or could not reach Redis for longer than its lease", r.Worker),
	}
	if !r.CancelRequestedAt.IsZero() {
		o.Status, o.Reason = execution.Cancelled, execution.ReasonCancelled
		o.Message = "cancelled on request; " + o.Message
		return redisstore.Settlement{Outcome: o, IfLost: true}
	}
	requeue := mayFollow(&r.Spec, r.Attempt)
	return redisstore.Settlement{Outcome: o, IfLost: true, Requeue: requeue, Backoff: backoff(r.Attempt)}
}

// backoff before the next attempt: 1 s, 2 s, 4 s, … one minute.
func backoff(attempt int) time.Duration {
	return min(time.Second<<min(attempt-1, 6), time.Minute)
}

// missing dispatches again what waits at the head of the line with no task, with
// one that a worker took and never claimed, or with one whose delay is over by
// Redis' clock but not by that of any worker.
func (p *Reaper) missing(ctx context.Context) error {
	waiting, err := p.ledger.HeadOfLine(ctx, headOfLine, missingAfter.Milliseconds())
	if err != nil {
		return err
	}
	seen := make(map[execution.ID]time.Time, len(p.active))
	err = each(ctx, waiting, func(ctx context.Context, w redisstore.Waiting) error {
		ticket := execution.Ticket{ID: w.ID, Queue: w.Queue, Dispatch: w.Dispatch}
		state, err := p.line.State(ctx, ticket)
		if err != nil {
			return err
		}
		since, known := p.active[w.ID]
		switch {
		case state == queue.Waiting:
			return nil
		case state == queue.Active && !known:
			seen[w.ID] = time.Now()
			return nil
		case state == queue.Active && time.Since(since) < activeAfter:
			seen[w.ID] = since
			return nil
		case state == queue.Scheduled:
			if err := p.line.Delete(ctx, ticket); err != nil {
				return err
			}
		}
		return p.redispatch(ctx, w)
	})
	p.active = seen
	return err
}

func (p *Reaper) redispatch(ctx context.Context, w redisstore.Waiting) error {
	r, err := p.ledger.Get(ctx, w.ID)
	if err != nil {
		return err
	}
	n, err := p.ledger.Redispatch(ctx, w.ID, w.Dispatch)
	if err != nil || n == 0 {
		return err
	}
	p.log.WarnContext(ctx, "task was missing; dispatched again", "execution_id", w.ID, "attempt", r.Attempt, "dispatch", n)
	p.tell.Reaped("redispatched")
	return p.line.Enqueue(ctx, execution.TicketFor(w.ID, &r.Spec, n, 0))
}

// overdue ends what has waited in line for longer than its caller wanted.
func (p *Reaper) overdue(ctx context.Context) error {
	ids, err := p.ledger.Overdue(ctx, reapMost)
	if err != nil {
		return err
	}
	return each(ctx, ids, p.abandon)
}

func (p *Reaper) abandon(ctx context.Context, id execution.ID) error {
	o := execution.Outcome{
		Status: execution.Timeout, Reason: execution.ReasonQueueWait,
		Message: "waited in line for longer than its queue_timeout_seconds; it never ran: add workers, or raise it",
	}
	ended, err := p.ledger.Abandon(ctx, id, o)
	if err != nil || !ended {
		return err
	}
	r, err := p.ledger.Get(ctx, id)
	if err != nil {
		return err
	}
	p.tell.Reaped("overdue")
	p.tell.ExecutionEnded(&r.Spec, &o)
	// Where no worker serves its line, nobody else would ever take it out.
	return p.line.Delete(ctx, execution.TicketFor(id, &r.Spec, r.Dispatch, 0))
}

// keep does one of the slow duties, a round at a time.
func (p *Reaper) keep(ctx context.Context, what string, rounds <-chan struct{}, do func(context.Context) error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-rounds:
		}
		if err := do(ctx); err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, what, "error", err)
		}
	}
}

// whileMore goes on with a slow duty while there is something to do.
func whileMore(ctx context.Context, step func() (more bool, err error)) error {
	for {
		more, err := step()
		if err != nil || !more || ctx.Err() != nil {
			return err
		}
	}
}

// expired takes out executions whose retention is over, a page after the other.
// What fails is tried again in the next round.
func (p *Reaper) expired(ctx context.Context) error {
	return whileMore(ctx, func() (more bool, err error) {
		ids, err := p.ledger.Expired(ctx, reapMost)
		if err != nil {
			return false, err
		}
		return len(ids) >= reapMost, p.discardAll(ctx, ids)
	})
}

// discardAll discards a page, cleanAtOnce at a time.
func (p *Reaper) discardAll(ctx context.Context, ids []execution.ID) error {
	var (
		lanes  errgroup.Group
		mu     sync.Mutex // guards failed
		failed []error
	)
	lanes.SetLimit(cleanAtOnce)
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		lanes.Go(func() error {
			if err := p.discard(ctx, id); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
			return nil
		})
	}
	_ = lanes.Wait() // failed has all of them
	return few(failed)
}

// discard takes an execution out of the artifact store, out of Asynq and then
// out of Redis: in that order, since the record is what finds the others.
func (p *Reaper) discard(ctx context.Context, id execution.ID) error {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	if err := p.files.Delete(ctx, id); err != nil {
		return fmt.Errorf("delete artifacts of %s: %w", id, err)
	}
	r, err := p.ledger.Get(ctx, id)
	if err != nil && execution.CodeOf(err) != execution.NotFound {
		return err
	}
	for n := 1; err == nil && n <= r.Dispatch; n++ {
		if err := p.line.Drop(ctx, execution.TicketFor(id, &r.Spec, n, 0)); err != nil {
			return err
		}
	}
	err = p.ledger.Purge(ctx, id)
	if err == nil {
		p.tell.Reaped("discarded")
	}
	return err
}

// fold gives what ended a while ago its small form. It waits for Redis alone, but
// after an update there may be a week's worth to do.
func (p *Reaper) fold(ctx context.Context) error {
	return whileMore(ctx, func() (bool, error) { return p.ledger.Fold(ctx) })
}

// tidy packs and moves the logs of what has ended.
func (p *Reaper) tidy(ctx context.Context) error {
	return whileMore(ctx, func() (bool, error) { return p.ledger.Tidy(ctx) })
}
