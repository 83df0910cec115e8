package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/telemetry"
)

type autoscale struct {
	service, environment, url string
	line                      client.QueueQuery
	every, calm               time.Duration
	removeBusy, dryRun        bool
	verbose                   bool
}

func autoscaleCommand() *cobra.Command {
	o := autoscale{}
	c := &cobra.Command{
		Use:   "autoscale --service ID [--min N] [--max N]",
		Short: "Give a Railway service as many workers as the line wants",
		Long: `Give a Railway service as many workers as the line wants, until it is stopped.

It asks the server (LONGHAUL_URL, LONGHAUL_TOKEN: METRICS_TOKEN is enough) for the
wanted replicas, and sets them through Railway's API: more at once, fewer when
fewer were wanted for all of --calm. Nothing is changed that it cannot know: when
the server or Railway does not answer, the replicas stay as they are.

Railway chooses which worker stops. So workers are removed only while nothing
runs, unless --remove-busy says that DRAIN_TIMEOUT and drainingSeconds of the
workers are as long as their longest execution.

Railway's token is RAILWAY_TOKEN (a project token, which is for one environment)
or RAILWAY_API_TOKEN (of an account or a workspace).`,
		Example: `  # see what it would do
  longhaul autoscale --service 4f1c... --environment 9b2e... --max 6 --dry-run

  # workers of 5 slots each, from 1 to 6, down after ten calm minutes
  longhaul autoscale --service 4f1c... --environment 9b2e... --slots 5 --max 6 --calm 10m

  # the workers of one queue, which drain for as long as an execution may take
  longhaul autoscale --service 77d0... --queue low --min 1 --max 3 --remove-busy`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	f := c.Flags()
	f.StringVar(&o.service, "service", "", "id of the workers' service (Railway: Settings, or the URL of its page)")
	f.StringVar(&o.environment, "environment", os.Getenv("RAILWAY_ENVIRONMENT_ID"), "id of the environment; RAILWAY_ENVIRONMENT_ID says it on Railway")
	f.IntVar(&o.line.Min, "min", 1, "fewest replicas")
	f.IntVar(&o.line.Max, "max", 10, "most replicas")
	f.IntVar(&o.line.Slots, "slots", 0, "MAX_CONCURRENT of these workers; 0: what the live ones have")
	f.StringSliceVar(&o.line.Queues, "queue", nil, "only these queues, where the service serves no others")
	f.DurationVar(&o.every, "every", 15*time.Second, "pause between two looks")
	f.DurationVar(&o.calm, "calm", 5*time.Minute, "how long fewer must be wanted before any is removed")
	f.BoolVar(&o.removeBusy, "remove-busy", false, "remove workers also while executions run")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be done, and do not do it")
	f.BoolVar(&o.verbose, "verbose", false, "log every look")
	f.StringVar(&o.url, "railway-api", railwayAPI, "where Railway's API is")
	return c
}

// check names what is missing or cannot be.
func (o *autoscale) check() error {
	switch {
	case o.service == "":
		return errors.New("--service is missing: the id of the workers' service")
	case o.environment == "":
		return errors.New("--environment is missing: the id of the environment that the service runs in")
	case o.line.Min < 1:
		return errors.New("--min must be 1 at least: Railway keeps one replica")
	case o.line.Max < o.line.Min:
		return errors.New("--max must not be less than --min")
	case o.line.Slots < 0:
		return errors.New("--slots must not be negative")
	case o.every < time.Second:
		return errors.New("--every must be a second at least: Railway limits how often its API may be asked (1000 times an hour on a Hobby plan)")
	}
	return nil
}

func (o *autoscale) run(c *cobra.Command) error {
	if err := o.check(); err != nil {
		return err
	}
	r := &railway{url: o.url, service: o.service, environment: o.environment, http: &http.Client{Timeout: stepTimeout}}
	if r.token = os.Getenv("RAILWAY_TOKEN"); r.token != "" {
		r.project = true
	} else if r.token = os.Getenv("RAILWAY_API_TOKEN"); r.token == "" {
		return errors.New("RAILWAY_TOKEN is missing: a project token of the environment (Project, Settings, Tokens)")
	}
	ctx, stop := interrupts(c.Context())
	defer stop()
	server, err := connect(c)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	s := &scaler{
		ask:      func(ctx context.Context) (*api.QueueStats, error) { return server.QueueStats(ctx, o.line) },
		platform: r, most: o.line.Max, calm: o.calm, removeBusy: o.removeBusy, dryRun: o.dryRun,
		log: telemetry.NewLogger(c.OutOrStdout(), "auto", level), now: time.Now,
	}
	s.log.Info("autoscaling", "service", o.service, "min", o.line.Min, "max", o.line.Max, "every", o.every, "calm", o.calm, "dry_run", o.dryRun)
	return s.watch(ctx, o.every)
}
