// Command probe is the engine of the benchmarks, small so that its own start
// hides as little as possible.
//
//	probe nothing               prints nothing
//	probe stamp                 prints the instant of its own start
//	probe emit N                prints N distinct lines of 100 bytes
//	probe log KIND BYTES PAUSE  prints so many bytes of lines of a kind, with a pause after each
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
	case len(args) == 1 && args[0] == "nothing":
	case len(args) == 1 && args[0] == "stamp":
		_, _ = os.Stdout.WriteString(strconv.FormatInt(now.UnixNano(), 10) + "\n")
	case len(args) == 2 && args[0] == "emit":
		emit(args[1])
	case len(args) == 4 && args[0] == "log":
		log(args[1], args[2], args[3])
	default:
		os.Exit(2)
	}
}

func emit(count string) {
	n, err := strconv.Atoi(count)
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
}

func log(kind, size, pause string) {
	left, err := strconv.Atoi(size)
	rest, perr := time.ParseDuration(pause)
	if err != nil || perr != nil {
		os.Exit(2)
	}
	w := bufio.NewWriterSize(os.Stdout, 64<<10)
	for l := lines.NewLog(kind); left > 0; {
		line := l.Next()
		line = line[:min(left, len(line))]
		left -= len(line)
		_, err = w.Write(line)
		if rest > 0 && err == nil {
			err = w.Flush()
			<-time.After(rest)
		}
		if err != nil {
			os.Exit(1)
		}
	}
	if err := w.Flush(); err != nil {
		os.Exit(1)
	}
}
