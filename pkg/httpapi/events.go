package httpapi

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// readBytes is how much one read of the log asks for: it bounds the memory of a
// reader of any log.
const readBytes = 256 << 10

// replay gives the events after a cursor up to last, as they were when the
// request came: a chatty execution must not make a page endless.
func (s *Server) replay(ctx context.Context, id execution.ID, after, last execution.Cursor) iter.Seq2[[]execution.Event, error] {
	return func(yield func([]execution.Event, error) bool) {
		for after < last {
			events, err := s.Events.Read(ctx, id, after, readBytes)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range events {
				if events[i].Seq > last {
					events = events[:i]
					break
				}
			}
			if len(events) == 0 {
				return
			}
			after = events[len(events)-1].Seq
			if !yield(events, nil) {
				return
			}
		}
	}
}

// follow gives the events after a cursor as they come, until the end event.
func (s *Server) follow(ctx context.Context, id execution.ID, after execution.Cursor) iter.Seq2[[]execution.Event, error] {
	return func(yield func([]execution.Event, error) bool) {
		ring, stop := s.Bells.Listen(id) // before the first read: nothing falls between
		defer stop()
		for {
			events, err := s.Events.Read(ctx, id, after, readBytes)
			if err == nil && len(events) == 0 {
				err = s.waitForMore(ctx, id, after, ring)
			}
			if errors.Is(err, errNoMore) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if len(events) == 0 {
				continue
			}
			after = events[len(events)-1].Seq
			if !yield(events, nil) || events[len(events)-1].Type == execution.EventEnd {
				return
			}
		}
	}
}

// errNoMore says that the cursor stands behind the end event.
var errNoMore = errors.New("no more events")

// waitForMore blocks until the bell rings. When it is silent it looks at the
// record, since a log can also end by being forgotten.
func (s *Server) waitForMore(ctx context.Context, id execution.ID, after execution.Cursor, ring <-chan struct{}) error {
	select {
	case <-ring:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(slowPoll):
	}
	rec, err := s.Records.Get(ctx, id)
	if err == nil && rec.Status.Terminal() && after >= rec.Last {
		return errNoMore
	}
	return err
}
