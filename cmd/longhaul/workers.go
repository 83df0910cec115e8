package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
)

func workersCommand() *cobra.Command {
	var f format
	c := &cobra.Command{
		Use: "workers", Short: "List the workers, and what they run",
		Example: "  longhaul workers\n  longhaul ls --worker $(longhaul workers -o jsonl | jq -r 'select(.draining) | .worker')",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			to, err := connect(c)
			if err != nil {
				return err
			}
			list, err := to.Workers(c.Context())
			if err != nil {
				return to.withHint(err)
			}
			l := listing{
				whole: list, each: each(list.Workers), head: []string{"WORKER", "STATE", "RUNS", "UP", "VERSION", "QUEUES"},
				none: "longhaul: no worker lives, so what is started waits in line",
			}
			for _, w := range list.Workers {
				l.rows = append(l.rows, []string{w.Worker, workerState(&w), fmt.Sprintf("%d of %d", w.Running, w.Slots), ago(w.StartedAt.Time), w.Version, strings.Join(w.Queues, ",")})
			}
			return f.print(c, l)
		},
	}
	f.flag(c)
	return c
}

// silentFor is three times what lies between two signs of life.
const silentFor = 15 * time.Second

func workerState(w *api.Worker) string {
	switch silent := time.Since(w.LastSeenAt.Time); {
	case silent > silentFor:
		return red.Render("silent for " + span(silent))
	case w.Draining:
		return yellow.Render("draining")
	case w.Running >= w.Slots:
		return blue.Render("busy")
	}
	return green.Render("ready")
}
