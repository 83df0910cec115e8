package hub

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Source reads stored events.
type Source interface {
	// Read gives the events after a cursor, in order: about maxBytes of them at
	// most, but at least one stored batch if there is any; none when there is
	// nothing newer. A gap event may stand for missing ones. An error of code
	// NotFound means that the execution is gone for good.
	Read(ctx context.Context, id execution.ID, after execution.Cursor, maxBytes int) ([]execution.Event, error)
}

// Lender is a Source that may use the bytes of events again when their reader is
// done with them.
type Lender interface {
	// Lend is Read; done must be called in any case, and what the events point to
	// is not good after it.
	Lend(ctx context.Context, id execution.ID, after execution.Cursor, maxBytes int) (events []execution.Event, done func(), err error)
}

// Bells says when there may be more to read.
type Bells interface {
	// Listen gives a channel with room for one token, which holds one whenever
	// there may be more, and after every reconnect. stop ends it.
	Listen(id execution.ID) (ring <-chan struct{}, stop func())
}

// Carrier is Bells that may bring the events themselves: then no read is needed.
type Carrier interface {
	// Follow is Listen; brought gives all events that came since its last call, in
	// order, or none when some of them have to be read.
	Follow(id execution.ID) (ring <-chan struct{}, brought func() []execution.Event, stop func())
}

// Options of a Hub. The zero value of each field means its default, but Encode is needed.
type Options struct {
	// Encode makes an event's frame, once per event and replica. The bytes
	// are shared between all subscribers and must never be changed.
	Encode func(*execution.Event) ([]byte, error)

	RingBytes int           // per topic; 1 MiB
	AllRings  int           // of all topics together, as long as minRing for each does not make it more; 64 MiB
	ReadBytes int           // of one read of the source; 512 KiB
	NextBytes int           // of one Batch, so that one write stays bounded; 256 KiB
	Replays   int           // reads for subscribers behind their ring, at once; 64
	Poll      time.Duration // a read without a bell, which heals a lost one; 2 s
	Crowd     int           // from so many subscribers of one topic on, events are gathered; 200
	Gather    time.Duration // for so long; 50 ms
	Linger    time.Duration // a topic outlives its last subscriber by this, for a reconnect; 1 s
	Logger    *slog.Logger
}

func (o *Options) defaults() {
	setDefault(&o.RingBytes, 1<<20)
	setDefault(&o.AllRings, 64<<20)
	setDefault(&o.ReadBytes, 512<<10)
	setDefault(&o.NextBytes, 256<<10)
	setDefault(&o.Replays, 64)
	setDefault(&o.Poll, 2*time.Second)
	setDefault(&o.Crowd, 200)
	setDefault(&o.Gather, 50*time.Millisecond)
	setDefault(&o.Linger, time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// ErrClosed is what Next returns after Close of its subscriber or of the hub.
var ErrClosed = errors.New("hub: closed")

// read is Lend, be the source a Lender or not.
func (h *Hub) read(ctx context.Context, id execution.ID, after execution.Cursor, maxBytes int) (events []execution.Event, done func(), err error) {
	if l, ok := h.src.(Lender); ok {
		return l.Lend(ctx, id, after, maxBytes)
	}
	events, err = h.src.Read(ctx, id, after, maxBytes)
	return events, func() {}, err
}

// follow is Follow, be the bells a Carrier or not.
func (h *Hub) follow(id execution.ID) (ring <-chan struct{}, brought func() []execution.Event, stop func()) {
	if c, ok := h.bells.(Carrier); ok {
		return c.Follow(id)
	}
	ring, stop = h.bells.Listen(id)
	return ring, func() []execution.Event { return nil }, stop
}

// Hub holds the topics of one replica.
type Hub struct {
	src     Source
	bells   Bells
	o       Options
	replays chan struct{} // a slot per read for a subscriber behind its ring
	behind  atomic.Int64  // subscribers that hold what such a read has brought
	count   atomic.Int64  // len(topics), for ringBytes

	// ctx ends with the hub. Topics outlive the requests that begin them, so
	// no caller's context would do. They end with Close.
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup // the topics' goroutines

	mu     sync.Mutex // taken before a topic's; guards below
	topics map[execution.ID]*topic
	closed bool
}

// New makes a Hub. It starts nothing before the first Subscribe.
func New(src Source, bells Bells, o Options) *Hub {
	o.defaults()
	h := &Hub{src: src, bells: bells, o: o, topics: map[execution.ID]*topic{}}
	h.replays = make(chan struct{}, o.Replays)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// Subscribe follows id from after on. It does no I/O: the execution's absence
// shows in Next.
func (h *Hub) Subscribe(id execution.ID, after execution.Cursor) *Subscriber {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return &Subscriber{hub: h, closed: true}
	}
	t := h.topics[id]
	if t == nil {
		t = newTopic(h, id, after)
		h.topics[id] = t
		h.count.Store(int64(len(h.topics)))
		h.running.Go(t.run)
	}
	s := &Subscriber{hub: h, topic: t, cursor: after}
	t.join(s)
	return s
}

// Run waits for the end of ctx and closes the hub.
func (h *Hub) Run(ctx context.Context) error {
	<-ctx.Done()
	return h.Close(context.WithoutCancel(ctx))
}

// Close ends all topics: every Next returns ErrClosed. It waits for their
// goroutines, at most until ctx ends.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	topics := h.topics
	h.topics = map[execution.ID]*topic{}
	h.mu.Unlock()
	h.cancel()
	for _, t := range topics {
		t.fail(ErrClosed)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.running.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// remove forgets t, if it is still the topic of its execution.
func (h *Hub) remove(t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics[t.id] == t {
		delete(h.topics, t.id)
		h.count.Store(int64(len(h.topics)))
	}
}

// minRing is a ring's least: two chunks as the workers cut them.
const minRing = 128 << 10

// ringBytes is the size of each ring. A topic that was larger gets there with
// the next event.
func (h *Hub) ringBytes() int {
	return min(h.o.RingBytes, max(h.o.AllRings/int(max(1, h.count.Load())), minRing))
}

// Stats are a hub's counts at one moment.
type Stats struct {
	Topics      int
	Subscribers int
	RingBytes   int
}

// Stats may be called at any time.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Stats{Topics: len(h.topics)}
	for _, t := range h.topics {
		t.mu.Lock()
		s.Subscribers += len(t.subs)
		s.RingBytes += t.ring.bytes
		t.mu.Unlock()
	}
	return s
}
