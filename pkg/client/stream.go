package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// Stream gives the events after a cursor, each once and in order, until the end
// event, which is the last. Cut lines, deploys and rotation are gone over: it
// reconnects with its cursor, and yields an error only where trying on is vain.
// A gap event stands for events that are no longer kept.
func (c *Client) Stream(ctx context.Context, id execution.ID, after execution.Cursor) iter.Seq2[api.Event, error] {
	return c.Follow(ctx, id, StreamQuery{After: after})
}

// StreamQuery says what of a stream is wanted. Zero fields do not filter.
type StreamQuery struct {
	After execution.Cursor
	Types []execution.EventType // gap and end always come
	Tail  int                   // begin so many lines of output before the end
}

// Follow is Stream for a part of the events.
func (c *Client) Follow(ctx context.Context, id execution.ID, q StreamQuery) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		s := stream{c: c, id: id, after: q.After, q: q, tries: backoff{giveUp: c.o.GiveUpAfter}}
		for {
			err := s.follow(ctx, yield)
			if errors.Is(err, errDone) {
				return
			}
			if err == nil { // ended on purpose: rotation or drain
				pause := max(s.retry, leastRetry)
				err = sleep(ctx, pause/2+rand.N(pause/2))
			} else {
				err = s.tries.wait(ctx, err)
			}
			if err != nil {
				yield(api.Event{}, err)
				return
			}
		}
	}
}

// stream is one Stream over its connections.
type stream struct {
	c     *Client
	id    execution.ID
	after execution.Cursor
	q     StreamQuery
	retry time.Duration
	tries backoff
}

// leastRetry keeps a server that says 0 from being asked in a tight loop.
const leastRetry = 100 * time.Millisecond

var (
	errDone   = errors.New("the stream is over")
	errSilent = errors.New("the stream is silent: not even keep-alives come")
	// Such as a proxy's page to log in: its end would be taken for a rotation, again and again.
	errNoStream = errors.New("the answer is no event stream: is the URL that of Longhaul's API?")
)

// follow reads one connection. nil is an end that the server chose.
func (s *stream) follow(ctx context.Context, yield func(api.Event, error) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	query := url.Values{"after": {s.after.String()}}
	tail := s.q.Tail
	if s.after > s.q.After {
		tail = 0 // it has begun
	}
	selectLog(query, s.q.Types, tail, time.Time{})
	res, err := s.c.do(ctx, call{method: http.MethodGet, path: pathOf("stream", s.id), query: query, accept: "text/event-stream"})
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusNoContent {
		return errDone
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		return errNoStream
	}
	watchdog := time.AfterFunc(s.c.o.Silence, func() { cancel(errSilent) })
	defer watchdog.Stop()
	p := newParser(&watched{res.Body, watchdog, s.c.o.Silence})
	for {
		f, err := p.next()
		s.retry = p.retry
		switch {
		case errors.Is(err, io.EOF):
			s.tries.reset()
			return nil
		case err != nil && context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("read the stream: %w", err)
		}
		e, ok := eventOf(f)
		if !ok || e.Seq <= s.after {
			continue
		}
		s.after = e.Seq
		s.tries.reset()
		// The consumer may take its time: that is not the server's silence.
		watchdog.Stop()
		if !yield(e, nil) || e.Type == execution.EventEnd {
			return errDone
		}
		watchdog.Reset(s.c.o.Silence)
	}
}

// eventOf reads a frame. Those without a number are none of the log.
func eventOf(f frame) (api.Event, bool) {
	number := f.id[strings.LastIndexByte(f.id, ':')+1:]
	seq, err := execution.ParseCursor(number)
	if err != nil || seq == 0 || !json.Valid(f.data) {
		return api.Event{}, false
	}
	e := api.Event{Seq: seq, Type: execution.EventType(f.event), Data: f.data}
	var common struct {
		Attempt int      `json:"attempt"`
		Time    api.Time `json:"time"`
	}
	if json.Unmarshal(f.data, &common) == nil { // only some types have them
		e.Attempt, e.Time = common.Attempt, common.Time
	}
	return e, true
}

// watched puts the watchdog off with each read that brings something.
type watched struct {
	r   io.Reader
	dog *time.Timer
	d   time.Duration
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.dog.Reset(w.d)
	}
	return n, err
}
