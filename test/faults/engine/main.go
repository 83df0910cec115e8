// Command engine is the engine of the fault suite. It prints numbered lines
// with checksums, and tells the outside, in a journal that no fault reaches,
// when it started, how far it came and how it ended. A lock per execution,
// which the kernel gives back however the process dies, shows two engines of
// one execution that live at once.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/longhaul/longhaul/test/faults/lines"
)

var (
	count      = flag.Int("lines", 10, "how many lines; -1 is for ever")
	pause      = flag.Duration("pause", 0, "after each line")
	size       = flag.Int("size", 64, "bytes of a line")
	both       = flag.Bool("both", false, "print to stderr too")
	code       = flag.Int("exit", 0, "exit code")
	ignoreTerm = flag.Bool("ignore-term", false, "go on after SIGTERM")
	dieAtTerm  = flag.Bool("die-at-term", false, "exit at SIGTERM with the exit code, in the middle of it all")
	children   = flag.Int("children", 0, "how many children to start, which sleep")
	steps      = flag.Int("steps", 0, "in place of a number of lines: so many steps over all attempts, counted in the checkpoint, one line each")
	succeedAt  = flag.Int("succeed-at", 1, "attempts before this one never end by themselves")
)

func main() {
	flag.Parse()
	os.Exit(run())
}

func run() int {
	terms := make(chan os.Signal, 8)
	signal.Notify(terms, syscall.SIGTERM)
	if *dieAtTerm {
		go func() { <-terms; os.Exit(*code) }()
	}
	j := openJournal()
	j.write("start")
	defer runtime.KeepAlive(j.lock()) // or the garbage collector closes it
	for range *children {
		c := exec.Command("sleep", "600")
		if err := c.Start(); err != nil {
			j.Why = err.Error()
		}
	}
	n := *count
	if j.Attempt < *succeedAt {
		n = -1
	}
	if *steps > 0 {
		if j.Step = lastStep(); *succeedAt <= 1 {
			n = max(0, *steps-j.Step)
		}
	}
	// Without a pause, several lines go out at once, or the pipe would be the slow part.
	block := 1
	if *pause == 0 && *steps == 0 {
		block = max(1, 32<<10 / *size)
	}
	var out, errs []byte
	for i := 1; n < 0 || i <= n; {
		out, errs = out[:0], errs[:0]
		for k := 0; k < block && (n < 0 || i <= n); k++ {
			out = lines.Append(out, 'o', j.Attempt, i, *size)
			if *both {
				errs = lines.Append(errs, 'e', j.Attempt, i, *size)
			}
			i++
		}
		if _, err := os.Stdout.Write(out); err != nil {
			return j.end("stdout: " + err.Error())
		}
		j.Out = i - 1
		if *both {
			if _, err := os.Stderr.Write(errs); err != nil {
				return j.end("stderr: " + err.Error())
			}
			j.Err = i - 1
		}
		if *steps > 0 {
			if err := j.step(); err != nil {
				return j.end("checkpoint: " + err.Error())
			}
		}
		if rest(terms) {
			return j.end("SIGTERM")
		}
	}
	return j.end("")
}

// rest pauses; true is a SIGTERM that counts.
func rest(terms <-chan os.Signal) bool {
	timer := time.NewTimer(*pause)
	defer timer.Stop()
	for {
		if *pause == 0 {
			select {
			case <-terms:
				if !*ignoreTerm {
					return true
				}
			default:
				return false
			}
			continue
		}
		select {
		case <-terms:
			if !*ignoreTerm {
				return true
			}
		case <-timer.C:
			return false
		}
	}
}

// journal is the engine's own, kept where Longhaul does not look.
type journal struct {
	lines.Entry
	f *os.File
}

func dir() string { return os.Getenv("FAULTS_JOURNAL") }

func openJournal() *journal {
	f, err := os.OpenFile(filepath.Join(dir(), "journal"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(97)
	}
	attempt, _ := strconv.Atoi(os.Getenv("EXECUTION_ATTEMPT"))
	return &journal{Entry: lines.Entry{ID: os.Getenv("EXECUTION_ID"), Attempt: attempt, PID: os.Getpid(), Size: *size}, f: f}
}

// write appends one line in one write, which O_APPEND keeps whole.
func (j *journal) write(what string) {
	j.What, j.At = what, time.Now()
	data, err := json.Marshal(j.Entry)
	if err == nil {
		_, err = j.f.Write(append(data, '\n'))
	}
	if err != nil {
		os.Exit(98)
	}
}

func checkpoint() string { return filepath.Join(os.Getenv("EXECUTION_CHECKPOINT_DIR"), "step") }

// lastStep is the last that an earlier attempt has kept.
func lastStep() int {
	data, _ := os.ReadFile(checkpoint()) // none at the first attempt
	n, _ := strconv.Atoi(string(data))
	return n
}

// step tells the journal of one more, and keeps it for the next attempt.
func (j *journal) step() error {
	j.Step++
	j.write("step")
	if err := os.WriteFile(checkpoint()+".new", []byte(strconv.Itoa(j.Step)), 0o600); err != nil {
		return err
	}
	return os.Rename(checkpoint()+".new", checkpoint())
}

func (j *journal) end(why string) int {
	j.Why = why
	j.write("end")
	if why == "SIGTERM" {
		return 143
	}
	return *code
}

// lock takes the execution's lock, and tells the journal where another engine
// of it holds the lock. The descriptor is closed on exec: children do not hold it.
func (j *journal) lock() *os.File {
	f, err := os.OpenFile(filepath.Join(dir(), j.ID+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		os.Exit(99)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		j.write("overlap")
	}
	return f
}
