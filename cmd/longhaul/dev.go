package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/longhaul/longhaul/pkg/app"
	"github.com/longhaul/longhaul/pkg/config"
	"github.com/longhaul/longhaul/pkg/telemetry"
)

func devCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "dev",
		Short: "Run API, worker and Redis in one process, for development",
		Long: `Run API, worker and Redis in one process, for development. Redis is a child
redis-server where one is installed, else an embedded one; REDIS_URL names another.
Without it, everything is lost when dev ends. All settings work as for the API and
the worker.`,
		Example: `  longhaul dev
  PORT=9000 MAX_CONCURRENT=2 longhaul dev`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interrupts(cmd.Context())
			defer stop()
			return dev(ctx, os.Stdout, os.Stderr)
		},
	}
}

func dev(ctx context.Context, stdout, stderr io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "longhaul-dev-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()

	settings := map[string]string{
		"API_TOKENS":    "dev-" + rand.Text(),
		"ARTIFACTS_URL": "file://" + filepath.Join(folder, "outputs"),
		"WORKDIR":       filepath.Join(folder, "work"),
	}
	lookup := func(name string) (string, bool) {
		if v, ok := os.LookupEnv(name); ok && v != "" {
			return v, true
		}
		v, ok := settings[name]
		return v, ok
	}
	kept := "in the Redis that REDIS_URL names"
	if _, ok := lookup("REDIS_URL"); !ok {
		redis, err := startRedis(context.WithoutCancel(ctx), folder) // the drain still needs it
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, redis.stop()) }()
		settings["REDIS_URL"], kept = redis.url, redis.what
	}
	cfg, err := config.Load(lookup, config.Dev)
	if err != nil {
		return err
	}
	log := telemetry.NewLogger(stderr, cfg.LogFormat, cfg.LogLevel)

	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		return app.API(ctx, cfg, log, func(at net.Addr) { welcome(stdout, at, cfg, kept) })
	})
	both.Go(func() error { return app.Worker(ctx, cfg, log) })
	return both.Wait()
}

// welcome prints what a new user pastes next.
func welcome(w io.Writer, at net.Addr, cfg *config.Config, kept string) {
	url := "http://" + at.String()
	token := ""
	if len(cfg.APITokens) > 0 {
		token = cfg.APITokens[0]
	}
	fmt.Fprintf(w, `
  Longhaul is running at %s
  console: %s/console (log in with the token below)     docs: %s/docs
  Everything is kept %s.

  export LONGHAUL_URL=%s LONGHAUL_TOKEN=%s

  # start: the id comes at once
  curl -s -X POST $LONGHAUL_URL/execute/start -H "Authorization: Bearer $LONGHAUL_TOKEN" \
    -H 'Content-Type: application/json' -d '{"command":"python","args":["src/main.py",
    "voice-of-customer","--analysis-type","topic-based","--multi-agent","--time-period","week",
    "--ai-model","openai","--generate-gamma"]}'

  # watch the newest one, and cancel it
  ID=$(curl -s "$LONGHAUL_URL/execute/list?limit=1" -H "Authorization: Bearer $LONGHAUL_TOKEN" | grep -o 'exec_[0-9]*_[0-9a-z]*' | head -1)
  curl -N $LONGHAUL_URL/execute/stream/$ID -H "Authorization: Bearer $LONGHAUL_TOKEN"
  curl -X POST $LONGHAUL_URL/execute/cancel/$ID -H "Authorization: Bearer $LONGHAUL_TOKEN"

`, url, url, url, kept, url, token)
}
