package redisstore

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// packRaw is about how much of a log one packed entry holds before compression,
// half of it to twice of it where that fits better. Live entries are as small as
// the engine's writes; joined, they compress far better and save Redis its overhead for each.
const packRaw = 128 << 10

// packer joins small entries to larger ones with the same events and numbers.
type packer struct {
	codec codec
	emit  func(entry) error
	dense bool // there is time: the log has ended, and stays in Redis
	raw   []byte
	ends  []int            // of the events in raw
	first execution.Cursor // of raw
	room  []byte           // for what an entry unpacks to, until it is in raw

	came, unpacked int     // bytes of all entries so far, as they were and without compression
	ratio          float64 // of what was packed last; 0: nothing was
}

func (p *packer) add(e entry) error {
	if e.enc == encGap || e.first != p.first+execution.Cursor(len(p.ends)) {
		if err := p.flush(); err != nil {
			return err
		}
	}
	if e.enc == encGap {
		return p.emit(e)
	}
	events, err := p.codec.decode(e.enc, e.data, e.first, &p.room)
	if err != nil {
		return err
	}
	if len(p.ends) == 0 {
		p.first = e.first
	}
	before := len(p.raw)
	for i := range events {
		p.raw = execution.AppendEvent(p.raw, &events[i])
		p.ends = append(p.ends, len(p.raw))
	}
	p.came, p.unpacked = p.came+len(e.data), p.unpacked+len(p.raw)-before
	switch {
	case !p.dense && len(p.raw) >= packRaw:
		return p.flush()
	case p.dense:
		for len(p.raw) >= 2*packRaw {
			if err := p.cut(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush gives on what is gathered.
func (p *packer) flush() error {
	for len(p.ends) > 0 {
		if err := p.cut(); err != nil {
			return err
		}
	}
	return nil
}

// cut gives on one entry: all that is gathered, or for Redis so much of it as
// fills what its allocator will give.
func (p *packer) cut() error {
	n := len(p.ends)
	if p.dense {
		n = p.fitting()
	}
	enc, data := p.encode(n)
	if p.dense && waste(len(data)) > 1./32 {
		if m := p.fitting(); m != n { // the ratio is known better now
			enc2, data2 := p.encode(m)
			if waste(len(data2)) < waste(len(data)) {
				n, enc, data = m, enc2, data2
			}
		}
	}
	e := entry{first: p.first, last: p.first + execution.Cursor(n-1), enc: enc, data: string(data)}
	end := p.ends[n-1]
	p.raw = p.raw[:copy(p.raw, p.raw[end:])]
	p.ends, p.first = p.ends[:copy(p.ends, p.ends[n:])], e.last+1
	for i := range p.ends {
		p.ends[i] -= end
	}
	return p.emit(e)
}

// encode packs the first n events.
func (p *packer) encode(n int) (enc string, data []byte) {
	raw, with := p.raw[:p.ends[n-1]], p.codec.enc
	// What the fast level makes tiny, the dense one makes no smaller.
	if p.dense && with != nil && len(raw) >= compressFrom && p.came > p.unpacked/16 {
		with = p.codec.dense()
	}
	enc, data = encodeWith(with, raw, nil)
	p.ratio = float64(len(data)) / float64(len(raw))
	return enc, data
}

// fitting is how many events to pack, so that Redis wastes least on the entry.
func (p *packer) fitting() (n int) {
	least := math.Inf(1)
	for i, end := range p.ends {
		switch {
		case n > 0 && end > 2*packRaw:
			return n
		case p.ratio == 0 && end >= packRaw || end == len(p.raw) && n == 0:
			return i + 1
		case p.ratio == 0 || end < packRaw/2:
			continue
		}
		if w := waste(int(p.ratio * float64(end) * 1.005)); w < least { // aimed a little below: ratios differ
			n, least = i+1, w
		}
	}
	return n
}

// waste is which part more than its data Redis allots for an entry: its node of
// the stream has up to 96 bytes besides, and jemalloc gives four sizes between one
// power of two and the next. Other allocators waste nothing here.
func waste(data int) float64 {
	const besides = 96
	n := data + besides
	step := 1 << max(bits.Len(uint(n-1))-3, 4)
	allotted := (n + step - 1) / step * step
	return float64(allotted-data) / float64(data)
}

// each reads the stream from event from on, entry by entry, until there is no
// more or do says that it is enough.
func (s *Store) each(ctx context.Context, id execution.ID, from execution.Cursor, do func(entry) (enough bool, err error)) error {
	for count := int64(readFirst); ; {
		found, err := s.rdb.XRangeN(ctx, eventsKey(s.prefixOf(id), id), from.String()+"-0", "+", count).Result()
		if err != nil {
			return wrap("read events", err)
		}
		size := 0
		for _, m := range found {
			e, err := entryOf(m)
			if err != nil {
				return fmt.Errorf("execution %s: %w", id, err)
			}
			if enough, err := do(e); enough || err != nil {
				return err
			}
			from, size = e.last+1, size+len(e.data)
		}
		if len(found) < int(count) {
			return nil
		}
		switch { // one reply should be about a segment's worth
		case size < segmentBytes/2:
			count = min(2*count, readMost)
		case size > segmentBytes:
			count = max(count/2, readFirst)
		}
	}
}

// xadd writes an entry as append.lua does.
func xadd(ctx context.Context, c redis.Pipeliner, key string, e entry) {
	c.XAdd(ctx, &redis.XAddArgs{
		Stream: key, ID: e.last.String() + "-0",
		Values: []any{"n", strconv.FormatUint(uint64(e.last-e.first+1), 10), "enc", e.enc, "data", e.data},
	})
}
