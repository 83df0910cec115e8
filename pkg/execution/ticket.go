package execution

import "time"

// Ticket is a place in the line that workers take from: what an Asynq task stands for.
type Ticket struct {
	ID       ID
	Dispatch int // counts the tasks of one execution, so that no task id is used twice
	Queue    string
	Delay    time.Duration
	Timeout  time.Duration // of the execution
}

// TicketFor makes the ticket of a spec.
func TicketFor(id ID, s *Spec, dispatch int, delay time.Duration) Ticket {
	return Ticket{ID: id, Dispatch: dispatch, Queue: s.Queue, Delay: delay, Timeout: s.Timeout()}
}

// Script is what one part of the program has another run in Redis, together with a script of its own.
type Script struct {
	Text string
	Keys []string
	Args []any
}

// Created is what became of a request to start.
type Created struct {
	Record   *Record
	Position int  // executions before it in its line
	Known    bool // the idempotency key was there with the same spec: nothing new was made
	InLine   bool // its ticket was written with the record
}

// Cancellation is what became of a request to cancel.
type Cancellation struct {
	Settled  bool // it was queued and is cancelled now
	Ended    bool // it had ended before, as Status says
	Status   Status
	Dispatch int // number of its newest Asynq task
}
