package runner_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/runner"
)

// metrics are the samples in a log, in order.
func (w *worker) metrics(id execution.ID) (all []execution.Metrics) {
	w.t.Helper()
	for _, e := range w.events(id) {
		if e.Type != execution.EventMetrics {
			continue
		}
		var m execution.Metrics
		if err := json.Unmarshal(e.Data, &m); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func TestAnEngineIsMeasuredWhileItRunsAndOnceAtItsEnd(t *testing.T) {
	w := newWorker(t, func(o *runner.Options) { o.MetricsEvery = 50 * time.Millisecond })
	id := w.submit(`while :; do :; done & sleep 60`, nil)
	wait := w.start(id)
	for w.running(id).Metrics == nil {
		<-time.After(10 * time.Millisecond)
	}
	if m := w.running(id).Metrics; m.Processes < 2 || m.MemoryBytes < 100<<10 {
		t.Errorf("the record has %+v", m)
	}
	for m := w.running(id).Metrics; m.CPUSeconds < 0.2; m = w.running(id).Metrics {
		<-time.After(10 * time.Millisecond)
	}
	w.Cancel(id, false)
	r := wait()
	all := w.metrics(id)
	last := all[len(all)-1]
	if r.Metrics == nil || *r.Metrics != last || last.Processes != 0 || last.MemoryBytes != 0 || last.CPUSeconds < r.Outcome.CPUSeconds-0.01 {
		t.Errorf("the end is %+v, the record has %+v, the outcome %v s", last, r.Metrics, r.Outcome.CPUSeconds)
	}
	most := 0.0
	for i, m := range all {
		if i > 0 && m.CPUSeconds < all[i-1].CPUSeconds {
			t.Errorf("after %+v comes %+v", all[i-1], m)
		}
		most = max(most, m.CPUPercent)
	}
	if most <= 0 || most > 1000 {
		t.Errorf("a busy loop took %v %% at most", most)
	}
	if events := w.events(id); events[len(events)-1].Type != execution.EventEnd {
		t.Errorf("after the end comes %+v", events[len(events)-1])
	}
}

// running is the record of one that must not have ended.
func (w *worker) running(id execution.ID) *execution.Record {
	w.t.Helper()
	r := w.get(id)
	if r.Status.Terminal() {
		w.t.Fatalf("it has ended: %+v", r.Outcome)
	}
	return r
}

func TestAShortEngineIsNotMeasured(t *testing.T) {
	w := newWorker(t, func(o *runner.Options) { o.MetricsEvery = time.Minute })
	r := w.run(`echo x`, nil)
	if got := w.metrics(r.ID); len(got) != 0 || r.Metrics != nil {
		t.Errorf("%+v, %+v", got, r.Metrics)
	}
}
