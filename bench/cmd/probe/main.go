// Command probe is the engine of the benchmarks, small so that its own start
// hides as little as possible.
//
//	probe stamp     prints the instant of its own start
//	probe emit N    prints N distinct lines of 100 bytes
package main

import (
	"bufio"
	"os"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/bench/lines"
)

func main() {
	now := time.Now()
	args := os.Args[1:]
	switch {
	case len(args) == 1 && args[0] == "stamp":
		_, _ = os.Stdout.WriteString(strconv.FormatInt(now.UnixNano(), 10) + "\n")
	case len(args) == 2 && args[0] == "emit":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			os.Exit(2)
		}
		w := bufio.NewWriterSize(os.Stdout, 64<<10)
		for i := range n {
			_, _ = w.Write(lines.Line(i))
		}
		if err := w.Flush(); err != nil {
			os.Exit(1)
		}
	default:
		os.Exit(2)
	}
}
