package stat

import (
	"testing"
	"time"
)

func TestTheMedianIsTheMiddleWhateverTheOrder(t *testing.T) {
	for _, c := range []struct {
		x    []float64
		want Summary
	}{
		{[]float64{3, 1, 2}, Summary{2, 1, 3, 3}},
		{[]float64{9, 1, 5, 3}, Summary{4, 1, 9, 4}},
		{[]float64{7}, Summary{7, 7, 7, 1}},
		{nil, Summary{}},
	} {
		before := append([]float64(nil), c.x...)
		if got := Summarize(c.x); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.x, got, c.want)
		}
		for i := range before {
			if c.x[i] != before[i] {
				t.Fatal("the measurements were put into another order")
			}
		}
	}
}

func TestRangesThatTouchAreNotApart(t *testing.T) {
	a := Summary{Min: 1, Max: 2}
	for _, c := range []struct {
		b     Summary
		apart bool
	}{
		{Summary{Min: 2, Max: 3}, false},
		{Summary{Min: 2.1, Max: 3}, true},
		{Summary{Min: 0.1, Max: 0.9}, true},
		{Summary{Min: 0, Max: 9}, false},
	} {
		if a.Apart(c.b) != c.apart || c.b.Apart(a) != c.apart {
			t.Errorf("%+v and %+v", a, c.b)
		}
	}
}

func TestQuantilesAreNearestRank(t *testing.T) {
	var d []time.Duration
	h := &Histogram{}
	for i := 100; i >= 1; i-- {
		d = append(d, time.Duration(i)*time.Millisecond)
		h.Add(time.Duration(i) * time.Millisecond)
	}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0.5, 50}, {0.99, 99}, {1, 100}, {0, 1}} {
		want := c.want * time.Millisecond
		if got := Quantile(d, c.q); got != want {
			t.Errorf("quantile %v is %v", c.q, got)
		}
		if got := h.Quantile(c.q); got < want || got > want+resolution {
			t.Errorf("the histogram's quantile %v is %v", c.q, got)
		}
	}
	if got := Quantile([]time.Duration{5, 1}, 0.99); got != 5 {
		t.Errorf("p99 of two is %v, want the greater", got)
	}
	h.Add(time.Hour)
	if got := h.Quantile(1); got < time.Minute {
		t.Errorf("an hour counts as %v", got)
	}
}
