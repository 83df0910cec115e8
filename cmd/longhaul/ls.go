package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

func lsCommand() *cobra.Command {
	var q client.ListQuery
	var words []string
	var since string
	var onlyIDs bool
	var f format
	c := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"ps", "list"},
		Short:   "List executions, newest first",
		Example: `  longhaul ls
  longhaul ls --status running,queued
  longhaul ls --status failed --since 24h --label team=research
  longhaul ls --search voice-of-customer --worker worker-1
  longhaul cancel $(longhaul ls -q --status queued --engine agent)
  longhaul ls -o jsonl --limit 1000 | jq -r .execution_id`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if q.Since, err = pointInTime(since); err != nil {
				return err
			}
			if q.Limit < 1 {
				return errors.New("--limit must be 1 at least")
			}
			for _, w := range words {
				s := execution.Status(w)
				if !s.Valid() {
					return fmt.Errorf("--status %s: there are %s", w, strings.Join(statusWords(), ", "))
				}
				q.Status = append(q.Status, s)
			}
			to, err := connect(c)
			if err != nil {
				return err
			}
			list, err := to.listUpTo(c.Context(), q)
			if err != nil {
				return to.withHint(err)
			}
			if onlyIDs {
				for i := range list.Executions {
					fmt.Fprintln(c.OutOrStdout(), list.Executions[i].ID)
				}
				return nil
			}
			return f.print(c, tableOf(list))
		},
	}
	fl := c.Flags()
	fl.StringSliceVar(&words, "status", nil, "only these: "+strings.Join(statusWords(), ", "))
	fl.StringVar(&q.Engine, "engine", "", "only of this engine")
	fl.StringToStringVar(&q.Labels, "label", nil, "only with this label, such as team=research (repeatable)")
	fl.StringVar(&q.Worker, "worker", "", "only of this worker")
	fl.StringVarP(&q.Text, "search", "s", "", "only those with this text in id, command line, engine or labels")
	fl.StringVar(&since, "since", "", "only those created since, such as 24h or 2025-01-07T19:11:00Z")
	fl.IntVarP(&q.Limit, "limit", "n", 20, "at most so many")
	fl.BoolVarP(&onlyIDs, "quiet", "q", false, "only the ids")
	f.flag(c)
	_ = c.RegisterFlagCompletionFunc("engine", completeEngines)                                                           // fails only without such a flag
	_ = c.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(statusWords(), cobra.ShellCompDirectiveNoFileComp)) // likewise
	return c
}

func statusWords() []string {
	var words []string
	for _, s := range execution.Statuses {
		words = append(words, string(s))
	}
	return words
}

// listUpTo reads pages until there are q.Limit executions, or no more.
func (to *connection) listUpTo(ctx context.Context, q client.ListQuery) (*api.List, error) {
	all := &api.List{Executions: []api.Execution{}}
	for most := q.Limit; ; {
		q.Limit = min(pageSize, most-len(all.Executions))
		page, err := to.List(ctx, q)
		if err != nil {
			return nil, err
		}
		all.Executions = append(all.Executions, page.Executions...)
		all.NextCursor = page.NextCursor
		if page.NextCursor == nil || len(all.Executions) >= most {
			return all, nil
		}
		q.Cursor = *page.NextCursor
	}
}

func tableOf(list *api.List) listing {
	l := listing{
		whole: list, each: each(list.Executions), none: "longhaul: no executions",
		head: []string{"ID", "STATUS", "AGE", "TIME", "WORKER", "COMMAND"},
	}
	for i := range list.Executions {
		e := &list.Executions[i]
		l.rows = append(l.rows, []string{string(e.ID), statusCell(e), ago(e.CreatedAt.Time), timeCell(e), orDash(e.Worker), commandLine(e)})
	}
	return l
}

// statusCell says besides the status what one asks next.
func statusCell(e *api.Execution) string {
	word := statusWord(e.Status)
	switch {
	case e.Status == execution.Queued && e.QueuePosition != nil:
		return word + faint.Render(fmt.Sprintf(" #%d", *e.QueuePosition+1))
	case e.Status == execution.Failed && e.ReturnCode != nil:
		return word + faint.Render(fmt.Sprintf(" %d", *e.ReturnCode))
	case e.Status == execution.Errored && e.Reason != nil:
		return word + faint.Render(" "+string(*e.Reason))
	}
	return word
}

func timeCell(e *api.Execution) string {
	if e.StartedAt == nil {
		return "-"
	}
	return seconds(e.DurationSeconds)
}
