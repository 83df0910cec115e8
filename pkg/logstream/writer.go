package logstream

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Sink stores batches. Append is repeated with the same Batch.No until it
// returns nil or an error that is execution.ErrFenced. It must not keep any of
// the batch's bytes after it has returned: the writer uses them again.
type Sink interface {
	Append(ctx context.Context, lease execution.Lease, b execution.Batch) error
}

// Options of a Writer. The zero value of each field means its default.
type Options struct {
	Redactor *Redactor        // nil: nothing is redacted
	MaxBatch int              // bytes of one batch, and so of one chunk; 64 KiB, the size of a pipe
	Buffer   int              // bytes held at most before the pumps stop reading; 8 MiB
	Hold     time.Duration    // how long an incomplete line may wait for its newline; 50 ms
	Retry    Backoff          // pauses between repeated appends; 50 ms to 2 s
	Now      func() time.Time // stamps the events; time.Now
	Logger   *slog.Logger     // whose lines have the execution's id and attempt
}

// Backoff is a pause that doubles from Min to Max.
type Backoff struct{ Min, Max time.Duration }

func (o *Options) defaults() {
	if o.MaxBatch <= 0 {
		o.MaxBatch = 64 << 10
	}
	o.MaxBatch = max(o.MaxBatch, minBatch)
	if o.Buffer <= 0 {
		o.Buffer = 8 << 20
	}
	if o.Hold <= 0 {
		o.Hold = 50 * time.Millisecond
	}
	if o.Retry.Min <= 0 {
		o.Retry.Min = 50 * time.Millisecond
	}
	if o.Retry.Max < o.Retry.Min {
		o.Retry.Max = max(2*time.Second, o.Retry.Min)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Writer gathers the events of one attempt and writes them in order.
type Writer struct {
	sink  Sink
	lease execution.Lease
	o     Options
	wake  chan struct{} // a token when Run may find something new

	events atomic.Pointer[eventPipe] // nil until Events or PumpEvents

	mu     sync.Mutex // guards all below
	room   sync.Cond  // held has fallen, or nobody has to wait any more
	queue  queue
	flight int     // bytes of the batch on its way to the sink
	pumps  []*pump // those that may hold bytes back
	closed bool    // by Close
	err    error   // Run gave up: what comes from now on is discarded
	stats  Stats
	output time.Time // of the newest bytes
	moved  time.Time // of the newest progress event
	tails  [3]tail   // by Stream; [NoStream] is unused
}

// NewWriter makes a Writer for the attempt that lease stands for. Nothing is
// written before Run.
func NewWriter(sink Sink, lease execution.Lease, o Options) *Writer {
	o.defaults()
	w := &Writer{sink: sink, lease: lease, o: o, wake: make(chan struct{}, 1)}
	w.room.L = &w.mu
	w.queue.max = o.MaxBatch - chunkHeader
	return w
}

// errClosed answers Emit after Close.
var errClosed = errors.New("logstream: the writer is closed")

// Emit adds an event of Longhaul's own, in order with the rest. It never
// blocks, not even when the buffer is full: its caller must be able to settle.
// Time and attempt are filled in where they are zero.
func (w *Writer) Emit(e execution.Event) error {
	if e.Attempt == 0 {
		e.Attempt = w.lease.Attempt
	}
	if e.Time.IsZero() {
		e.Time = w.o.Now()
	}
	if w.o.Redactor != nil {
		e.Data = w.o.Redactor.RedactJSON(e.Data)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return w.err
	case w.closed:
		return errClosed
	}
	if e.Type == execution.EventProgress {
		w.moved = time.Now()
	}
	w.queue.add(&e)
	w.signal()
	return nil
}

// Close says that no more events follow; Run ends after the last flush. A pump
// that has not met the end of its reader by now loses what it reads later,
// which happens only when a process holds the pipe beyond the engine's end.
func (w *Writer) Close() {
	w.mu.Lock()
	pumps := w.pumps
	w.mu.Unlock()
	for _, p := range pumps {
		p.finish()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.room.Broadcast()
	w.signal()
}

// signal tells Run that there may be something new.
func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // it has been told already
	}
}

// waitRoom blocks while the buffer is full: back-pressure, which reaches the
// engine through its pipe. (A disk spool would take the bytes here instead.)
func (w *Writer) waitRoom() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.queue.held+w.flight >= w.o.Buffer && w.err == nil && !w.closed {
		w.room.Wait()
	}
}

// push adds a stream's bytes, already redacted, which have been waiting since
// then. It never blocks: waitRoom before each read keeps the excess below one
// read per pump.
func (w *Writer) push(s execution.Stream, since time.Time, parts ...[]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.closed {
		return
	}
	stamp := w.o.Now()
	w.output = time.Now()
	for _, p := range parts {
		w.stats.LogBytes += int64(len(p))
		w.tails[s].add(p)
		w.queue.push(s, p, stamp, since)
	}
	w.signal()
}

// Stats are a writer's counts so far.
type Stats struct {
	LogBytes int64 // of stdout and stderr, after redaction
	Events   int64 // stored
	Batches  int64 // stored
	Retries  int64 // appends that had to be repeated
	Held     int   // bytes gathered and not yet stored
}

// Stats may be called at any time.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Held = w.queue.held + w.flight
	return s
}

// Activity tells when the engine last wrote to stdout or stderr, and when it
// last declared progress; zero where it never has.
func (w *Writer) Activity() (output, progress time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.output, w.moved
}

// Tail is the end of stderr, or of stdout where stderr is empty: what an
// outcome's message quotes.
func (w *Writer) Tail() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.tails[execution.Stderr].String(); s != "" {
		return s
	}
	return w.tails[execution.Stdout].String()
}
