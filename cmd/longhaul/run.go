package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

func runCommand() *cobra.Command {
	var req api.StartRequest
	var detach bool
	var params, input string
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG...]",
		Short: "Start an execution and watch it to its end",
		Long: `Start an execution and watch it to its end. Its output comes to ours, stdout and
stderr apart, and its exit code becomes ours.

The first Ctrl-C cancels it and goes on watching; the second leaves it alone. A
lost connection changes nothing: it is taken up again where it broke off.`,
		Example: `  longhaul run -- python src/main.py voice-of-customer --multi-agent
  longhaul run --engine voice-of-customer --params '{"time_period":"month"}'
  longhaul run -d --engine agent --input '{"input":"What do customers praise?"}'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				req.Command, req.Args = args[0], args[1:]
			}
			for value, field := range map[*string]*json.RawMessage{&params: &req.Params, &input: &req.Input} {
				if *value == "" {
					continue
				}
				if !json.Valid([]byte(*value)) {
					return fmt.Errorf("--params and --input take JSON, such as '{\"time_period\":\"week\"}'")
				}
				*field = json.RawMessage(*value)
			}
			if timeout%time.Second != 0 || timeout < 0 {
				return fmt.Errorf("--timeout takes whole seconds, such as 90s or 2h")
			}
			req.TimeoutSeconds = int64(timeout / time.Second)
			cl, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			return run(cmd.Context(), cl, req, detach)
		},
	}
	f := c.Flags()
	f.BoolVarP(&detach, "detach", "d", false, "print the id and return at once")
	f.StringVar(&req.Engine, "engine", "", "an engine of the catalog, instead of a command")
	f.StringVar(&params, "params", "", "its parameters, as JSON")
	f.StringVar(&input, "input", "", "JSON for the engine's stdin")
	f.DurationVar(&timeout, "timeout", 0, "how long it may run, such as 90m")
	f.StringVar(&req.Queue, "queue", "", "the line to stand in: critical, default or low")
	f.StringToStringVar(&req.Labels, "label", nil, "a label, such as team=research (repeatable)")
	return c
}

func run(ctx context.Context, cl *client.Client, req api.StartRequest, detach bool) error {
	started, err := cl.Start(ctx, req, "")
	if err != nil {
		return refused(err, os.Stderr)
	}
	if detach {
		fmt.Println(started.ID)
		return nil
	}
	fmt.Fprintf(os.Stderr, "longhaul: started %s\n", started.ID)

	ctx, leave := context.WithCancel(ctx)
	defer leave()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	go onInterrupt(ctx, cl, started.ID, signals, leave)

	end, err := follow(ctx, cl, started.ID, os.Stdout, os.Stderr)
	if err != nil {
		return err
	}
	if end == nil {
		fmt.Fprintf(os.Stderr, "longhaul: no longer watching; see longhaul logs -f %s\n", started.ID)
		return exitCode(exitCancelled)
	}
	return end.exit(os.Stderr, started.ID)
}

// onInterrupt cancels on the first signal and leaves on the second.
func onInterrupt(ctx context.Context, cl *client.Client, id execution.ID, signals <-chan os.Signal, leave func()) {
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		if n > 1 {
			leave()
			return
		}
		fmt.Fprintln(os.Stderr, "longhaul: cancelling; once more to leave it alone and stop watching")
		go func() { // a server that does not answer must not keep the second Ctrl-C waiting
			_, err := cl.Cancel(ctx, id, 0)
			if err != nil && ctx.Err() == nil && execution.CodeOf(err) != execution.Conflict {
				fmt.Fprintln(os.Stderr, "longhaul: not cancelled:", err)
			}
		}()
	}
}
