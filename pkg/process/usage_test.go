package process_test

import (
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func TestUsageIsThatOfTheWholeTree(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 2)
	t.Run("processor time of children is counted", func(t *testing.T) {
		c := command("sh", "-c", "sh -c 'ulimit -t 1; while :; do :; done'; true")
		exit := start(t, pool, c).wait()
		if used := exit.CPUUser + exit.CPUSystem; used < 500*time.Millisecond || used > 5*time.Second {
			t.Errorf("used %v, want about a second", used)
		}
	})
	t.Run("memory is that of the largest", func(t *testing.T) {
		r := start(t, pool, bad(processtest.Allocate, "150")).ready()
		r.Terminate(0)
		if peak := r.wait().PeakMemory >> 20; peak < 150 || peak > 400 {
			t.Errorf("peak %d MiB, want a little over 150", peak)
		}
	})
}

func TestATreeIsMeasuredWhileItRuns(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 1)
	// One child has burnt a second and was waited for, one lives and has 60 MiB.
	script := `sh -c 'ulimit -t 1; while :; do :; done'; "$0" "$@"; true`
	c := command("sh", append([]string{"-c", script, processtest.Path()}, processtest.Args(processtest.Allocate, "60")...)...)
	for range 2 { // the second by the same shim, which has a past
		r := start(t, pool, c).ready()
		r.Measure()
		r.Measure() // is no second question
		u := measured(t, r)
		if u.CPU < 500*time.Millisecond || u.CPU > 10*time.Second || u.Memory>>20 < 60 || u.Memory>>20 > 300 || u.Processes != 2 {
			t.Errorf("measured %+v, want a second, a little over 60 MiB and 2 processes", u)
		}
		r.Measure()
		if again := measured(t, r); again.CPU < u.CPU || !again.At.After(u.At) {
			t.Errorf("after %+v comes %+v", u, again)
		}
		r.Terminate(0)
		exit := r.wait()
		if used := exit.CPUUser + exit.CPUSystem; used < u.CPU-100*time.Millisecond { // the kernel's two clocks differ by ticks
			t.Errorf("it used %v in all and %v before", used, u.CPU)
		}
		r.Measure() // of what is gone there is nothing to tell
	}
}

func measured(t *testing.T, r *run) process.Usage {
	t.Helper()
	select {
	case u := <-r.Measured():
		return u
	case <-time.After(processtest.Patience):
		t.Fatal("not measured")
		panic("unreachable")
	}
}
