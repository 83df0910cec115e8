// Command longhaul is Longhaul's command line: a whole system for development
// in one process (dev), a client for a running one (run, logs), and what sets the
// number of its workers on Railway (autoscale).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/app"
	"github.com/longhaul/longhaul/pkg/process"
)

// Exit codes of our own; an engine's code is passed through as it is.
const (
	exitTimeout    = 124 // the execution ran past its timeout
	exitOurs       = 125 // Longhaul, or the way to it, failed
	exitNotAllowed = 126
	exitCancelled  = 130
)

// exitCode is an error that only sets the exit code: everything was said.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	process.Main() // dev runs engines too: the watcher of one never comes back from here
	err := root().ExecuteContext(context.Background())
	var code exitCode
	switch {
	case err == nil:
	case errors.As(err, &code):
		os.Exit(int(code))
	default:
		fmt.Fprintln(os.Stderr, "longhaul:", err)
		os.Exit(exitOurs)
	}
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "longhaul",
		Short: "Runs long work for people: start it, watch every byte, stop it for certain, learn how it ended",
		Long: `Runs long work for people: start it, watch every byte, stop it for certain, learn how it ended.

run, logs and autoscale talk to the server that LONGHAUL_URL names (http://127.0.0.1:8080 by
default) with the token in LONGHAUL_TOKEN.

Exit codes: the engine's own; 124 timeout, 125 Longhaul failed, 126 not allowed or
no such engine, 130 cancelled, 128+n ended by signal n.`,
		Version:       app.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.AddCommand(devCommand(), runCommand(), logsCommand(), autoscaleCommand())
	return c
}

// interrupts ends a context on the first SIGINT or SIGTERM; the next one ends the process.
func interrupts(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
