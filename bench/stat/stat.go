// Package stat sums up measurements: medians over rounds, quantiles over requests.
// It does no I/O and starts no goroutine.
package stat

import (
	"math"
	"slices"
	"time"
)

// Summary is what is said of one figure over several rounds.
type Summary struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	N      int     `json:"n"`
}

// Summarize gives the median (of an even number: the mean of the middle two), least and greatest.
func Summarize(x []float64) Summary {
	if len(x) == 0 {
		return Summary{}
	}
	x = slices.Sorted(slices.Values(x))
	middle := x[len(x)/2]
	if len(x)%2 == 0 {
		middle = (x[len(x)/2-1] + middle) / 2
	}
	return Summary{Median: middle, Min: x[0], Max: x[len(x)-1], N: len(x)}
}

// Apart says whether the ranges of two figures have nothing in common.
func (s Summary) Apart(o Summary) bool { return s.Max < o.Min || o.Max < s.Min }

// Quantile is the nearest-rank q-quantile: the least value that at least the share q of them do not exceed.
func Quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[rank(len(d), q)-1]
}

// rank counts from 1.
func rank(n int, q float64) int {
	return min(max(int(math.Ceil(q*float64(n)-1e-9)), 1), n)
}
