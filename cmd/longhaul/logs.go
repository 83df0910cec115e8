package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
)

func logsCommand() *cobra.Command {
	var followIt bool
	c := &cobra.Command{
		Use:   "logs [-f] ID",
		Short: "Print the output of an execution",
		Long: `Print the output of an execution, from its beginning. With -f, watch it to its end;
Ctrl-C then only stops watching.`,
		Example: `  longhaul logs exec_1762548673499_vqx7d3cpo
  longhaul logs -f exec_1762548673499_vqx7d3cpo`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := execution.ParseID(args[0])
			if err != nil {
				return err
			}
			cl, err := connect(cmd.Context())
			if err != nil {
				return err
			}
			if !followIt {
				_, err = cl.OutputText(cmd.Context(), id, os.Stdout, client.TextQuery{})
				return err
			}
			ctx, stop := interrupts(cmd.Context())
			defer stop()
			end, err := follow(ctx, cl, id, os.Stdout, os.Stderr)
			if err == nil && end == nil {
				fmt.Fprintln(os.Stderr, "longhaul: no longer watching; the execution goes on")
			}
			if end != nil {
				end.tell(os.Stderr, id)
			}
			return err
		},
	}
	c.Flags().BoolVarP(&followIt, "follow", "f", false, "watch it to its end")
	return c
}
