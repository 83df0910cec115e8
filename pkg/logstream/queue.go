package logstream

import (
	"bytes"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/longhaul/longhaul/pkg/execution"
)

const (
	// chunkHeader is the most that a chunk's encoding adds to its bytes: kind,
	// time (6), attempt (5), length (4).
	chunkHeader = 16
	// minBatch keeps the cutting rules meaningful; only tests go that low.
	minBatch = chunkHeader + 16
	// smallChunk is up to where a chunk's buffer grows by need; a larger one
	// gets a buffer of full size, which is used again.
	smallChunk = 4 << 10
	// spareBuffers are kept for the next chunks of one engine: the one that fills,
	// and one that waits. More go to all.
	spareBuffers = 2
	// itemCost is what an entry of the queue takes besides its bytes.
	itemCost = 128
)

// item is one event that waits for its flush.
type item struct {
	event   *execution.Event // nil for a chunk
	stream  execution.Stream
	stamp   time.Time // of the chunk's first byte
	waiting time.Time // since when its incomplete last line waits; zero when complete
	bytes   []byte
}

func (it *item) cost() int {
	if it.event != nil {
		return it.event.Size() + itemCost
	}
	return cap(it.bytes) + itemCost
}

func (it *item) size() int {
	if it.event != nil {
		return it.event.Size()
	}
	return len(it.bytes) + chunkHeader
}

// queue holds items in the order in which they came. The writer's mutex guards it.
type queue struct {
	max   int // bytes of a chunk
	items []item
	held  int // what the items cost in memory: allocated, not merely used
	spare [][]byte
}

// add appends an event that is no chunk.
func (q *queue) add(e *execution.Event) {
	q.items = append(q.items, item{event: e})
	q.held += q.items[len(q.items)-1].cost()
}

// push appends bytes of a stream: to the open chunk if it is the newest item
// and of the same stream, else to a new one, so that stdout and stderr keep
// their order. A full chunk ends after its last newline, or where it has none
// between two runes.
func (q *queue) push(s execution.Stream, p []byte, stamp, since time.Time) {
	for len(p) > 0 {
		it := q.open(s, stamp)
		room := q.max - len(it.bytes)
		if len(p) <= room {
			q.extend(it, p, since)
			return
		}
		if n := bytes.LastIndexByte(p[:room], '\n') + 1; n > 0 {
			q.extend(it, p[:n], since)
			q.start(s, stamp)
			p = p[n:]
		} else if n := bytes.LastIndexByte(it.bytes, '\n') + 1; n > 0 {
			q.splitLast(n, stamp)
		} else {
			n := runeCut(p, room)
			q.extend(it, p[:n], since)
			q.start(s, stamp)
			p = p[n:]
		}
	}
}

// open gives the chunk of s at the end of the queue, a new one where there is none.
func (q *queue) open(s execution.Stream, stamp time.Time) *item {
	if n := len(q.items); n > 0 && q.items[n-1].event == nil && q.items[n-1].stream == s {
		return &q.items[n-1]
	}
	return q.start(s, stamp)
}

func (q *queue) start(s execution.Stream, stamp time.Time) *item {
	q.items = append(q.items, item{stream: s, stamp: stamp})
	q.held += itemCost
	return &q.items[len(q.items)-1]
}

// extend appends p, which fits, and keeps account of since when the last line waits.
func (q *queue) extend(it *item, p []byte, since time.Time) {
	if len(p) == 0 {
		return
	}
	before := cap(it.bytes)
	switch need := len(it.bytes) + len(p); {
	case need > before && need > smallChunk:
		it.bytes = append(q.buffer(), it.bytes...)
		fallthrough
	default:
		it.bytes = append(it.bytes, p...)
	}
	q.held += cap(it.bytes) - before
	switch {
	case p[len(p)-1] == '\n':
		it.waiting = time.Time{}
	case it.waiting.IsZero() || bytes.IndexByte(p, '\n') >= 0:
		it.waiting = since
	}
}

// splitLast leaves n bytes in the newest chunk and moves the rest to a new one.
func (q *queue) splitLast(n int, stamp time.Time) {
	it := &q.items[len(q.items)-1]
	rest, stream, waiting := it.bytes[n:], it.stream, it.waiting
	it.bytes, it.waiting = it.bytes[:n], time.Time{}
	if len(rest) > 0 {
		q.extend(q.start(stream, stamp), rest, waiting)
	} else {
		q.start(stream, stamp)
	}
}

// take moves what is ready, limit bytes at most but at least one item, to
// dst. An incomplete last line of the newest chunk stays until it has waited
// for hold; then wait says how much longer. wait is 0 when nothing is held back.
func (q *queue) take(dst []item, limit int, now time.Time, hold time.Duration) (_ []item, wait time.Duration) {
	n, size := 0, 0
	for ; n < len(q.items); n++ {
		it := &q.items[n]
		if size += it.size(); size > limit && n > 0 {
			break
		}
		if n < len(q.items)-1 || it.waiting.IsZero() {
			continue
		}
		if wait = hold - now.Sub(it.waiting); wait <= 0 {
			wait = 0
			continue
		}
		cut := bytes.LastIndexByte(it.bytes, '\n') + 1
		if cut == 0 {
			break
		}
		q.splitLast(cut, it.stamp)
	}
	for i := range q.items[:n] {
		it := &q.items[i]
		q.held -= it.cost()
		if it.event != nil || len(it.bytes) > 0 { // an opened chunk may have stayed empty
			dst = append(dst, *it)
		}
	}
	left := copy(q.items, q.items[n:])
	clear(q.items[left:])
	q.items = q.items[:left]
	return dst, wait
}

// spares are the buffers of engines that were faster than the sink for a while.
var spares sync.Pool

// buffer gives an empty buffer for a chunk of full size.
func (q *queue) buffer() []byte {
	if n := len(q.spare); n > 0 {
		b := q.spare[n-1]
		q.spare = q.spare[:n-1]
		return b
	}
	if b, ok := spares.Get().(*[]byte); ok && cap(*b) >= q.max {
		return (*b)[:0]
	}
	return make([]byte, 0, q.max)
}

// recycle takes back the buffer of a chunk that has been encoded.
func (q *queue) recycle(b []byte) {
	switch {
	case cap(b) < q.max:
	case len(q.spare) < spareBuffers:
		q.spare = append(q.spare, b[:0])
	default:
		spares.Put(&b)
	}
}

// runeCut is n, or up to 3 less so that p[:n] does not end within a rune of p.
func runeCut(p []byte, n int) int {
	return n - partialRune(p[:n])
}

// partialRune counts the bytes at the end of p that begin a rune and do not
// finish it. Bytes that can become no rune count as finished.
func partialRune(p []byte) int {
	for i := 1; i <= min(utf8.UTFMax-1, len(p)); i++ {
		if c := p[len(p)-i]; utf8.RuneStart(c) {
			if utf8.FullRune(p[len(p)-i:]) {
				return 0
			}
			return i
		}
	}
	return 0
}
