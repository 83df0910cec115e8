package runner

import (
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/process"
)

// The kernel counts in steps of 10 ms: over a millisecond one step would be a
// thousand percent.
func TestAPercentageIsOneOfATimeThatCanTell(t *testing.T) {
	begin := time.Now()
	m := meter{since: process.Usage{At: begin}}
	for _, sample := range []struct {
		after, cpu time.Duration
		want       float64
	}{
		{time.Millisecond, 10 * time.Millisecond, 0},
		{time.Second, time.Second, 100},
		{1001 * time.Millisecond, 1010 * time.Millisecond, 100},
		{1099 * time.Millisecond, 1100 * time.Millisecond, 100},
		{1500 * time.Millisecond, 2 * time.Second, 200}, // since the sample at 1 s
		{1700 * time.Millisecond, 1900 * time.Millisecond, 0},
		{2700 * time.Millisecond, 2100 * time.Millisecond, 10},
	} {
		got := m.take(process.Usage{At: begin.Add(sample.after), CPU: sample.cpu})
		if got.CPUPercent != sample.want {
			t.Errorf("after %v and %v of processor time: %v %%, want %v", sample.after, sample.cpu, got.CPUPercent, sample.want)
		}
	}
}
