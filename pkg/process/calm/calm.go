// Package calm, imported for its effect, starts a program that serves anew with calmer timers: see [boot.Calm].
package calm

import (
	"os"

	"github.com/longhaul/longhaul/pkg/process/boot"
)

// init and not main: packages are initialised in the order of their paths once those that they import are, so that all the
// program imports, but for a handful of the standard library's, comes later, and once. In main it took 13 ms more until an API
// answers, here it takes 1. A program with arguments only answers a question.
func init() {
	if len(os.Args) == 1 {
		boot.Calm()
	}
}
