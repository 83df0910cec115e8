package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
)

func runCommand() *cobra.Command {
	var r request
	var w watching
	var paths []string
	c := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG...]",
		Short: "Start an execution and watch it to its end",
		Long: `Start an execution and watch it to its end. Its output comes to ours, stdout and
stderr apart, and its exit code becomes ours; what Longhaul says goes to stderr.

The first Ctrl-C cancels it and goes on watching, the second kills it. Ctrl-\
leaves it running and stops watching; so does a terminal that is closed. A lost
connection changes nothing: it is taken up again where it broke off.`,
		Example: `  longhaul run -- python src/main.py voice-of-customer --multi-agent
  longhaul run --engine voice-of-customer --param time_period=month
  longhaul run --engine agent --input '{"input":"What do customers praise?"}'
  longhaul run -f week.csv -f data=../data --engine report
  longhaul run -d --timeout 90m --label team=research -- python src/main.py
  longhaul run -o jsonl -- python src/main.py | jq 'select(.type == "progress")'`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				r.Command, r.Args = args[0], args[1:]
			}
			if (r.Command == "") == (r.Engine == "") {
				return errors.New("give either a command after --, or an engine with --engine (longhaul engines lists them)")
			}
			to, err := connect(c)
			if err != nil {
				return err
			}
			if err := r.fill(c.InOrStdin(), func() (map[string]string, error) { return to.kinds(c.Context(), r.Engine) }); err != nil {
				return err
			}
			files, err := filesOf(paths)
			if err != nil {
				return err
			}
			return w.startAndWatch(c, to, func(ctx context.Context) (*api.Started, error) {
				return to.StartWith(ctx, r.StartRequest, files, "")
			})
		},
	}
	c.Flags().StringArrayVarP(&paths, "file", "f", nil, "a file or folder that the engine shall have in its folder; NAME=FILE gives it another name (repeatable)")
	c.Flags().StringVar(&r.Engine, "engine", "", "an engine of the catalog, instead of a command")
	_ = c.RegisterFlagCompletionFunc("engine", completeEngines) // fails only without such a flag
	r.flags(c)
	w.flags(c)
	return c
}

// kinds are the types of an engine's parameters.
func (to *connection) kinds(ctx context.Context, engine string) (map[string]string, error) {
	if engine == "" {
		return nil, errors.New("--param is for an engine (--engine); a command takes arguments after --")
	}
	engines, err := to.Engines(ctx)
	if err != nil {
		return nil, to.withHint(err)
	}
	return kindsOf(engines, engine), nil
}

func completeEngines(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	to, err := connect(c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	engines, err := to.Engines(c.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, e := range engines.Engines {
		if e.Kind == "engine" {
			names = append(names, fmt.Sprintf("%s\t%s", e.Name, e.Description))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
