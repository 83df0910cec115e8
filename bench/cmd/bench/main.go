// Command bench is Longhaul's benchmark suite. It measures the whole of Longhaul
// (API, worker, shim, the record of each execution in Redis, compressed logs),
// other systems doing the same work, and what the machine allows at most, all in
// alternation; and it judges the goals of docs/performance.md by their ratios.
//
// It starts what it measures on loopback, and ends it. One file is one scenario.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	c := root()
	c.SetArgs(doubleDashes(os.Args[1:]))
	if err := c.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "bench",
		Short:         "Measure Longhaul, other systems, and the limits of the machine, in alternation",
		Long:          "Measures Longhaul, other systems, and the limits of the machine, in alternation.\nRun it at the top of the repository: go run -tags grpcnotrace ./bench/cmd/bench\n\nScenarios:\n" + scenarioList(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.AddCommand(runCommand(), peersCommand(), smokeCommand(), compareCommand(), acceptCommand(), reportCommand(), growthCommand(), plotCommand(), soakCommand(), memoryCommand(), helloCommand(), spinCommand())
	return c
}

// doubleDashes lets -rounds be --rounds, as with Go's own tools.
func doubleDashes(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && len(a) > 2 {
			a = "-" + a
		}
		out[i] = a
	}
	return out
}
