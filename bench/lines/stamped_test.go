package lines

import (
	"slices"
	"testing"
	"time"
)

func stream(numbers ...int) []byte {
	var b []byte
	for _, n := range numbers {
		b = append(b, `data: {"text":"`...)
		b = Stamped(b, time.Unix(0, 1_000_000_000_000_000_000+int64(n)), n)
		b = append(b[:len(b)-1], "\\n\"}\n\n"...)
	}
	return b
}

func TestATallyFindsEachLineWhereverThePiecesAreCut(t *testing.T) {
	all := append([]byte("retry: 10\n\n: lots=of n=5 ts=x\n\n"), stream(0, 1, 2, 10, 11)...)
	for cut := range len(all) {
		for again := cut; again < len(all); again += 7 {
			var y Tally
			var at []int64
			for _, piece := range [][]byte{all[:cut], all[cut:again], all[again:]} {
				y.Feed(piece, func(w time.Time) { at = append(at, w.UnixNano()-1_000_000_000_000_000_000) })
			}
			if y.Seen != 5 || y.Lost != 7 || y.Doubled != 0 || y.Reordered != 0 || !slices.Equal(at, []int64{0, 1, 2, 10, 11}) {
				t.Fatalf("cut at %d and %d: %+v, written at %v", cut, again, y, at)
			}
		}
	}
}

func TestATallyTellsLostDoubledAndReorderedLinesApart(t *testing.T) {
	for _, c := range []struct {
		numbers                  []int
		expected                 int
		lost, doubled, reordered int
		wrong                    int
	}{
		{[]int{0, 1, 2}, 3, 0, 0, 0, 0},
		{[]int{0, 1, 2}, 5, 0, 0, 0, 2}, // the end is missing
		{[]int{0, 1, 2, 3}, 3, 0, 0, 0, 1},
		{[]int{0, 2}, 3, 1, 0, 0, 1},
		{[]int{0, 1, 1, 2}, 3, 0, 1, 0, 1},
		{[]int{0, 2, 1, 3}, 4, 0, 0, 1, 1},
		{[]int{0, 2, 1, 1, 3}, 4, 0, 1, 1, 2},
		{nil, 2, 0, 0, 0, 2},
	} {
		var y Tally
		y.Feed(stream(c.numbers...), nil)
		if y.Lost != c.lost || y.Doubled != c.doubled || y.Reordered != c.reordered || y.Wrong(c.expected) != c.wrong {
			t.Errorf("%v of %d: %+v, wrong %d", c.numbers, c.expected, y, y.Wrong(c.expected))
		}
	}
}
