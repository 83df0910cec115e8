package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

func statusCommand() *cobra.Command {
	var watch bool
	var f format
	c := &cobra.Command{
		Use:   "status [--watch] ID",
		Short: "Say where an execution stands, and how it ended",
		Long: `Say where an execution stands, and how it ended. With --watch, until its end; Ctrl-C
then only stops watching.`,
		Example: `  longhaul status @last
  longhaul status --watch vqx7
  longhaul status -o json @last | jq .duration_seconds`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
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
			e, err := to.Status(ctx, id)
			if err != nil {
				return to.withHint(err)
			}
			if !watch {
				return f.print(c, factsOf(e))
			}
			return watchStatus(ctx, c, to, e, f)
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "until its end")
	f.flag(c)
	return c
}

// lookEvery is how often a watched status is asked for.
const lookEvery = time.Second

// watchStatus shows a status again whenever it has changed: on a terminal in
// place, else as a line.
func watchStatus(ctx context.Context, c *cobra.Command, to *connection, e *api.Execution, f format) error {
	s := newScreen(c.OutOrStdout(), c.ErrOrStderr())
	newest, shown := newState(e), ""
	end := sync.OnceFunc(s.run(newest.lines))
	defer end()
	for away := false; ; {
		if line := fmt.Sprint(e.Status, e.Attempt, string(e.Progress)); line != shown && f == asTable && !s.live() {
			fmt.Fprintln(c.OutOrStdout(), e.Status, summary(e))
			shown = line
		} else if line != shown && f != asTable {
			if err := writeJSON(c.OutOrStdout(), e, ""); err != nil {
				return err
			}
			shown = line
		}
		newest.set(e)
		if e.Status.Terminal() {
			end()
			if f == asTable && s.live() {
				return f.print(c, factsOf(e))
			}
			return nil
		}
		select {
		case <-ctx.Done():
			s.say("no longer watching; the execution goes on (longhaul cancel %s stops it)", e.ID)
			return nil
		case <-time.After(lookEvery):
		}
		next, err := to.Status(ctx, e.ID)
		switch {
		case err == nil:
			e, away = next, false
		case execution.CodeOf(err) == execution.NotFound || execution.CodeOf(err) == execution.Unauthorized:
			return to.withHint(err)
		case !away && ctx.Err() == nil:
			s.say("trying on: %v", err)
			away = true
		}
	}
}

// summary is a status in a few words.
func summary(e *api.Execution) string {
	var words []string
	if e.QueuePosition != nil {
		words = append(words, fmt.Sprintf("%d before it", *e.QueuePosition))
	}
	if e.StartedAt != nil {
		words = append(words, seconds(e.DurationSeconds))
	}
	if e.Status == execution.Running && e.Worker != nil {
		words = append(words, "on "+*e.Worker)
	}
	if p := progressOf(e); p.Percent != nil || p.Message != "" {
		words = append(words, strings.TrimSpace(p.percent()+p.Message))
	}
	return strings.Join(words, ", ")
}

// factsOf is a status for people.
func factsOf(e *api.Execution) listing {
	var rows [][]string
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{faint.Render(name), value})
		}
	}
	add("execution", bold.Render(string(e.ID)))
	add("status", statusWord(e.Status)+" "+faint.Render(summary(e)))
	if e.ErrorMessage != nil {
		first, more, _ := strings.Cut(*e.ErrorMessage, "\n")
		add("why", first)
		for line := range strings.Lines(more) {
			rows = append(rows, []string{"", strings.TrimRight(line, "\n")})
		}
	}
	add("command", commandLine(e))
	add("created", e.CreatedAt.Local().Format(time.DateTime)+faint.Render(" "+ago(e.CreatedAt.Time)+" ago"))
	if e.StartedAt != nil {
		add("started", e.StartedAt.Local().Format(time.DateTime))
	}
	if e.CompletedAt != nil {
		add("ended", e.CompletedAt.Local().Format(time.DateTime))
	}
	if e.ReturnCode != nil {
		add("exit code", strings.TrimSpace(fmt.Sprint(*e.ReturnCode)+" "+strings.Trim(orDash(e.Signal), "-")))
	}
	if e.Worker != nil {
		add("worker", fmt.Sprintf("%s%s", *e.Worker, faint.Render(fmt.Sprintf(" attempt %d of %d", e.Attempt, max(e.Attempt, e.MaxAttempts)))))
	}
	for _, p := range e.PastAttempts {
		add(fmt.Sprintf("attempt %d", p.Attempt), fmt.Sprintf("%s on %s: %s", p.Reason, p.Worker, p.Message))
	}
	if e.PeakMemoryBytes != nil && e.CPUSeconds != nil {
		add("used", fmt.Sprintf("%s of CPU, %s of memory at most", seconds(*e.CPUSeconds), size(*e.PeakMemoryBytes)))
	}
	add("timeout", seconds(float64(e.TimeoutSeconds)))
	add("output", fmt.Sprintf("%s, %d events", size(e.LogBytes), e.LastEvent))
	add("labels", labelsOf(e.Labels))
	return listing{whole: e, each: []any{e}, head: []string{"", ""}, rows: rows}
}
