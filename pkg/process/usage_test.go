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
}
