package hub

import (
	"context"
	"sync"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// topic is one execution that somebody follows.
type topic struct {
	hub  *Hub
	id   execution.ID
	kick chan struct{} // a token when the goroutine has to look again

	ctx    context.Context // ends when the topic is over
	cancel context.CancelFunc

	// Only for the goroutine.
	begun   bool      // the first read has succeeded
	brought time.Time // when a read last brought something

	mu    sync.Mutex // guards below
	ring  ring
	subs  map[*Subscriber]struct{}
	lead  execution.Cursor // the most that a subscriber has taken: the reader waits for no other
	more  chan struct{}    // closed, and replaced, when there is something new for subscribers
	armed []*Subscriber    // those to be woken by a call instead
	full  bool             // the reader waits for room in the ring
	ended bool             // the end event has been read
	last  execution.Cursor // its cursor
	err   error            // set when over: what Next returns when the ring has nothing more
	idle  *time.Timer      // runs while nobody follows
}

// newTopic makes a topic that begins with the event after itself, not the one
// behind it: if that is the end, its subscriber has seen everything, and only
// a look at it can tell.
func newTopic(h *Hub, id execution.ID, after execution.Cursor) *topic {
	t := &topic{
		hub: h, id: id,
		kick: make(chan struct{}, 1),
		subs: map[*Subscriber]struct{}{}, more: make(chan struct{}),
	}
	t.ctx, t.cancel = context.WithCancel(h.ctx)
	t.ring.reset(before(after))
	return t
}

func before(c execution.Cursor) execution.Cursor { return max(c, 1) - 1 }

// join adds s. The hub's mutex is held, so t cannot be freed meanwhile.
func (t *topic) join(s *Subscriber) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.subs[s] = struct{}{}
	t.advance(s.cursor)
	if t.idle != nil {
		t.idle.Stop()
		t.idle = nil
	}
}

// leave removes s; the last one to leave starts the time of lingering.
func (t *topic) leave(s *Subscriber) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.subs, s)
	t.disarm(s)
	if s.cursor >= t.lead {
		t.lead = 0
		for other := range t.subs {
			t.lead = max(t.lead, other.cursor)
		}
	}
	if len(t.subs) == 0 && t.idle == nil && t.err == nil {
		t.idle = time.AfterFunc(t.hub.o.Linger, t.expire)
	}
}

// expire frees the topic unless somebody has come back.
func (t *topic) expire() {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.subs) > 0 || t.err != nil {
		return
	}
	if t.hub.topics[t.id] == t {
		delete(t.hub.topics, t.id)
		t.hub.count.Store(int64(len(t.hub.topics)))
	}
	t.finish(ErrClosed)
}

// fail ends the topic: what is in the ring is still delivered, then err.
func (t *topic) fail(err error) {
	t.hub.remove(t)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.finish(err)
}

// finish needs the mutex.
func (t *topic) finish(err error) {
	if t.err != nil {
		return
	}
	t.err = err
	if t.idle != nil {
		t.idle.Stop()
	}
	t.cancel()
	t.broadcast()
}

// advance notes that a subscriber has got to c. It needs the mutex.
func (t *topic) advance(c execution.Cursor) {
	t.lead = max(t.lead, c)
	if t.full {
		t.nudge()
	}
}

// broadcast wakes all subscribers. It needs the mutex.
func (t *topic) broadcast() {
	close(t.more)
	t.more = make(chan struct{})
	for i, s := range t.armed {
		wake := s.wake
		t.armed[i], s.wake = nil, nil
		wake()
	}
	t.armed = t.armed[:0]
}

// arm lets the next broadcast call wake. It needs the mutex.
func (t *topic) arm(s *Subscriber, wake func()) {
	s.wake, s.slot = wake, len(t.armed)
	t.armed = append(t.armed, s)
}

// disarm takes it back. It needs the mutex.
func (t *topic) disarm(s *Subscriber) {
	if s.wake == nil {
		return
	}
	last := t.armed[len(t.armed)-1]
	t.armed[s.slot], last.slot = last, s.slot
	t.armed[len(t.armed)-1] = nil
	t.armed = t.armed[:len(t.armed)-1]
	s.wake = nil
}

// nudge makes the goroutine look again.
func (t *topic) nudge() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}
