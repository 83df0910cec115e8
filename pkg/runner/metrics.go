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
	every time.Duration // METRICS_INTERVAL; 0: never
	last  process.Usage
	told  bool
}

// start gives the instants to measure at; never, where it is off.
func (m *meter) start(p *process.Process) (_ <-chan time.Time, stop func()) {
	m.last = process.Usage{At: p.StartedAt()}
	if m.every <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(m.every)
	return t.C, t.Stop
}

// take makes the next sample of what was measured. The sum of processor time
// never falls, although the kernel's clocks for the living and the dead differ.
func (m *meter) take(u process.Usage) execution.Metrics {
	u.CPU = max(u.CPU, m.last.CPU)
	sample := execution.Metrics{MemoryBytes: u.Memory, Processes: u.Processes, CPUSeconds: round(u.CPU.Seconds(), 100)}
	if passed := u.At.Sub(m.last.At); passed > 0 {
		sample.CPUPercent = round(100*float64(u.CPU-m.last.CPU)/float64(passed), 10)
	}
	m.last, m.told = u, true
	return sample
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
