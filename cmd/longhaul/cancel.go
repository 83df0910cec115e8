package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

func cancelCommand() *cobra.Command {
	var force bool
	var wait time.Duration
	var f format
	c := &cobra.Command{
		Use:   "cancel ID...",
		Short: "Stop executions, and wait for the proof that nothing of them is left",
		Long: `Stop executions. A running engine gets SIGTERM and, when its grace is over (10 s
unless the catalog says otherwise), SIGKILL; with --force, SIGKILL at once. Every
process that it has started goes with it.

One that has ended otherwise meanwhile is no error.`,
		Example: `  longhaul cancel @last
  longhaul cancel --force vqx7
  longhaul cancel $(longhaul ls -q --status queued)`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			if wait < 0 || wait > time.Minute {
				return errors.New("--wait is at most a minute (60s); 0 does not wait")
			}
			to, err := connect(c)
			if err != nil {
				return err
			}
			var all []*api.Cancelled
			for _, word := range args {
				id, err := to.resolve(c.Context(), word)
				if err != nil {
					return err
				}
				done, err := to.stop(c.Context(), id, force, wait)
				if p, ok := errors.AsType[*client.Problem](err); ok && p.Code == execution.Conflict {
					done, err = &api.Cancelled{ID: id, Status: p.ExecutionStatus, Message: "It had ended already as " + string(p.ExecutionStatus), Delivered: "settled"}, nil
				}
				if err != nil {
					return to.withHint(err)
				}
				all = append(all, done)
				if f == asTable {
					fmt.Fprintf(c.ErrOrStderr(), "longhaul: %s: %s\n", id, cancelWord(done))
				}
			}
			if f == asTable {
				return nil
			}
			return f.print(c, allOf(all))
		},
	}
	c.Flags().BoolVar(&force, "force", false, "kill it at once, without its grace")
	c.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long to wait for each until nothing of it is left; 0: not at all")
	f.flag(c)
	return c
}

// stop cancels, or kills.
func (to *connection) stop(ctx context.Context, id execution.ID, force bool, wait time.Duration) (*api.Cancelled, error) {
	if force {
		return to.Kill(ctx, id, wait)
	}
	return to.Cancel(ctx, id, wait)
}

// cancelWord says how far a cancel is.
func cancelWord(c *api.Cancelled) string {
	if c.GroupEmptyAt != nil {
		return fmt.Sprintf("%s; nothing of it is left since %s", c.Status, c.GroupEmptyAt.Local().Format(time.TimeOnly))
	}
	return c.Message
}
