package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

func queueCommand() *cobra.Command {
	var f format
	c := &cobra.Command{
		Use: "queue", Short: "Say how long the line is, and what there is to work it off",
		Example: "  longhaul queue\n  longhaul queue -o json | jq .wanted_replicas",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			to, err := connect(c)
			if err != nil {
				return err
			}
			q, err := to.QueueStats(c.Context(), client.QueueQuery{})
			if err != nil {
				return to.withHint(err)
			}
			l := listing{whole: q, each: []any{q}, head: []string{"QUEUE", "WAITING", "LATER", "OLDEST", "RUNNING", "SLOTS"}}
			for _, name := range execution.Queues {
				if n, ok := q.Queues[name]; ok {
					l.rows = append(l.rows, []string{name, fmt.Sprint(n.Depth), fmt.Sprint(n.Delayed), seconds(n.OldestAgeSeconds), fmt.Sprint(n.Running), fmt.Sprint(n.Capacity)})
				}
			}
			l.rows = append(l.rows, []string{"all", fmt.Sprint(q.Depth), fmt.Sprint(q.Delayed), seconds(q.OldestAgeSeconds), fmt.Sprint(q.Running), fmt.Sprint(q.Capacity)})
			return f.print(c, l)
		},
	}
	f.flag(c)
	return c
}
