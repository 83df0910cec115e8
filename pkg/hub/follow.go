package hub

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Source errors are met with pauses from retryMin, doubled up to retryMax: an
// outage of Redis must not become a storm when it ends.
const (
	retryMin = 50 * time.Millisecond
	retryMax = 2 * time.Second
)

// run is the topic's goroutine: the bell first, then reads until there is
// nothing more, then again at each bell. It ends with the topic, or when the
// end event has been read and nothing can follow.
func (t *topic) run() {
	bell, brought, stop := t.hub.follow(t.id)
	defer stop()
	timer := time.NewTimer(t.hub.o.Poll)
	defer timer.Stop()
	pause := retryMin
	for {
		more, err := t.read()
		wait := t.hub.o.Poll
		switch {
		case t.ctx.Err() != nil:
			return
		case execution.CodeOf(err) == execution.NotFound:
			t.fail(err)
			return
		case err != nil:
			t.hub.complain(t.ctx, t.id, err, pause)
			wait, pause = pause, min(2*pause, retryMax)
		case more:
			pause = retryMin
			continue
		case t.isEnded():
			return
		default:
			pause = retryMin
		}
		if err != nil { // a bell is no reason to hurry at a source that fails
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-t.ctx.Done():
			}
			continue
		}
		for t.hear(bell, brought, timer) {
		}
	}
}

// hear waits for a bell. It is true when that has brought what there is, and
// false when the source has to be read.
func (t *topic) hear(bell <-chan struct{}, brought func() []execution.Event, timer *time.Timer) bool {
	timer.Reset(t.hub.o.Poll)
	select {
	case <-bell:
		t.gather(timer)
		return t.accept(brought())
	case <-t.kick:
	case <-timer.C:
	case <-t.ctx.Done():
	}
	return false
}

// accept moves events that a bell has brought into the ring, if they follow
// what is there.
func (t *topic) accept(events []execution.Event) bool {
	n := len(events)
	if n == 0 || events[n-1].Seq != events[0].Seq+execution.Cursor(n-1) {
		return false
	}
	t.mu.Lock()
	head := t.ring.head
	t.mu.Unlock()
	if events[0].Seq > head+1 {
		return false
	}
	more, over := t.deliver(events, head)
	if more {
		t.announce()
	}
	return !over && !t.isEnded()
}

// gather lets events come together where a crowd follows: each write to each of
// them costs more than what is in it. Who follows in small company waits for
// nothing, nor does a crowd for the first event after a silence.
func (t *topic) gather(timer *time.Timer) {
	t.mu.Lock()
	crowd := len(t.subs) >= t.hub.o.Crowd
	t.mu.Unlock()
	wait := t.hub.o.Gather - time.Since(t.brought)
	if !crowd || wait <= 0 {
		return
	}
	timer.Reset(wait)
	select {
	case <-timer.C:
	case <-t.ctx.Done():
	}
}

// complain logs a source error, the first of a row only.
func (h *Hub) complain(ctx context.Context, id execution.ID, err error, pause time.Duration) {
	if pause == retryMin {
		h.o.Logger.LogAttrs(ctx, slog.LevelWarn, "events cannot be read; subscribers wait",
			slog.String("execution", string(id)), slog.Any("error", err))
	}
}

// read moves one read of the source into the ring. more says that there may be
// more at once.
func (t *topic) read() (more bool, err error) {
	t.mu.Lock()
	head, ended := t.ring.head, t.ended
	t.mu.Unlock()
	if ended {
		return false, nil
	}
	events, done, err := t.hub.read(t.ctx, t.id, head, t.hub.o.ReadBytes)
	defer done()
	more, over := t.deliver(events, head)
	switch {
	case over:
		return false, nil
	case more:
		t.announce()
	case err == nil && !t.begun && head > 0:
		t.restart()
		more = true
	}
	t.begun = t.begun || err == nil
	return more, err
}

// deliver moves events behind head into the ring. more says that there were any,
// over that nobody wants them any more.
func (t *topic) deliver(events []execution.Event, head execution.Cursor) (more, over bool) {
	for i := range events {
		if events[i].Seq <= head {
			continue
		}
		if !t.push(t.hub.frame(t.id, &events[i])) {
			return false, true
		}
		more = true
	}
	return more, false
}

// announce tells the subscribers that there is more.
func (t *topic) announce() {
	t.brought = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.broadcast()
}

// restart begins at the beginning: the event that the first subscriber claims
// to have seen does not exist, and only the real ones tell where the others
// are and whether there is an end.
func (t *topic) restart() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ring.reset(0)
}

// frame encodes e. What cannot be encoded is a defect: it is logged, and the
// cursor passes over it.
func (h *Hub) frame(id execution.ID, e *execution.Event) frame {
	data, err := h.o.Encode(e)
	if err != nil {
		h.o.Logger.Error("event cannot be encoded", "execution_id", string(id), "event", e.Seq, "error", err)
		data = nil
	}
	f := frame{seq: e.Seq, data: data, end: e.Type == execution.EventEnd}
	if e.Type == execution.EventGap {
		gap := *e // its bytes are the source's
		gap.Data = slices.Clone(e.Data)
		f.gap = &gap
	}
	return f
}

// narrow is the frame of a gap for a subscriber who has seen its beginning: the
// gap was read for others, who stood before it.
func (h *Hub) narrow(id execution.ID, f *frame, seen execution.Cursor) []byte {
	var g execution.GapData
	if json.Unmarshal(f.gap.Data, &g) != nil || g.From > seen {
		return f.data
	}
	e := execution.GapEvent(seen+1, g.To, g.GapNote)
	e.Time, e.Attempt = f.gap.Time, f.gap.Attempt
	return h.frame(id, &e).data
}

// push adds f to the ring and drops the oldest for it. While the oldest has
// been taken by nobody it waits: the reader need not be further ahead than the
// fastest subscriber wants, and a replay goes through the ring once instead of
// being read again by everyone it has left behind. push is false when the topic
// is over.
func (t *topic) push(f frame) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		switch {
		case t.err != nil:
			return false
		case t.makeRoom(f.cost()):
			t.ring.push(f)
			if f.end {
				t.ended, t.last = true, f.seq
			}
			return true
		}
		t.full = true
		t.broadcast() // what was pushed before f may be unknown to those it waits for
		t.mu.Unlock()
		select {
		case <-t.kick:
		case <-t.ctx.Done():
		}
		t.mu.Lock()
		t.full = false
	}
}

// makeRoom drops frames until n bytes fit, as far as the fastest subscriber
// has taken them. A frame larger than the ring fits an empty one.
func (t *topic) makeRoom(n int) bool {
	limit := t.hub.ringBytes()
	for len(t.ring.frames) > 0 && t.ring.bytes+n > limit {
		if t.lead < t.ring.oldest() {
			return false
		}
		t.ring.shift()
	}
	return true
}

func (t *topic) isEnded() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}
