package redisstore

import (
	"context"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Bells hears the doorbells of executions and the requests to cancel, over one
// Redis connection per process. A bell carries no data: it says "read again",
// so a lost one costs time, never an event.
type Bells struct {
	ctx     context.Context // of the process: a listener comes and goes without one of its own
	sub     *redis.PubSub
	cancels func(id execution.ID, kill bool) // called for every request to cancel; nil when not wanted

	mu        sync.Mutex
	listeners map[execution.ID]map[*listener]struct{}
}

type listener struct{ ring chan struct{} }

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
			b.ring(execution.ID(id))
		}
	case *redis.Message:
		if id, ok := strings.CutPrefix(m.Channel, bellPrefix); ok {
			b.ring(execution.ID(id))
		} else if b.cancels != nil {
			b.cancels(execution.ID(m.Payload), m.Channel == channelKill)
		}
	}
}

func (b *Bells) ring(id execution.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.listeners[id] {
		select {
		case l.ring <- struct{}{}:
		default: // it has not looked since the last ring: one is enough
		}
	}
}

// Listen rings whenever id may have new events, until stop is called. The
// first ring comes when Redis has confirmed the subscription.
func (b *Bells) Listen(id execution.ID) (ring <-chan struct{}, stop func()) {
	l := &listener{ring: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners[id] == nil {
		b.listeners[id] = map[*listener]struct{}{}
		// The error is a lost connection: go-redis keeps the channel in its list
		// and subscribes again with the next one.
		_ = b.sub.Subscribe(b.ctx, bellChannel(id))
	}
	b.listeners[id][l] = struct{}{}
	return l.ring, sync.OnceFunc(func() { b.leave(id, l) })
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
