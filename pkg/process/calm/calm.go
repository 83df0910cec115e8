// Package calm, imported for its effect, starts a program that serves anew with calmer timers: see [process.Calm].
package calm

import (
	"os"

	"github.com/longhaul/longhaul/pkg/process"
)

// init and not main, as with a shim: of what the program imports nearly all comes later, and is initialised once and not twice. In
// main it took 13 ms more until an API answers, here it takes 4. A program with arguments only answers a question.
func init() {
	if len(os.Args) == 1 {
		process.Calm()
	}
}
