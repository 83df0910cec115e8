package redisstore

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Bells hears the doorbells of executions and the requests to cancel, over one
// Redis connection per process. A bell says "read again", so a lost one costs
// time, never an event. One for a small batch brings it along (ADR 18).
type Bells struct {
	ctx     context.Context // of the process: a listener comes and goes without one of its own
	sub     *redis.PubSub
	cancels func(id execution.ID, kill bool) // called for every request to cancel; nil when not wanted

	mu        sync.Mutex
	listeners map[execution.ID]map[*listener]struct{}
}

type listener struct {
	ring   chan struct{}
	follow bool // it wants what bells bring

	// The mutex of Bells guards these.
	brought []execution.Event // since the last look
	short   bool              // and that is not all: read
}

// broughtMost bounds what waits for a listener that does not look: it reads then.
const broughtMost = 64

// NewBells prepares the connection; Run uses it. onCancel, if any, is called
// from Run for every id that somebody wants cancelled, and must not block. ctx
// is that of the process.
func (s *Store) NewBells(ctx context.Context, onCancel func(id execution.ID, kill bool)) *Bells {
	return &Bells{ctx: ctx, sub: s.rdb.Subscribe(ctx), cancels: onCancel, listeners: map[execution.ID]map[*listener]struct{}{}}
}

// Run hears until ctx ends. go-redis connects again and subscribes again by
// itself; each time it has, every listener is rung, since what was said
// meanwhile is lost.
func (b *Bells) Run(ctx context.Context) error {
	defer b.sub.Close()
	if b.cancels != nil {
		// An error here is a connection that is not there yet; the channel below heals it.
		_ = b.sub.Subscribe(ctx, channelCancel, channelKill)
	}
	heard := b.sub.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, ok := <-heard:
			if !ok {
				return nil
			}
			b.hear(m)
		}
	}
}

func (b *Bells) hear(m any) {
	switch m := m.(type) {
	case *redis.Subscription:
		if id, ok := strings.CutPrefix(m.Channel, bellPrefix); ok && m.Kind == "subscribe" {
			b.ring(execution.ID(id), "")
		}
	case *redis.Message:
		if id, ok := strings.CutPrefix(m.Channel, bellPrefix); ok {
			b.ring(execution.ID(id), m.Payload)
		} else if b.cancels != nil {
			b.cancels(execution.ID(m.Payload), m.Channel == channelKill)
		}
	}
}

func (b *Bells) ring(id execution.ID, said string) {
	events := broughtBy(said)
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.listeners[id] {
		if l.follow {
			l.bring(events)
		}
		select {
		case l.ring <- struct{}{}:
		default: // it has not looked since the last ring: one is enough
		}
	}
}

// bring needs the mutex.
func (l *listener) bring(events []execution.Event) {
	if len(events) == 0 || l.short || len(l.brought)+len(events) > broughtMost {
		l.brought, l.short = nil, true
		return
	}
	l.brought = append(l.brought, events...)
}

// broughtBy reads what append.lua says: the number of the newest event, and for a
// small batch how many there are and the batch. None for any other bell.
func broughtBy(said string) []execution.Event {
	last, rest, _ := strings.Cut(said, " ")
	count, batch, ok := strings.Cut(rest, " ")
	if !ok {
		return nil
	}
	to, err := execution.ParseCursor(last)
	n, err2 := strconv.ParseUint(count, 10, 64)
	if err != nil || err2 != nil || n == 0 || n > uint64(to) {
		return nil
	}
	events, err := execution.DecodeBatch([]byte(batch), to-execution.Cursor(n)+1)
	if err != nil || uint64(len(events)) != n {
		return nil
	}
	return events
}

// Listen rings whenever id may have new events, until stop is called. The
// first ring comes when Redis has confirmed the subscription.
func (b *Bells) Listen(id execution.ID) (ring <-chan struct{}, stop func()) {
	l := &listener{ring: make(chan struct{}, 1)}
	return l.ring, b.join(id, l)
}

// Follow is Listen for who wants what bells bring. brought gives all events
// that came since its last call, in order; none when some of them have to be read.
func (b *Bells) Follow(id execution.ID) (ring <-chan struct{}, brought func() []execution.Event, stop func()) {
	l := &listener{ring: make(chan struct{}, 1), follow: true}
	stop = b.join(id, l)
	return l.ring, func() []execution.Event {
		b.mu.Lock()
		defer b.mu.Unlock()
		events := l.brought
		l.brought, l.short = nil, false
		return events
	}, stop
}

func (b *Bells) join(id execution.ID, l *listener) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners[id] == nil {
		b.listeners[id] = map[*listener]struct{}{}
		// The error is a lost connection: go-redis keeps the channel in its list
		// and subscribes again with the next one.
		_ = b.sub.Subscribe(b.ctx, bellChannel(id))
	}
	b.listeners[id][l] = struct{}{}
	return sync.OnceFunc(func() { b.leave(id, l) })
}

func (b *Bells) leave(id execution.ID, l *listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.listeners[id], l)
	if len(b.listeners[id]) == 0 {
		delete(b.listeners, id)
		_ = b.sub.Unsubscribe(b.ctx, bellChannel(id))
	}
}
