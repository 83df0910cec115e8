package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/hub"
)

type streamInput struct {
	PathID
	After       string `query:"after" doc:"Only events after this number; end or $: only what comes from now on" example:"41"`
	Types       string `query:"types" doc:"Only events of these types, with commas between, and always gap and end" example:"progress,metrics"`
	Events      string `query:"events" doc:"The same as types" example:"log,end"`
	Tail        string `query:"tail" doc:"Begin so many lines of output before the end, 1 to 100000; 16 MiB back at most. Last-Event-ID beats it" example:"100"`
	LastEventID string `header:"Last-Event-ID" doc:"What EventSource sends to resume; it beats after" example:"41"`
}

func (s *Server) streamRoutes() {
	operation(s, streamToken, huma.Operation{
		OperationID: "streamExecution", Method: http.MethodGet, Path: "/execute/stream/{id}",
		Tags: []string{"streams"}, Summary: "Follow an execution (server-sent events)",
		Description: "Each event has its number as id, its type as event and one line of JSON as data. The response ends after end; it may also end before (rotation, a deploy): reconnect with the last id.",
		Responses: map[string]*huma.Response{
			"200": response("The events", text("text/event-stream")),
			"204": response("The client has seen the end event: do not reconnect", nil),
		},
	}, s.stream, http.StatusNotFound, http.StatusServiceUnavailable)
}

func (s *Server) stream(ctx context.Context, in *streamInput) (*huma.StreamResponse, error) {
	rec, err := s.get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	after, err := in.cursor(rec)
	if err != nil {
		return nil, err
	}
	after, first, err := s.tailOf(ctx, rec, in, after)
	if err != nil {
		return nil, err
	}
	if first == nil && rec.Status.Terminal() && after >= rec.Last {
		return noContent(), nil
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		c, life := humaecho.Unwrap(hc), s.responseTime(hc.Context())
		types := cmp.Or(in.Types, in.Events)
		if s.takeOver(c, rec.ID, after, types, first, life) {
			return
		}
		w := newSSE(c, only(types))
		if _, err := w.frames(first); err != nil {
			return // the client is gone
		}
		s.pump(hc.Context(), w, rec.ID, after, life)
	}}, nil
}

// tailOf is where a stream begins that asks for the last lines: a cursor, and
// the frame of a chunk of which only the end is wanted.
func (s *Server) tailOf(ctx context.Context, rec *execution.Record, in *streamInput, after execution.Cursor) (execution.Cursor, [][]byte, error) {
	lines, err := number("tail", in.Tail, 1, maxTail, 0)
	if err != nil || lines == 0 || in.LastEventID != "" {
		return after, nil, err
	}
	after, begun, err := s.tailStart(ctx, rec, &selection{after: after, tail: lines})
	if err != nil || begun == (cut{}) {
		return after, nil, err
	}
	events, err := s.Events.Read(ctx, rec.ID, after, 1)
	if err != nil || len(events) == 0 || events[0].Seq != begun.seq {
		return after, nil, err // it has gone meanwhile, and a gap will say so
	}
	begun.apply(&events[0])
	frame, err := EncodeSSE(&events[0])
	return begun.seq, [][]byte{frame}, err
}

func noContent() *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hc huma.Context) { hc.SetStatus(http.StatusNoContent) }}
}

// cursor is where the client wants to go on.
func (in *streamInput) cursor(rec *execution.Record) (execution.Cursor, error) {
	name, value := "after", in.After
	if in.LastEventID != "" {
		name, value = "Last-Event-ID", in.LastEventID
	}
	value = strings.TrimPrefix(value, string(rec.ID)+":") // as the streams without an id in their path number them
	if value == "end" || value == "$" {
		return rec.Last, nil
	}
	after, err := execution.ParseCursor(value)
	if err != nil {
		return 0, execution.InvalidField(name, "must be the number of an event, as in the id of the last event received")
	}
	return after, notFuture(rec, name, after)
}

// notFuture refuses a cursor that no event has yet: whoever sends it mixes up
// executions, and would wait for ever or take nothing for everything.
func notFuture(rec *execution.Record, name string, after execution.Cursor) error {
	if after > rec.Last {
		return execution.InvalidField(name, fmt.Sprintf("lies in the future: the newest event has the number %d", rec.Last))
	}
	return nil
}

// streamEnd is how a stream ended.
type streamEnd int

const (
	sawEnd  streamEnd = iota // the end event was sent
	goneOff                  // the client went away, or took nothing
	rotated                  // we ended it on purpose: rotation, drain, Redis trouble
)

// sink is where a subscription goes: an event stream or a WebSocket. An error of
// any of its methods means that the client is gone, or takes nothing.
type sink interface {
	// frames writes the wanted ones in one write, and says whether there were any.
	frames(frames [][]byte) (wrote bool, err error)
	// retry tells the client when to come back.
	retry(d time.Duration) error
	keepAlive() error
}

// pump copies a subscription into w: hint, frames, keep-alives, until the end
// event, the client's going, drain, or rotation after life.
func (s *Server) pump(ctx context.Context, w sink, id execution.ID, after execution.Cursor, life time.Duration) streamEnd {
	attached, release := s.attach(ctx)
	defer release()
	sub := s.Hub.Subscribe(id, after)
	defer sub.Close()
	if w.retry(retryHint) != nil {
		return goneOff
	}
	rotate := s.Now().Add(life)
	lastWrite := s.Now()
	for attached.Err() == nil && s.Now().Before(rotate) {
		alive := lastWrite.Add(s.KeepAlive)
		batch, err := s.next(attached, sub, minTime(alive, rotate))
		var wrote bool
		switch {
		case err == nil:
			wrote, err = w.frames(batch.Frames)
		case errors.Is(err, io.EOF):
			return sawEnd // the end event was before the cursor
		case errors.Is(err, context.DeadlineExceeded) || attached.Err() != nil:
			err = nil
		default:
			s.Logger.WarnContext(ctx, "stream ended early", "error", err, "execution_id", id)
			_ = w.retry(retryHint)
			return rotated
		}
		if err == nil && batch.End {
			return sawEnd
		}
		if now := s.Now(); err == nil && !wrote && !now.Before(alive) {
			wrote, err = true, w.keepAlive()
		}
		if err != nil {
			return goneOff
		}
		if wrote {
			lastWrite = s.Now()
		}
	}
	if ctx.Err() != nil {
		return goneOff
	}
	_ = w.retry(time.Second + rand.N(retryHint)) // spread, or all come back at once
	return rotated
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// next waits for a batch until a moment of our clock.
func (s *Server) next(ctx context.Context, sub *hub.Subscriber, until time.Time) (hub.Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, until.Sub(s.Now()))
	defer cancel()
	return sub.Next(ctx)
}

// responseTime is how long this response may last: a little less than the
// limit, and differently for each, so that a thousand streams that began together
// do not come back together; and never longer than the token or a subscription.
func (s *Server) responseTime(ctx context.Context) time.Duration {
	d := s.ResponseLimit - rand.N(s.ResponseLimit/10+1)
	d = min(d, s.MaxSSE)
	if r := requestOf(ctx); !r.expires.IsZero() {
		d = min(d, r.expires.Sub(s.Now()))
	}
	return max(d, 0)
}
