package runner

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/process"
)

// meter tells readers what an engine's tree uses: every interval while it runs,
// and once at the end of one that ran for at least that long. A shorter one
// costs nothing and has its sums in the outcome. It is no word of the engine's:
// neither of its idle clocks hears it.
type meter struct {
	every   time.Duration // METRICS_INTERVAL; 0: never
	cpu     time.Duration // the largest sum so far
	since   process.Usage // percent is counted from here on
	percent float64       // of the last sample
	told    bool
}

// shortest is the time over which a percentage is one: the kernel counts
// processor time in steps of 10 ms, and the last sample comes when the engine ends.
const shortest = 100 * time.Millisecond

// start gives the instants to measure at; never, where it is off.
func (m *meter) start(p *process.Process) (_ <-chan time.Time, stop func()) {
	m.since = process.Usage{At: p.StartedAt()}
	if m.every <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(m.every)
	return t.C, t.Stop
}

// take makes the next sample of what was measured. The sum of processor time
// never falls, although the kernel's clocks for the living and the dead differ.
func (m *meter) take(u process.Usage) execution.Metrics {
	u.CPU = max(u.CPU, m.cpu)
	if passed := u.At.Sub(m.since.At); passed >= shortest {
		m.percent = round(100*float64(u.CPU-m.since.CPU)/float64(passed), 10)
		m.since = u
	}
	m.cpu, m.told = u.CPU, true
	return execution.Metrics{CPUPercent: m.percent, MemoryBytes: u.Memory, Processes: u.Processes, CPUSeconds: round(u.CPU.Seconds(), 100)}
}

func round(v, parts float64) float64 { return math.Round(v*parts) / parts }

func (a *attempt) tellMetrics(ctx context.Context, u process.Usage) {
	data, err := json.Marshal(a.meter.take(u))
	if err == nil {
		err = a.writer.Emit(execution.Event{Type: execution.EventMetrics, Data: data})
	}
	if err != nil {
		a.log.WarnContext(ctx, "metrics not told", "error", err)
	}
}

// tellLastMetrics tells the sums of one that was measured before: what it had
// used when nothing of it was left.
func (a *attempt) tellLastMetrics(ctx context.Context) {
	if a.meter.told {
		exit := a.process.Exit()
		a.tellMetrics(ctx, process.Usage{At: exit.GoneAt, CPU: exit.CPUUser + exit.CPUSystem})
	}
}
