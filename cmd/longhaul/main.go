// Command longhaul is Longhaul's command line: it starts, watches and stops
// executions on a server, is a whole system for development in one process
// (dev), and sets the number of workers on Railway (autoscale).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/longhaul/longhaul/pkg/process"
)

func main() {
	process.Main() // dev runs engines too: the watcher of one never comes back from here
	os.Exit(command())
}

// command runs the command line of this process and gives its exit code.
func command() int {
	if os.Getenv("NO_COLOR") != "" {
		_ = os.Unsetenv("CLICOLOR_FORCE") // which lipgloss would let win
	}
	err := root().ExecuteContext(context.Background())
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	fmt.Fprintln(os.Stderr, "longhaul:", err)
	return exitOurs
}
