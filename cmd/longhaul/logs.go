package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

// logs are the flags of the command.
type logs struct {
	follow, stderr, stamps, exitStatus bool
	tail                               int
	since, grep                        string
	format                             format
}

func logsCommand() *cobra.Command {
	var l logs
	c := &cobra.Command{
		Use:   "logs [-f] ID",
		Short: "Print the output of an execution",
		Long: `Print the output of an execution so far, stdout and stderr apart. With -f, go on to
its end; Ctrl-C then only stops watching.`,
		Example: `  longhaul logs @last
  longhaul logs -f exec_1762548673499_vqx7d3cpo
  longhaul logs -f --tail 100 --exit-status vqx7
  longhaul logs --stderr --since 10m -t @last
  longhaul logs --grep 'error|warning' @last`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs,
		RunE:              l.run,
	}
	f := c.Flags()
	f.BoolVarP(&l.follow, "follow", "f", false, "go on to its end")
	f.IntVarP(&l.tail, "tail", "n", 0, "only the last so many lines of what is there, before the other flags choose of them")
	f.StringVar(&l.since, "since", "", "only what came since, such as 10m or 2025-01-07T19:11:00Z")
	f.StringVar(&l.grep, "grep", "", "only lines that match this regular expression")
	f.BoolVar(&l.stderr, "stderr", false, "only stderr")
	f.BoolVarP(&l.stamps, "timestamps", "t", false, "the time before each line")
	f.BoolVar(&l.exitStatus, "exit-status", false, "with -f: end with the exit code of the execution")
	l.format.flag(c)
	f.Lookup("output").Usage = "table: the output; jsonl: every event as a line of JSON"
	return c
}

func (l *logs) run(c *cobra.Command, args []string) error {
	from, err := pointInTime(l.since)
	if err != nil {
		return err
	}
	to, err := connect(c)
	if err != nil {
		return err
	}
	ctx, stop := interrupts(c.Context())
	defer stop()
	id, err := to.resolve(ctx, args[0])
	if err != nil {
		return err
	}
	v, err := l.view(c, id)
	if err != nil {
		return err
	}
	if v.quiet = !l.follow; !l.follow {
		v.screen.width = nil
		_, err := v.follow(ctx, l.only(from, pages(ctx, to, id, l.tail)))
		return to.withHint(err)
	}
	e, err := to.Status(ctx, id)
	if err != nil {
		return to.withHint(err)
	}
	v.state = newState(e)
	end, err := v.follow(ctx, l.only(from, to.Follow(ctx, id, client.StreamQuery{Tail: l.tail})))
	if err != nil {
		return to.withHint(err)
	}
	if end == nil {
		if ctx.Err() == nil { // the last event was seen before
			return nil
		}
		v.screen.say("no longer watching; the execution goes on (longhaul cancel %s stops it)", id)
		if l.exitStatus {
			return exitCode(exitCancelled)
		}
		return nil
	}
	end.tell(v.screen.err, id)
	if l.exitStatus {
		return end.exit()
	}
	return nil
}

func (l *logs) view(c *cobra.Command, id execution.ID) (*view, error) {
	v := &view{id: id, screen: newScreen(c.OutOrStdout(), c.ErrOrStderr()), state: newState(nil)}
	if l.format == asJSON {
		return nil, errors.New("there are no logs as one JSON document: take -o jsonl")
	}
	if l.format == asLines {
		v.events, v.screen.width = c.OutOrStdout(), nil
	}
	if !l.stamps && l.grep == "" {
		return v, nil
	}
	v.lines = &lineFilter{stamps: l.stamps}
	if l.grep != "" {
		re, err := regexp.Compile(l.grep)
		if err != nil {
			return nil, fmt.Errorf("--grep: %w", err)
		}
		v.lines.grep = re
	}
	return v, nil
}

// pages are the events that are there now.
func pages(ctx context.Context, to *connection, id execution.ID, tail int) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		for q := (client.OutputQuery{Tail: tail}); ; {
			page, err := to.Output(ctx, id, q)
			if err != nil {
				yield(api.Event{}, err)
				return
			}
			for _, e := range page.Events {
				if !yield(e, nil) {
					return
				}
			}
			if q = (client.OutputQuery{After: page.NextAfter}); !page.More {
				return
			}
		}
	}
}

// only drops chunks that are not wanted.
func (l *logs) only(from time.Time, events iter.Seq2[api.Event, error]) iter.Seq2[api.Event, error] {
	if from.IsZero() && !l.stderr {
		return events // nothing to look into each chunk for
	}
	return func(yield func(api.Event, error) bool) {
		for e, err := range events {
			if err == nil && e.Type == execution.EventLog {
				var d api.LogData
				if err = read(&e, &d); err == nil && (d.Time.Before(from) || l.stderr && d.Stream != "stderr") {
					continue
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// pointInTime reads an age or an instant; the zero time for nothing.
func pointInTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return time.Now().Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("--since takes an age such as 90s, 10m or 24h, or an instant such as 2025-01-07T19:11:00Z")
	}
	return t, nil
}
