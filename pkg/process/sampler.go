package process

import (
	"syscall"
	"time"
)

const (
	firstSample   = 50 * time.Millisecond // then twice that, and so on, so that a short process is seen as well
	longestSample = time.Second
	// sampleShare bounds the cost of looking: a tree of thousands is looked at less often, so that it takes 2 % of a core at most.
	sampleShare = 50
)

// sampler follows the summed resident memory of the tree. Pages that processes share are counted for each, as ps(1) and the
// kernel's out-of-memory killer do; the exact figure (smaps_rollup) costs a hundred times as much.
type sampler struct {
	next     time.Time
	interval time.Duration
	floor    int64 // the shim's own peak when it forked: no reaped process shows less
	peak     int64
}

func newSampler(now time.Time) sampler {
	var own syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &own)
	return sampler{next: now.Add(firstSample), interval: firstSample, floor: own.Maxrss << 10}
}

// sample measures, if it is time to.
func (s *sampler) sample(now time.Time) {
	if now.Before(s.next) {
		return
	}
	s.peak = max(s.peak, walk().Memory)
	s.interval = min(2*s.interval, longestSample)
	s.next = now.Add(max(s.interval, sampleShare*time.Since(now)))
}

// better is the best known peak, given the kernel's figure for a reaped process.
func (s *sampler) better(kernel int64) int64 {
	if kernel <= s.floor && s.peak > 0 {
		return s.peak
	}
	return max(kernel, s.peak)
}
