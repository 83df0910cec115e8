package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
)

// watching is how run and rerun watch what they have started.
type watching struct {
	detach bool
	format format
}

func (w *watching) flags(c *cobra.Command) {
	c.Flags().BoolVarP(&w.detach, "detach", "d", false, "print the id and return at once")
	w.format.flag(c)
	c.Flags().Lookup("output").Usage = "table: the output; jsonl: every event as a line of JSON; json: at the end, its status"
}

// startAndWatch starts an execution and watches it to its end.
func (w *watching) startAndWatch(c *cobra.Command, to *connection, start func(context.Context) (*api.Started, error)) error {
	// From here on no signal ends us unawares: what the server has begun goes on.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGPIPE)
	defer signal.Stop(signals)

	started, err := startUnlessStopped(c.Context(), signals, start)
	if err != nil {
		return refused(to.withHint(err), c.ErrOrStderr())
	}
	remember(to.URL, started.ID)
	if w.detach {
		return w.tellStarted(c, started)
	}
	s := newScreen(c.OutOrStdout(), c.ErrOrStderr())
	s.say("started %s", bold.Render(string(started.ID)))
	s.say("%s", to.consoleURL(started.ID))
	v := &view{id: started.ID, screen: s, state: newState(nil)}
	switch w.format {
	case asLines:
		v.events, s.width = c.OutOrStdout(), nil
		if err := writeJSON(v.events, struct {
			Type string `json:"type"`
			*api.Started
		}{"started", started}, ""); err != nil {
			return err
		}
	case asJSON:
		v.screen.out = c.ErrOrStderr()
	}
	end, err := w.watch(c.Context(), to, v, signals)
	if err != nil || end == nil || w.format != asJSON {
		return err
	}
	e, err := to.Status(c.Context(), started.ID)
	if err != nil {
		return err
	}
	return errors.Join(writeJSON(c.OutOrStdout(), e, "  "), end.exit())
}

// startUnlessStopped waits for the server's answer, or for a signal. One that comes together with the answer is for who watches: it stays in signals.
func startUnlessStopped(ctx context.Context, signals chan os.Signal, start func(context.Context) (*api.Started, error)) (*api.Started, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type answer struct {
		started *api.Started
		err     error
	}
	answered := make(chan answer, 1)
	go func() {
		started, err := start(ctx)
		answered <- answer{started, err}
	}()
	select {
	case a := <-answered:
		return a.started, a.err
	case sig := <-signals:
		cancel(fmt.Errorf("stopped by %v before the server had answered; longhaul ls says whether it was started", sig))
		a := <-answered
		if a.err == nil {
			select {
			case signals <- sig:
			default: // there are more, which do as well
			}
		}
		return a.started, a.err
	}
}

func (w *watching) tellStarted(c *cobra.Command, started *api.Started) error {
	switch w.format {
	case asJSON:
		return writeJSON(c.OutOrStdout(), started, "  ")
	case asLines:
		return writeJSON(c.OutOrStdout(), started, "")
	}
	fmt.Fprintln(c.OutOrStdout(), started.ID)
	return nil
}

// watch follows to the end, or until a signal or a reader that has gone says to
// leave. The ending is nil where the caller has nothing more to say.
func (w *watching) watch(ctx context.Context, to *connection, v *view, signals <-chan os.Signal) (*ending, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	keys := &keyboard{to: to, view: v, leave: cancel}
	done := make(chan struct{})
	go func() { defer close(done); keys.run(ctx, signals) }()
	end, err := v.follow(ctx, to.Stream(ctx, v.id, 0))
	left := context.Cause(ctx)
	cancel(nil)
	<-done
	switch {
	case end != nil:
		end.tell(v.screen.err, v.id)
		if w.format == asJSON {
			return end, nil
		}
		return nil, end.exit()
	case errors.As(err, new(outputError)):
		left, err = leftBy{syscall.SIGPIPE}, nil
	case err == nil && left == nil: // the server has said all it has, and no end
		return nil, errors.New("the server ended the stream without an end; longhaul status has the rest")
	}
	v.hint()
	if by, ok := errors.AsType[leftBy](left); ok {
		return nil, exitSignal(by.signal)
	}
	return nil, err
}

// hint says how to come back.
func (v *view) hint() {
	v.screen.say("no longer watching; %s goes on", v.id)
	v.screen.say("  longhaul logs -f %s", v.id)
	v.screen.say("  longhaul cancel %s", v.id)
}

// leftBy is the cause of a watch that a signal has ended.
type leftBy struct{ signal syscall.Signal }

func (l leftBy) Error() string { return "left by " + l.signal.String() }
