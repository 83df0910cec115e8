package redisstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// packRaw is how much of a log one packed entry holds before compression. Live
// entries are as small as the engine's writes; joined, they compress far better
// and save Redis its overhead for each.
const packRaw = 128 << 10

// packer joins small entries to larger ones with the same events and numbers.
type packer struct {
	codec       codec
	emit        func(entry) error
	dense       bool // there is time: the log has ended
	raw         []byte
	room        []byte           // for what an entry unpacks to, until it is in raw
	first, last execution.Cursor // of raw
}

func (p *packer) add(e entry) error {
	if e.enc == encGap || len(p.raw) > 0 && e.first != p.last+1 {
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
	if len(p.raw) == 0 {
		p.first = e.first
	}
	for i := range events {
		p.raw = execution.AppendEvent(p.raw, &events[i])
	}
	p.last = e.last
	if len(p.raw) >= packRaw {
		return p.flush()
	}
	return nil
}

// flush gives on what is gathered.
func (p *packer) flush() error {
	if len(p.raw) == 0 {
		return nil
	}
	with := p.codec.enc
	if p.dense && with != nil && len(p.raw) >= compressFrom {
		with = p.codec.dense()
	}
	enc, data := encodeWith(with, p.raw, nil)
	e := entry{first: p.first, last: p.last, enc: enc, data: string(data)}
	p.raw = p.raw[:0]
	return p.emit(e)
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
