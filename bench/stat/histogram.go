package stat

import (
	"sync/atomic"
	"time"
)

const (
	resolution = 100 * time.Microsecond
	buckets    = 600_000 // one minute; what is slower counts as a minute
)

// Histogram counts latencies of millions of deliveries in steps of 0.1 ms. Many may add at once.
type Histogram struct {
	counts [buckets + 1]atomic.Uint32
	n      atomic.Int64
}

// Add counts one; a negative latency, which is no more than two clocks' reading, counts as 0.
func (h *Histogram) Add(d time.Duration) {
	h.counts[min(max(int(d/resolution), 0), buckets)].Add(1)
	h.n.Add(1)
}

// N is how many were added.
func (h *Histogram) N() int { return int(h.n.Load()) }

// Quantile is nearest-rank, and the upper edge of its step.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.N() == 0 {
		return 0
	}
	left := rank(h.N(), q)
	for i := range h.counts {
		if left -= int(h.counts[i].Load()); left <= 0 {
			return time.Duration(i+1) * resolution
		}
	}
	return buckets * resolution
}
