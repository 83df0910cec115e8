// Package dispatch starts and cancels executions: the record and its Asynq task
// in one step, or the task after the record where that cannot be, so that
// whatever was accepted is in Redis and whatever is in Redis gets its turn. It
// owns no connection. While there are tickets to hand over it has one goroutine,
// which ends by itself; Flush waits for it.
package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/telemetry"
)

// Records is where executions are kept: redisstore.
type Records interface {
	CreateAs(ctx context.Context, id execution.ID, spec *execution.Spec, owner, idempotencyKey string, line execution.Script) (execution.Created, error)
	NewID(ctx context.Context, owner, idempotencyKey string) (execution.ID, error)
	Cancel(ctx context.Context, id execution.ID) (execution.Cancellation, error)
	Kill(ctx context.Context, id execution.ID) (execution.Cancellation, error)
	Get(ctx context.Context, id execution.ID) (*execution.Record, error)
}

// Tasks is the line that workers take from: queue.
type Tasks interface {
	// Draft is what Enqueue would do with one ticket, for Records to do at once with the record.
	Draft(ctx context.Context, t execution.Ticket) (execution.Script, error)
	// Enqueue may be repeated after an error, when some of them may be there.
	Enqueue(ctx context.Context, tickets ...execution.Ticket) error
	Delete(ctx context.Context, t execution.Ticket) error
}

// Dispatcher starts and cancels executions.
type Dispatcher struct {
	records Records
	tasks   Tasks
	log     *slog.Logger

	mu      sync.Mutex // guards the fields below
	tickets []execution.Ticket
	sending chan struct{} // closed when the goroutine that sends has ended; nil: there is none
}

// New makes a Dispatcher.
func New(records Records, tasks Tasks, log *slog.Logger) *Dispatcher {
	return &Dispatcher{records: records, tasks: tasks, log: log}
}

// Options of one Submit.
type Options struct {
	// IdempotencyKey, if any: the same key with the same spec gives the same
	// execution, with another spec an error of code IdempotencyUsed.
	IdempotencyKey string
	// Owner separates the keys of callers from each other: a hash of their token.
	Owner string
	// ID is one of NewID for this key and owner; "" is a new one.
	ID execution.ID
}

// NewID is an id for a Submit that must know it before: something is kept under it.
func (d *Dispatcher) NewID(ctx context.Context, o Options) (execution.ID, error) {
	return d.records.NewID(ctx, o.Owner, o.IdempotencyKey)
}

// Receipt is the answer to Submit.
type Receipt struct {
	Record   *execution.Record
	Position int  // executions before it in its line
	Replayed bool // the idempotency key was known: nothing new was started
}

// Submit accepts an execution. When it returns without an error, the execution
// is in Redis and will run or end with a reason, whatever happens next.
func (d *Dispatcher) Submit(ctx context.Context, spec execution.Spec, o Options) (Receipt, error) {
	spec.Traceparent = telemetry.Traceparent(ctx)
	if o.ID == "" {
		var err error
		if o.ID, err = d.NewID(ctx, o); err != nil {
			return Receipt{}, err
		}
	}
	ticket := execution.TicketFor(o.ID, &spec, firstDispatch, time.Duration(spec.DelaySeconds)*time.Second)
	line, err := d.tasks.Draft(ctx, ticket)
	if err != nil {
		return Receipt{}, err
	}
	c, err := d.records.CreateAs(ctx, o.ID, &spec, o.Owner, o.IdempotencyKey, line)
	if err != nil {
		return Receipt{}, err
	}
	telemetry.Note(ctx, telemetry.FieldExecution, string(c.Record.ID))
	receipt := Receipt{Record: c.Record, Position: c.Position, Replayed: c.Known}
	if !c.Known && !c.InLine {
		d.hand(ticket) // it is accepted, and the answer waits for nothing else
	}
	return receipt, nil
}

// firstDispatch is what create.lua gives a new record.
const firstDispatch = 1

// CancelReceipt says what a cancel did.
type CancelReceipt struct {
	Record *execution.Record // after the cancel
	// Settled: it is cancelled now. Otherwise it runs, and its worker has been told.
	Settled bool
	// RequestedAt is when the first cancel was stored; a repeated one keeps it.
	RequestedAt time.Time
}

// Cancel asks for the end of an execution. Repeating it is harmless. One that
// has ended in another way is an error of code Conflict, that never was one of
// code NotFound.
func (d *Dispatcher) Cancel(ctx context.Context, id execution.ID) (CancelReceipt, error) {
	return d.cancelled(ctx, id, d.records.Cancel)
}

// Kill is Cancel without the engine's grace, also for one that is being cancelled.
func (d *Dispatcher) Kill(ctx context.Context, id execution.ID) (CancelReceipt, error) {
	return d.cancelled(ctx, id, d.records.Kill)
}

func (d *Dispatcher) cancelled(ctx context.Context, id execution.ID, cancel func(context.Context, execution.ID) (execution.Cancellation, error)) (CancelReceipt, error) {
	c, err := cancel(ctx, id)
	if err != nil {
		return CancelReceipt{}, err
	}
	if c.Ended && c.Status != execution.Cancelled {
		return CancelReceipt{}, execution.Errorf(execution.Conflict, "the execution has already ended as %s; nothing is left to cancel", c.Status)
	}
	r, err := d.records.Get(ctx, id)
	if err != nil {
		return CancelReceipt{}, err
	}
	if c.Settled {
		// A worker would refuse the task anyway; without this the dashboard
		// would count it until then.
		if err := d.tasks.Delete(ctx, execution.TicketFor(id, &r.Spec, c.Dispatch, 0)); err != nil {
			d.log.InfoContext(ctx, "task of a cancelled execution left for a worker to drop", "execution_id", id, "error", err)
		}
	}
	return CancelReceipt{Record: r, Settled: r.Status == execution.Cancelled, RequestedAt: r.CancelRequestedAt}, nil
}
