// Command probe is the engine of the benchmarks, small so that its own start
// hides as little as possible.
//
//	probe nothing               prints nothing
//	probe stamp [FILE]          prints the instant of its own start in nanoseconds, or appends it to a file
//	probe emit N [SIZE]         prints N distinct lines of SIZE bytes (100)
//	probe emit -l N USEC [FILE] prints N lines, one every USEC, that tell when each was written; its start goes to the file
//	probe log KIND BYTES PAUSE  prints so many bytes of lines of a kind, with a pause after each
//
// With -go FILE before all that it begins when the file is there.
package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/bench/lines"
)

func main() {
	now := time.Now()
	args := os.Args[1:]
	if len(args) > 2 && args[0] == "-go" {
		await(args[1])
		args = args[2:]
	}
	args = append(args, make([]string, max(0, 5-len(args)))...) // what is not said is ""
	switch {
	case args[0] == "nothing":
	case args[0] == "stamp" && args[1] == "":
		_, err := os.Stdout.Write(stamp(now))
		check(err)
	case args[0] == "stamp":
		record(now, args[1])
	case args[0] == "emit" && args[1] == "-l":
		if args[4] != "" {
			record(now, args[4])
		}
		live(number(args[2]), time.Duration(number(args[3]))*time.Microsecond)
	case args[0] == "emit":
		if args[2] == "" {
			args[2] = "100"
		}
		emit(number(args[1]), number(args[2]))
	case args[0] == "log":
		log(args[1], number(args[2]), args[3])
	default:
		os.Exit(2)
	}
}

func check(err error) {
	if err != nil {
		os.Exit(1)
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		os.Exit(2)
	}
	return n
}

func await(file string) {
	for {
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			check(err)
			return
		}
		<-time.After(2 * time.Millisecond)
	}
}

func stamp(at time.Time) []byte { return append(strconv.AppendInt(nil, at.UnixNano(), 10), '\n') }

// record appends in one write, so that several processes may do so at once.
func record(at time.Time, file string) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	check(err)
	_, err = f.Write(stamp(at))
	check(err)
	check(f.Close())
}

// live writes each line by itself, at its time: when one is late, the next is not.
func live(n int, every time.Duration) {
	next := time.Now()
	var b []byte
	for i := range n {
		<-time.After(time.Until(next))
		next = next.Add(every)
		b = lines.Stamped(b[:0], time.Now(), i)
		_, err := os.Stdout.Write(b)
		check(err)
	}
}

func emit(n, size int) {
	w := bufio.NewWriterSize(os.Stdout, 64<<10)
	b := make([]byte, 0, size)
	for i := range n {
		b = lines.Append(b[:0], i, size)
		_, err := w.Write(b)
		check(err)
	}
	check(w.Flush())
}

func log(kind string, left int, pause string) {
	rest, err := time.ParseDuration(pause)
	if err != nil {
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
		check(err)
	}
	check(w.Flush())
}
