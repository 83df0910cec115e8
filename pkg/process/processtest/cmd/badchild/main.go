// Command badchild behaves badly as its first argument says, with the rest as that behaviour's arguments.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func main() {
	processtest.Main() // for what it starts itself
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: badchild BEHAVIOUR [ARGUMENT...]\n"+strings.Join(processtest.Names(), "\n"))
		os.Exit(2)
	}
	processtest.Run(os.Args[1], os.Args[2:])
}
