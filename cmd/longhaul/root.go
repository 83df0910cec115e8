package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/app"
)

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "longhaul",
		Short: "Runs long work for people: start it, watch every byte, stop it for certain, learn how it ended",
		Long: `Runs long work for people: start it, watch every byte, stop it for certain, learn
how it ended.

The server is what LONGHAUL_URL and LONGHAUL_TOKEN name, else the context that
longhaul login has stored, else http://127.0.0.1:8080.

Where a command takes an ID, the beginning of one will do, or of its last part
(4 characters at least), as long as one execution alone has it; @last is the last
one that was started from here.

Exit codes: the engine's own; 124 timeout, 125 Longhaul failed, 126 not allowed or
not to be started, 127 no such engine or command, 130 cancelled, 128+n ended by
signal n.`,
		Version:       app.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.PersistentFlags().String("context", "", "the server of this name that longhaul login has stored")
	_ = c.RegisterFlagCompletionFunc("context", completeContexts) // fails only without such a flag
	groups := []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"run", "Run and watch:", []*cobra.Command{
			runCommand(), logsCommand(), statusCommand(), waitCommand(), cancelCommand(), rerunCommand(), outputCommand(), artifactsCommand(),
		}},
		{"find", "Find:", []*cobra.Command{lsCommand(), queueCommand(), workersCommand(), enginesCommand(), openCommand()}},
		{"servers", "Servers:", []*cobra.Command{loginCommand(), configCommand(), doctorCommand()}},
		{"serve", "Serve:", []*cobra.Command{devCommand(), autoscaleCommand()}},
	}
	for _, g := range groups {
		c.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, sub := range g.commands {
			sub.GroupID = g.id
			c.AddCommand(sub)
		}
	}
	return c
}

// interrupts ends a context on the first SIGINT or SIGTERM; the next one ends the process.
func interrupts(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
