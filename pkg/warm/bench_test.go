package warm_test

import (
	"bufio"
	"slices"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/process"
)

// BenchmarkFirstLine is the time from a start to the engine's first line, for one whose import works for 3 s of processor time. Warm and cold
// take turns, so that a busy machine slows both alike; "x-cold" is the ratio of their medians.
//
//	go test -run '^$' -bench FirstLine -benchtime 10x ./pkg/warm
func BenchmarkFirstLine(b *testing.B) {
	const heavy = "import time\nwhile time.process_time() < 3: pass\n"
	s := open(b, "import heavy\nprint('first')\n", heavy)
	var warm, cold []time.Duration
	for b.Loop() {
		s.warm(1)
		warm = append(warm, s.firstLine(s.command()))
		c := s.command()
		c.Warm = ""
		cold = append(cold, s.firstLine(c))
	}
	report := func(all []time.Duration, unit string) float64 {
		slices.Sort(all)
		median := all[len(all)/2].Seconds() * 1000
		b.ReportMetric(median, unit)
		return median
	}
	b.ReportMetric(report(warm, "ms/warm")/report(cold, "ms/cold"), "x-cold")
	b.ReportMetric(0, "ns/op")
}

func (s *stand) firstLine(c process.Command) time.Duration {
	s.t.Helper()
	began := time.Now()
	p, err := s.keeper.Start(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := bufio.NewReader(p.Stdout()).ReadString('\n'); err != nil {
		s.t.Fatal(err)
	}
	took := time.Since(began)
	if warm := c.Warm != ""; p.Warm() != warm {
		s.t.Fatalf("warm is %v: %s", p.Warm(), p.Cold())
	}
	<-p.Gone()
	for _, f := range []interface{ Close() error }{p.Stdout(), p.Stderr(), p.Events()} {
		_ = f.Close()
	}
	return took
}
