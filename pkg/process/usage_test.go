package process_test

import (
	"testing"
	"time"

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
	t.Run("memory of several is summed", func(t *testing.T) {
		line := "ready"
		r := start(t, pool, command("sh", "-c", `for i in 1 2 3; do "$@" & done; wait`, "sh", processtest.Path(), "badchild", "allocate", "60"))
		for range 3 {
			if got := r.line(); got != line {
				t.Fatalf("got %q", got)
			}
		}
		sampled := time.NewTimer(1200 * time.Millisecond) // samples are at most a second apart
		<-sampled.C
		r.Terminate(0)
		if peak := r.wait().PeakMemory >> 20; peak < 180 {
			t.Errorf("peak %d MiB, want over 180", peak)
		}
	})
}
