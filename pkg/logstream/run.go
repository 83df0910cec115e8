package logstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Run is the flush loop. It returns nil when the writer is closed and
// everything is stored, execution.ErrFenced (wrapped) when the sink refuses
// the attempt, and the context's cause when ctx ends. After an error the pumps
// go on reading and discard: an engine must never block on a writer that has
// given up. Run may be called once.
func (w *Writer) Run(ctx context.Context) error {
	err := w.flushAll(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.err = err
		w.queue.drop()
	}
	w.flight = 0
	w.room.Broadcast()
	return err
}

func (w *Writer) flushAll(ctx context.Context) error {
	var (
		items []item
		data  []byte
	)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for no := uint64(1); ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		held := w.flushIdle(time.Now())
		var wait time.Duration
		var done bool
		items, wait, done = w.take(items[:0])
		if len(items) == 0 {
			if done {
				return nil
			}
			if held > 0 && (wait == 0 || held < wait) {
				wait = held
			}
			if !w.pause(ctx, timer, wait) {
				return context.Cause(ctx)
			}
			continue
		}
		var b execution.Batch
		b, data = w.encode(no, items, data[:0])
		if err := w.append(ctx, b); err != nil {
			return err
		}
		no++
	}
}

// take moves the next batch's items out of the queue. done means that there
// will never be any.
func (w *Writer) take(items []item) (_ []item, wait time.Duration, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	hold := w.o.Hold
	if w.closed {
		hold = 0
	}
	items, wait = w.queue.take(items, w.o.MaxBatch, time.Now(), hold)
	done = w.closed && len(items) == 0
	for i := range items {
		w.flight += items[i].size() // what the encoded batch will take
	}
	return items, wait, done
}

// pause waits for something new, for wait when that is not 0, or for the end
// of ctx, which is when it returns false.
func (w *Writer) pause(ctx context.Context, timer *time.Timer, wait time.Duration) bool {
	var due <-chan time.Time
	if wait > 0 {
		timer.Reset(wait)
		due = timer.C
	}
	select {
	case <-w.wake:
	case <-due:
	case <-ctx.Done():
		return false
	}
	return true
}

// encode builds batch no in data, which is used again for each batch.
func (w *Writer) encode(no uint64, items []item, data []byte) (execution.Batch, []byte) {
	b := execution.Batch{No: no, N: len(items)}
	for i := range items {
		it := &items[i]
		if it.event != nil {
			data = execution.AppendEvent(data, it.event)
			switch it.event.Type {
			case execution.EventProgress:
				b.Progress = it.event.Data
			case execution.EventMetrics:
				b.Metrics = it.event.Data
			}
			continue
		}
		b.LogBytes += int64(len(it.bytes))
		data = execution.AppendEvent(data, &execution.Event{
			Type: execution.EventLog, Stream: it.stream, Time: it.stamp, Attempt: w.lease.Attempt, Bytes: it.bytes,
		})
	}
	b.Data = data
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range items {
		w.queue.recycle(items[i].bytes)
	}
	clear(items)
	return b, data
}

// append stores b, however often it takes. Only the fence and the end of ctx
// stop it: while Redis is away the batch waits here, the rest in the queue.
func (w *Writer) append(ctx context.Context, b execution.Batch) error {
	pause := w.o.Retry.Min
	for try := 1; ; try++ {
		err := w.sink.Append(ctx, w.lease, b)
		switch {
		case err == nil:
			w.stored(b, try)
			return nil
		case errors.Is(err, execution.ErrFenced):
			return fmt.Errorf("append batch %d: %w", b.No, err)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		if try == 1 {
			w.o.Logger.WarnContext(ctx, "log batch not stored; trying again until it is", "batch", b.No, "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		pause = min(2*pause, w.o.Retry.Max)
	}
}

func (w *Writer) stored(b execution.Batch, tries int) {
	if tries > 1 {
		w.o.Logger.Info("log batch stored again", "batch", b.No, "tries", tries)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flight = 0
	w.stats.Batches++
	w.stats.Events += int64(b.N)
	w.stats.Retries += int64(tries - 1)
	w.room.Broadcast()
}

// drop forgets everything.
func (q *queue) drop() { q.items, q.spare, q.held = nil, nil, 0 }
