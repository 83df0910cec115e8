package hub

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

const (
	// replayBudget is about what all replays of a hub hold together, as long as
	// minReplay, one stored batch, does not make it more.
	replayBudget = 16 << 20
	minReplay    = 64 << 10
)

// Subscriber follows one execution from a cursor on. Its methods must not be
// called at the same time; a waiting Next is ended by its context.
type Subscriber struct {
	hub    *Hub
	topic  *topic
	cursor execution.Cursor // only Next moves it, under the topic's mutex
	ended  bool             // the end event was given
	closed bool
	frames [][]byte // behind the Batch.Frames of Next, used again
	behind bool     // those frames are of a replay: nobody else holds them

	wake func() // the topic's mutex guards it and slot: called when there is more, once
	slot int    // its place in topic.armed
}

// Batch is what a subscriber writes at once.
type Batch struct {
	Frames net.Buffers      // in order; valid until the next Next, and not to be changed
	Last   execution.Cursor // of the last event in it: where to go on after a cut
	End    bool             // it holds the end event
}

// Next gives what follows the cursor, everything since the last call up to the
// size of one write, and waits while there is nothing. io.EOF says that the
// end event was given before; an error of code NotFound that the execution is
// gone; ErrClosed that the subscriber or the hub is closed. Other errors of
// the source are waited out. When ctx ends, Next returns its error, and can be
// called again.
func (s *Subscriber) Next(ctx context.Context) (Batch, error) {
	s.release()
	if s.closed {
		return Batch{}, ErrClosed
	}
	for {
		if err := ctx.Err(); err != nil {
			return Batch{}, err
		}
		b, more, err := s.take(&s.frames, nil)
		if err != nil || len(b.Frames) > 0 {
			return b, err
		}
		if more == nil { // behind the ring
			if b, err = s.replay(ctx); err != nil || len(b.Frames) > 0 {
				return b, err
			}
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
		}
	}
}

// ErrBehind is what Poll returns when the ring has left the cursor behind, and
// only Next, which waits for the source, can go on.
var ErrBehind = errors.New("hub: behind the ring")

// Poll is Next for a caller that serves thousands of subscribers with a few
// goroutines: it does not wait. Without frames and error there is nothing yet,
// and wake is called when that changes: once, on a goroutine of the hub, where
// it must not block nor call the hub. The frames are gathered in scratch, which
// the caller may use for its next Poll, of whichever subscriber.
func (s *Subscriber) Poll(scratch *[][]byte, wake func()) (Batch, error) {
	s.release()
	s.frames = nil // a busy time's list would be an idle one's largest part
	if s.closed {
		return Batch{}, ErrClosed
	}
	b, more, err := s.take(scratch, wake)
	if err == nil && more == nil && len(b.Frames) == 0 {
		err = ErrBehind
	}
	return b, err
}

// take gives what the ring has. With nothing there, more is closed when there
// is something, and wake, if any, is called; more is nil when the ring has left
// the cursor behind.
func (s *Subscriber) take(list *[][]byte, wake func()) (b Batch, more <-chan struct{}, err error) {
	t := s.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	t.disarm(s)
	switch {
	case s.ended || t.ended && s.cursor >= t.last:
		return b, nil, io.EOF
	case errors.Is(t.err, ErrClosed):
		return b, nil, t.err
	case s.cursor < t.ring.floor:
		return b, nil, nil
	}
	frames := t.ring.after(s.cursor)
	if len(frames) == 0 {
		if wake != nil && t.err == nil {
			t.arm(s, wake)
		}
		return b, t.more, t.err
	}
	b = s.batch(frames, list)
	t.advance(s.cursor)
	return b, nil, nil
}

// batch takes frames, at least one, up to the size of one write.
func (s *Subscriber) batch(frames []frame, list *[][]byte) Batch {
	*list = (*list)[:0]
	var b Batch
	size := 0
	for i := range frames {
		f := &frames[i]
		if size += len(f.data); size > s.hub.o.NextBytes && i > 0 {
			break
		}
		data := f.data
		if f.gap != nil {
			data = s.hub.narrow(s.topic.id, f, s.cursor)
		}
		*list = append(*list, data)
		s.cursor, s.ended = f.seq, f.end
	}
	b.Frames, b.Last, b.End = *list, s.cursor, s.ended
	return b
}

// replay reads the source from the cursor on. A Batch without frames means
// that the ring has to be asked again.
func (s *Subscriber) replay(ctx context.Context) (Batch, error) {
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		b, err := s.readBatch(ctx)
		switch {
		case err == nil && len(b.Frames) > 0: // the cursor has moved: it must be given, whatever else is over
			return b, nil
		case ctx.Err() != nil:
			return Batch{}, ctx.Err()
		case s.topic.ctx.Err() != nil && err != nil:
			return Batch{}, nil
		case execution.CodeOf(err) == execution.NotFound:
			return Batch{}, err
		case err != nil:
			s.hub.complain(ctx, s.topic.id, err, pause)
		case !s.isBehind(): // the topic began with a cursor that was never given out
			return Batch{}, nil
		}
		select {
		case <-time.After(pause):
		case <-s.topic.ctx.Done():
			return Batch{}, nil
		case <-ctx.Done():
		}
	}
}

// readBatch is one read from the cursor on.
func (s *Subscriber) readBatch(ctx context.Context) (Batch, error) {
	events, done, err := s.read(ctx)
	defer done()
	if err != nil || len(events) == 0 {
		return Batch{}, err
	}
	return s.encode(events), nil
}

func (s *Subscriber) isBehind() bool {
	s.topic.mu.Lock()
	defer s.topic.mu.Unlock()
	return s.cursor < s.topic.ring.floor
}

// read takes one of the hub's slots for a read of its own: a thousand clients
// that come back at once must not become a thousand reads at once.
func (s *Subscriber) read(ctx context.Context) (events []execution.Event, done func(), err error) {
	select {
	case s.hub.replays <- struct{}{}:
	case <-ctx.Done():
		return nil, func() {}, ctx.Err()
	}
	defer func() { <-s.hub.replays }()
	events, done, err = s.hub.read(ctx, s.topic.id, s.cursor, s.hub.replayBytes())
	for len(events) > 0 && events[0].Seq <= s.cursor {
		events = events[1:]
	}
	return events, done, err
}

// encode makes a batch of events that nobody else will share. What a frame's
// encoding has made too large for one write is read again.
func (s *Subscriber) encode(events []execution.Event) Batch {
	var frames []frame
	for i, size := 0, 0; i < len(events) && size < s.hub.o.NextBytes; i++ {
		f := s.hub.frame(s.topic.id, &events[i])
		frames = append(frames, f)
		size += len(f.data)
	}
	s.topic.mu.Lock()
	defer s.topic.mu.Unlock()
	b := s.batch(frames, &s.frames)
	s.topic.advance(s.cursor)
	s.behind = true
	s.hub.behind.Add(1)
	return b
}

// replayBytes is the size of a replay's reads: what they bring is held until it
// is written, however slowly, so thousands of them get less each.
func (h *Hub) replayBytes() int {
	return min(max(replayBudget/int(h.behind.Load()+1), minReplay), h.o.NextBytes)
}

// release lets go of the frames of the last batch, so that an idle subscriber
// keeps none alive.
func (s *Subscriber) release() {
	clear(s.frames)
	if s.behind {
		s.behind = false
		s.hub.behind.Add(-1)
	}
}

// Close ends the subscription.
func (s *Subscriber) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.release()
	s.topic.leave(s)
}
