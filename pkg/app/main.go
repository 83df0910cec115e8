package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/longhaul/longhaul/pkg/config"
	"github.com/longhaul/longhaul/pkg/telemetry"
)

// Exit codes of cmd/api and cmd/worker.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // arguments or settings are wrong: starting again will not help
)

const serviceHelp = `%s: %s

Usage:
  %s                 run until SIGTERM or SIGINT
  %s --print-config  show every setting, its value and where it comes from
  %s health          ask the one that runs here, for a container's health check: 0 is well
  %s --version
  %s --help

Every setting is an environment variable, or a key of the file that LONGHAUL_CONFIG
names; docs/configuration.md lists them. For example:
  %s
`

// Service is the whole main of cmd/api and cmd/worker: it reads arguments and
// settings, runs until a signal, and returns the exit code.
func Service(name, what, example string, role config.Role, run func(context.Context, *config.Config, *slog.Logger) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return service(ctx, name, what, example, role, os.Args[1:], os.Stdout, os.Stderr, run)
}

func service(ctx context.Context, name, what, example string, role config.Role, args []string, stdout, stderr io.Writer, run func(context.Context, *config.Config, *slog.Logger) error) int {
	show := ""
	if len(args) > 0 {
		show = args[0]
	}
	switch {
	case len(args) > 1:
		fmt.Fprintf(stderr, "%s takes one argument at most; see %s --help\n", name, name)
		return exitUsage
	case show == "--help" || show == "-h" || show == "help":
		fmt.Fprintf(stdout, serviceHelp, name, what, name, name, name, name, name, example)
		return exitOK
	case show == "--version":
		fmt.Fprintln(stdout, Version())
		return exitOK
	case show != "" && show != "--print-config" && show != "health":
		fmt.Fprintf(stderr, "%s does not know %q; see %s --help\n", name, show, name)
		return exitUsage
	}
	cfg, err := config.Load(os.LookupEnv, role)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	switch show {
	case "--print-config":
		if err := cfg.Print(stdout); err != nil {
			return exitFailed
		}
		return exitOK
	case "health":
		if err := askHealth(ctx, cfg, role); err != nil {
			fmt.Fprintln(stderr, err)
			return exitFailed
		}
		return exitOK
	}
	// On stdout: some platforms take every line on stderr for an error.
	log := telemetry.NewLogger(stdout, cfg.LogFormat, cfg.LogLevel)
	if err := run(ctx, cfg, log); err != nil && !errors.Is(err, context.Canceled) {
		log.Error(name+" stopped", "error", err)
		return exitFailed
	}
	return exitOK
}
