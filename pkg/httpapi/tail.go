package httpapi

import (
	"bytes"
	"context"

	"github.com/longhaul/longhaul/pkg/execution"
)

// tailBytes is how far back the lines of a tail are looked for: an engine may
// never end one.
const tailBytes = 16 << 20

// cut says how many bytes of a chunk come before what is wanted. The zero value cuts nothing.
type cut struct {
	seq   execution.Cursor
	bytes int
}

// apply leaves them out of e.
func (c cut) apply(e *execution.Event) {
	if c.seq == e.Seq {
		e.Bytes = e.Bytes[min(c.bytes, len(e.Bytes)):]
	}
}

// begin moves a selection's beginning to where its tail, or its time, begins. It
// reads what it has to give, and no more of the log.
func (s *Server) begin(ctx context.Context, rec *execution.Record, sel *selection) error {
	var err error
	if !sel.since.IsZero() {
		if sel.after, err = s.cursorAt(ctx, rec, sel); err != nil {
			return err
		}
	}
	if sel.tail > 0 {
		sel.after, sel.begun, err = s.tailStart(ctx, rec, sel)
	}
	return err
}

// tailStart is where the last lines of a selection begin: a cursor, and what to
// leave out of the chunk that follows it.
func (s *Server) tailStart(ctx context.Context, rec *execution.Record, sel *selection) (execution.Cursor, cut, error) {
	left, size := sel.tail+1, 0 // ends of lines yet to be met; the first only ends the last line
	unended := true             // nothing was met yet
	for before := rec.Last + 1; before > sel.after+1; {
		events, from, err := s.Events.ReadBack(ctx, rec.ID, before, readBytes)
		if err != nil {
			return 0, cut{}, err
		}
		for i := len(events) - 1; i >= 0 && events[i].Seq > sel.after; i-- {
			e := &events[i]
			if e.Type != execution.EventLog || !sel.admits(e) || len(e.Bytes) == 0 {
				continue
			}
			if unended && e.Bytes[len(e.Bytes)-1] != '\n' {
				left--
			}
			unended = false
			var at int
			switch at, left = lineEnd(e.Bytes, left); {
			case left > 0:
			case at+1 == len(e.Bytes):
				return e.Seq, cut{}, nil
			default:
				return e.Seq - 1, cut{e.Seq, at + 1}, nil
			}
			if size += len(e.Bytes); size >= tailBytes {
				return e.Seq - 1, cut{}, nil
			}
		}
		before = from
	}
	return sel.after, cut{}, nil
}

// lineEnd finds the n-th newline from the end, and tells how many are missing.
func lineEnd(p []byte, n int) (at, missing int) {
	for at = len(p); n > 0; n-- {
		if at = bytes.LastIndexByte(p[:at], '\n'); at < 0 {
			return at, n
		}
	}
	return at, 0
}

// cursorAt is after which event the first one of sel.since or later comes. Times
// hardly ever go back, so a search by halves finds it with few reads.
func (s *Server) cursorAt(ctx context.Context, rec *execution.Record, sel *selection) (execution.Cursor, error) {
	low, high := sel.after, rec.Last // what is up to low is older; behind high it is not
	for low < high {
		middle := low + (high-low)/2
		events, err := s.Events.Read(ctx, rec.ID, middle, 1)
		if err != nil {
			return 0, err
		}
		if len(events) == 0 || !events[0].Time.Before(sel.since) {
			high = middle
			continue
		}
		for i := range events {
			if events[i].Time.Before(sel.since) {
				low = min(events[i].Seq, high)
			}
		}
	}
	return low, nil
}
