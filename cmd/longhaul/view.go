package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// view shows the events of one execution.
type view struct {
	id     execution.ID
	screen *screen
	state  *state
	lines  *lineFilter // nil: every byte as it is
	events io.Writer   // the events themselves, a line of JSON each, instead of the output; nil: the output
	quiet  bool        // nothing but the output
}

// follow shows events to the end of the execution. The ending is nil when ctx
// ended first, or events did.
func (v *view) follow(ctx context.Context, events iter.Seq2[api.Event, error]) (*ending, error) {
	end := v.screen.run(v.state.lines)
	defer end()
	for e, err := range events {
		if err != nil && ctx.Err() != nil {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if err := v.show(&e); err != nil {
			return nil, err
		}
		if e.Type == execution.EventEnd {
			ended := &ending{}
			return ended, read(&e, ended)
		}
	}
	return nil, v.flush()
}

// outputError is that nobody reads our output any more.
type outputError struct{ error }

func (v *view) show(e *api.Event) error {
	if v.events != nil {
		if err := writeJSON(v.events, e, ""); err != nil {
			return outputError{err}
		}
		return nil
	}
	switch e.Type {
	case execution.EventLog:
		var d api.LogData
		if err := read(e, &d); err != nil {
			return err
		}
		return v.chunk(d.Stream == "stderr", d.Bytes(), e)
	case execution.EventGap:
		var gap execution.GapData
		if err := read(e, &gap); err != nil {
			return err
		}
		v.screen.say("a part of the log is no longer kept: %s", cmp.Or(gap.Reason, "its middle"))
	case execution.EventEnd:
		return v.flush()
	default:
		line, err := v.state.take(e)
		if line != "" && !v.quiet && (!v.screen.live() || v.state.lasting(e)) {
			v.screen.say("%s", line)
		}
		return err
	}
	return nil
}

func (v *view) chunk(toErr bool, p []byte, e *api.Event) error {
	if v.lines != nil {
		p = v.lines.take(toErr, p, e.Time.Time)
	}
	if err := v.screen.write(toErr, p); err != nil {
		return outputError{err}
	}
	return nil
}

// flush shows a last line that has no end.
func (v *view) flush() error {
	if v.lines == nil {
		return nil
	}
	for _, toErr := range []bool{false, true} {
		if err := v.screen.write(toErr, v.lines.rest(toErr)); err != nil {
			return outputError{err}
		}
	}
	return nil
}

func read(e *api.Event, into any) error {
	if err := json.Unmarshal(e.Data, into); err != nil {
		return fmt.Errorf("event %d: %w", e.Seq, err)
	}
	return nil
}
