package process_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func TestFiftyMegabytesArriveWhole(t *testing.T) {
	t.Parallel()
	const size = 50 << 20
	r := start(t, newPool(t, 1), bad(processtest.Flood, strconv.Itoa(size)))
	got := sha256.New()
	n, err := io.Copy(got, r.stdout)
	if err != nil || n != size {
		t.Fatalf("got %d bytes: %v", n, err)
	}
	want := sha256.New()
	for left := size; left > 0; left -= len(processtest.FloodLine) {
		_, _ = io.WriteString(want, processtest.FloodLine[:min(left, len(processtest.FloodLine))])
	}
	if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		t.Error("the bytes differ")
	}
	r.wait()
}

func TestBytesAreNotTouched(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.Binary))
	if got := r.rest(); got != processtest.BinaryOutput {
		t.Errorf("got %q, want %q", got, processtest.BinaryOutput)
	}
	r.wait()
}

func TestALineOfTenMegabytesWithoutItsNewlineArrives(t *testing.T) {
	t.Parallel()
	const size = 10 << 20
	r := start(t, newPool(t, 1), bad(processtest.LongLine, strconv.Itoa(size)))
	if got := r.rest(); len(got) != size || strings.Trim(got, "x") != "" {
		t.Errorf("got %d bytes", len(got))
	}
	r.wait()
}

func TestClosingStdoutIsNotTheEnd(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.CloseStdout)).ready()
	if rest := r.rest(); rest != "" {
		t.Errorf("after ready: %q", rest)
	}
	select {
	case <-r.Exited():
		t.Error("exited, though only its stdout is closed")
	default:
	}
	r.Terminate(0)
	r.wait()
}

func TestStreamsAndEventsAreApart(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 1)
	r := start(t, pool, command("sh", "-c", "echo out; echo err >&2; echo '{}' >&3"))
	for name, stream := range map[string]io.Reader{"out": r.stdout, "err": r.Stderr(), "{}": r.Events()} {
		if got, err := io.ReadAll(stream); err != nil || string(got) != name+"\n" {
			t.Errorf("got %q (%v), want %q", got, err, name)
		}
	}
	r.wait()
	r = start(t, pool, bad(processtest.Events, `{"a":1}`, `{"b":2}`))
	if got, _ := io.ReadAll(r.Events()); string(got) != "{\"a\":1}\n{\"b\":2}\n" {
		t.Errorf("events: %q", got)
	}
	r.wait()
}

func TestGoneDoesNotNeedAReader(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.Flood, "10000000")) // blocks on a full pipe
	r.Terminate(0)
	processtest.Within(t, r.Gone(), "gone")
}

func TestReadDeadlinesWork(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.Sleep)).ready()
	_ = r.Stdout().SetReadDeadline(time.Now())
	if _, err := r.Stdout().Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "i/o timeout") {
		t.Errorf("got %v", err)
	}
	_ = r.Stdout().SetReadDeadline(time.Time{})
	r.Terminate(0)
	r.wait()
}

func TestStdinArrivesWholeAndEnds(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 1)
	for name, size := range map[string]int{"nothing": 0, "a little": 100, "a full pipe": 64 << 10, "more than a pipe": 3 << 20} {
		t.Run(name, func(t *testing.T) {
			c := bad(processtest.Echo)
			c.Stdin = bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			r := start(t, pool, c)
			if got := r.rest(); got != string(c.Stdin) {
				t.Errorf("got %d bytes, want %d", len(got), size)
			}
			if exit := r.wait(); !exit.Success() {
				t.Error(exit)
			}
		})
	}
}

func TestNoStdinIsAnEmptyOne(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.Echo))
	if got := r.rest(); got != "" {
		t.Errorf("got %q", got)
	}
	r.wait()
}

func TestAnEngineThatNeverReadsALongStdinIsNoHindrance(t *testing.T) {
	t.Parallel()
	c := bad(processtest.NeverReads)
	c.Stdin = make([]byte, 5<<20)
	r := start(t, newPool(t, 1), c).ready()
	r.Terminate(0)
	r.wait()
}

func TestAnEngineThatExitsBeforeALongStdinIsWrittenIsNoHindrance(t *testing.T) {
	t.Parallel()
	c := bad(processtest.Exit, "0")
	c.Stdin = make([]byte, 5<<20)
	start(t, newPool(t, 1), c).wait()
}
