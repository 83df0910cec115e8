package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

func waitCommand() *cobra.Command {
	var f format
	c := &cobra.Command{
		Use:   "wait ID...",
		Short: "Wait until executions have ended, and end with the exit code of the first that did not complete",
		Example: `  longhaul wait @last && echo done
  longhaul wait $(longhaul ls -q --status running,queued --label batch=7)
  longhaul wait -o json @last | jq .reason`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupts(c.Context()) // first of all, so that no code of 0 can come of one
			defer stop()
			to, err := connect(c)
			if err != nil {
				return err
			}
			var ids []execution.ID
			for _, word := range args {
				id, err := to.resolve(ctx, word)
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			var ended []*api.Execution
			var first error
			for _, id := range ids {
				e, err := to.Wait(ctx, id)
				if ctx.Err() != nil {
					fmt.Fprintf(c.ErrOrStderr(), "longhaul: no longer waiting; %s goes on\n", id)
					return exitCode(exitCancelled)
				}
				if err != nil {
					return to.withHint(err)
				}
				ended = append(ended, e)
				if f == asTable {
					fmt.Fprintf(c.ErrOrStderr(), "longhaul: %s %s after %s\n", id, e.Status, seconds(e.DurationSeconds))
					endingOf(e).tell(c.ErrOrStderr(), id)
				}
				if first == nil {
					first = endingOf(e).exit()
				}
			}
			if f == asTable {
				return first
			}
			if err := f.print(c, allOf(ended)); err != nil {
				return err
			}
			return first
		},
	}
	f.flag(c)
	return c
}
