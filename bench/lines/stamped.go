package lines

import (
	"bytes"
	"strconv"
	"time"
)

// stampMark begins a line that tells when it was written: "ts=<ns> n=<number>\n".
// Nothing in it is escaped in JSON, so it can be found in a stream without taking it apart.
var stampMark = []byte("ts=")

// Stamped is the i-th line of a log that tells when each was written.
func Stamped(b []byte, at time.Time, i int) []byte {
	b = append(b, stampMark...)
	b = strconv.AppendInt(b, at.UnixNano(), 10)
	b = append(b, " n="...)
	b = strconv.AppendInt(b, int64(i), 10)
	return append(b, '\n')
}

// Tally checks the stamped lines that one subscriber sees, whatever is around
// them: each once, in order. The zero value expects line 0.
type Tally struct {
	Seen      int // lines in all, doubled ones too
	Lost      int // passed over and not seen until now
	Doubled   int // seen before
	Reordered int // seen after a later one
	next      int
	missing   map[int]bool
	rest      []byte // the beginning of a line whose end has not come yet
}

// Feed looks for lines in the next piece of the stream; seen, which may be nil, hears when each was written.
func (t *Tally) Feed(piece []byte, seen func(written time.Time)) {
	if len(t.rest) > 0 {
		t.rest = append(t.rest, piece...)
		piece = t.rest
	}
	for {
		i := bytes.Index(piece, stampMark)
		if i < 0 {
			t.keep(piece[len(piece)-markBegun(piece):])
			return
		}
		ns, n, used := parseStamp(piece[i:])
		if used == 0 {
			t.keep(piece[i:])
			return
		}
		piece = piece[i+used:]
		if n >= 0 {
			t.count(n)
			if seen != nil {
				seen(time.Unix(0, ns))
			}
		}
	}
}

// keep keeps the end of a piece, which may lie in rest itself.
func (t *Tally) keep(b []byte) { t.rest = append(t.rest[:0], b...) }

// markBegun is how many bytes at the end of b may be the beginning of a mark.
func markBegun(b []byte) int {
	for n := min(len(b), len(stampMark)-1); n > 0; n-- {
		if bytes.HasSuffix(b, stampMark[:n]) {
			return n
		}
	}
	return 0
}

// parseStamp gives how many bytes it has read: 0 when the line may go on in the
// next piece. n is -1 when it is no such line.
func parseStamp(b []byte) (ns int64, n, used int) {
	ns, at, whole := digits(b, len(stampMark))
	if !whole {
		return 0, 0, 0
	}
	for _, c := range []byte(" n=") {
		if at == len(b) {
			return 0, 0, 0
		}
		if b[at] != c {
			return 0, -1, at
		}
		at++
	}
	number, end, whole := digits(b, at)
	switch {
	case !whole:
		return 0, 0, 0
	case end == at:
		return 0, -1, at
	}
	return ns, int(number), end
}

// digits reads a number from at on; it is whole when something else follows it.
func digits(b []byte, at int) (n int64, end int, whole bool) {
	for ; at < len(b); at++ {
		c := b[at] - '0'
		if c > 9 {
			return n, at, true
		}
		n = n*10 + int64(c)
	}
	return 0, at, false
}

func (t *Tally) count(n int) {
	t.Seen++
	switch {
	case n == t.next:
		t.next++
	case n > t.next:
		if t.missing == nil {
			t.missing = map[int]bool{}
		}
		for ; t.next < n; t.next++ {
			t.missing[t.next] = true
			t.Lost++
		}
		t.next++
	case t.missing[n]:
		delete(t.missing, n)
		t.Lost--
		t.Reordered++
	default:
		t.Doubled++
	}
}

// Wrong is how many lines of those expected were not seen exactly once and in order.
func (t *Tally) Wrong(expected int) int {
	return t.Lost + t.Doubled + t.Reordered + max(0, expected-t.next) + max(0, t.next-expected)
}
