package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/execution"
)

func openCommand() *cobra.Command {
	var onlyPrint bool
	c := &cobra.Command{
		Use:   "open [ID]",
		Short: "Open the console, or the page of an execution, in the browser",
		Long: `Open the console, or the page of an execution, in the browser. Where there is none,
or stdout is no terminal, its address is printed.`,
		Example: `  longhaul open
  longhaul open @last
  longhaul open --print @last`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			to, err := connect(c)
			if err != nil {
				return err
			}
			var id execution.ID
			if len(args) == 1 {
				if id, err = to.resolve(c.Context(), args[0]); err != nil {
					return err
				}
			}
			page := to.consoleURL(id)
			if !onlyPrint && isTerminal(c.OutOrStdout()) && browse(page) {
				fmt.Fprintf(c.ErrOrStderr(), "longhaul: opened %s\n", page)
				return nil
			}
			fmt.Fprintln(c.OutOrStdout(), page)
			return nil
		},
	}
	c.Flags().BoolVar(&onlyPrint, "print", false, "only print the address")
	return c
}

// browse says whether a browser could be asked.
func browse(page string) bool {
	name := "xdg-open"
	if runtime.GOOS == "darwin" {
		name = "open"
	} else if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return false
	}
	return exec.Command(name, page).Run() == nil
}
