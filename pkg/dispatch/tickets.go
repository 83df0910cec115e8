package dispatch

import (
	"context"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

const (
	// ticketsMost bounds what waits here while Redis takes records and no tasks.
	ticketsMost = 10_000
	// batchMost bounds one round trip.
	batchMost = 128
	// enqueueTimeout bounds one try, and enqueueTries how often it is made: after
	// that the reaper finds the tasks missing, and enqueues them.
	enqueueTimeout = 5 * time.Second
	enqueueTries   = 5
	enqueuePause   = 50 * time.Millisecond
)

// hand puts a ticket in line for Asynq. Tickets go out in the order in which
// they came: those that gathered while the last ones were on their way are the
// next batch.
func (d *Dispatcher) hand(t execution.Ticket) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.tickets) >= ticketsMost {
		d.log.Warn("task not enqueued; the reaper will", "execution_id", t.ID, "waiting", len(d.tickets))
		return
	}
	d.tickets = append(d.tickets, t)
	if d.sending == nil {
		d.sending = make(chan struct{})
		go d.send()
	}
}

// send hands over tickets until there are none.
func (d *Dispatcher) send() {
	for batch := d.next(); len(batch) > 0; batch = d.next() {
		d.enqueue(batch)
	}
}

func (d *Dispatcher) next() []execution.Ticket {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(d.tickets), batchMost)
	batch := d.tickets[:n:n]
	if d.tickets = d.tickets[n:]; n == 0 {
		d.tickets = nil
		close(d.sending)
		d.sending = nil
	}
	return batch
}

// enqueue tries for as long as a short outage may last. Nobody waits for it.
func (d *Dispatcher) enqueue(batch []execution.Ticket) {
	pause := enqueuePause
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(context.Background(), enqueueTimeout)
		err := d.tasks.Enqueue(ctx, batch...)
		cancel()
		if err == nil {
			return
		}
		if try == enqueueTries {
			d.log.Warn("tasks not enqueued; the reaper will", "tasks", len(batch), "execution_id", batch[0].ID, "error", err)
			return
		}
		<-time.After(pause)
		pause *= 2
	}
}

// Flush waits until every ticket was handed over or given up, or ctx ends: call
// it when no Submit is to come. What is left then is the reaper's.
func (d *Dispatcher) Flush(ctx context.Context) {
	d.mu.Lock()
	sending := d.sending
	d.mu.Unlock()
	if sending == nil {
		return
	}
	select {
	case <-sending:
	case <-ctx.Done():
	}
}
