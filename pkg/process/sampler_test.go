package process

import (
	"bufio"
	"os/exec"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func TestMemoryOfSeveralIsSummed(t *testing.T) {
	t.Parallel()
	const children, each = 3, 60
	for range children {
		c := exec.Command(processtest.Path(), processtest.Args(processtest.Allocate, "60")...)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
			t.Fatalf("got %q: %v", line, err)
		}
	}
	now := time.Now()
	s := newSampler(now)
	s.sample(now)
	if s.peak != 0 {
		t.Error("sampled before the time")
	}
	s.sample(now.Add(firstSample))
	if s.peak>>20 < children*each {
		t.Errorf("peak %d MiB, want at least %d", s.peak>>20, children*each)
	}
}

func TestSamplesBecomeRarer(t *testing.T) {
	t.Parallel()
	s := newSampler(time.Now())
	want := firstSample
	for range 8 {
		at := s.next
		s.sample(at)
		want = min(2*want, longestSample)
		if pause := s.next.Sub(at); pause < want { // longer where looking takes long
			t.Errorf("a pause of %v, want %v", pause, want)
		}
	}
	if s.interval != longestSample {
		t.Errorf("after all, %v", s.interval)
	}
}

func TestTheBetterOfTwoFiguresIsTaken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sampler      sampler
		kernel, want int64
	}{
		"no sample, and the shim's own peak": {sampler{floor: 10}, 10, 10},
		"a sample, and the shim's own peak":  {sampler{floor: 10, peak: 3}, 10, 3},
		"the kernel saw a higher peak":       {sampler{floor: 10, peak: 12}, 20, 20},
		"the sum of several is higher":       {sampler{floor: 10, peak: 50}, 20, 50},
	} {
		if got := test.sampler.better(test.kernel); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
	}
}
