package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// A read asks for few entries first, since one may hold 64 KiB, and for twice
// as many each time they turn out small.
const (
	readFirst = 16
	readMost  = 1024
)

// Read returns the events after a cursor, in order: about maxBytes of them, at
// least one batch if there is any, none when nothing is newer. Where events
// are missing a gap event stands for them. An error of code NotFound when the
// execution is gone, Unavailable when Redis is away or the archive is.
func (s *Store) Read(ctx context.Context, id execution.ID, after execution.Cursor, maxBytes int) ([]execution.Event, error) {
	return s.read(ctx, id, after, maxBytes, nil)
}

// Lend is Read for a reader who says when it is done with the events, whose
// bytes are used again then. done must be called in any case.
func (s *Store) Lend(ctx context.Context, id execution.ID, after execution.Cursor, maxBytes int) (events []execution.Event, done func(), err error) {
	l := &loan{from: &s.rooms}
	events, err = s.read(ctx, id, after, maxBytes, l)
	return events, l.done, err
}

func (s *Store) read(ctx context.Context, id execution.ID, after execution.Cursor, maxBytes int, l *loan) ([]execution.Event, error) {
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	var events []execution.Event
	for size, count := 0, int64(readFirst); size < maxBytes; count = min(2*count, readMost) {
		entries, more, err := s.entries(ctx, id, after, count)
		if err != nil && len(events) > 0 {
			break // what there is first: the next read meets the error again
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			got, err := s.open(e, after, l)
			if err != nil {
				return nil, fmt.Errorf("execution %s: %w", id, err)
			}
			for i := range got {
				size += got[i].Size()
			}
			events = append(events, got...)
			after = got[len(got)-1].Seq
			if size >= maxBytes {
				break
			}
		}
		if !more {
			break
		}
	}
	return events, nil
}

// entry is one stored batch, be it in the stream or in a segment of the archive.
type entry struct {
	first, last execution.Cursor
	enc, data   string
}

// entryOf reads an entry of the stream: its id is the number of its last event.
func entryOf(m redis.XMessage) (entry, error) {
	num, _, _ := strings.Cut(m.ID, "-")
	last, err := strconv.ParseUint(num, 10, 64)
	if err != nil {
		return entry{}, fmt.Errorf("entry id %q is no number", m.ID)
	}
	n, err := strconv.ParseUint(field(m, "n"), 10, 64)
	if err != nil || n == 0 || n > last {
		return entry{}, fmt.Errorf("entry %s holds a bad count", m.ID)
	}
	return entry{first: execution.Cursor(last - n + 1), last: execution.Cursor(last), enc: field(m, "enc"), data: field(m, "data")}, nil
}

func field(m redis.XMessage, name string) string {
	v, _ := m.Values[name].(string)
	return v
}

// entries gives those that follow after, without a hole between them: from the
// stream, or from the archive where the stream has a hole; the first of all from
// the record. more says that there may be more at once.
func (s *Store) entries(ctx context.Context, id execution.ID, after execution.Cursor, count int64) (found []entry, more bool, err error) {
	if known := s.segments.remembered(id, after); known != nil {
		return known, true, nil // without what follows it in Redis, which would be read in vain
	}
	begins := after == 0
	after = max(after, 1)
	p, from := s.prefixOf(id), (after + 1).String()
	pipe := s.rdb.Pipeline()
	stored := pipe.XRangeN(ctx, eventsKey(p, id), from+"-0", "+", count)
	// After the stream: what is sealed in between is then in both, not in neither.
	sealed := pipe.ZRangeByScore(ctx, segmentsKey(p, id), &redis.ZRangeBy{Min: from, Max: "+inf", Count: 1})
	// And then the record: a log that is folded in between is in all three.
	var born *redis.SliceCmd
	if begins {
		born = pipe.HMGet(ctx, recordKey(p, id), bornFields...)
	}
	kind := pipe.Type(ctx, recordKey(p, id))
	if err := exceptFolded(pipe.Exec(ctx)); err != nil {
		return nil, false, wrap("read events", err)
	}
	first, f, err := s.beginning(ctx, id, kind.Val(), born)
	if err != nil || f.whole {
		return append(first, f.after(after)...), false, err
	}
	found, more, err = s.unfolded(ctx, id, after, stored.Val(), sealed.Val())
	return append(first, found...), more || len(stored.Val()) == int(count), err
}

// unfolded is entries of a log that is in stream and archive.
func (s *Store) unfolded(ctx context.Context, id execution.ID, after execution.Cursor, stored []redis.XMessage, sealed []string) (found []entry, more bool, err error) {
	for i, m := range stored {
		e, err := entryOf(m)
		if err != nil {
			return nil, false, fmt.Errorf("execution %s: %w", id, err)
		}
		if i > 0 && e.first > found[i-1].last+1 {
			more = true
			break
		}
		found = append(found, e)
	}
	if len(sealed) == 0 || len(found) > 0 && found[0].first <= after+1 {
		return found, more, nil
	}
	ref, err := parseSegmentRef(sealed[0])
	if err != nil || len(found) > 0 && found[0].first < ref.first {
		return found, more, err
	}
	found, err = s.archived(ctx, id, ref, after)
	return found, true, err
}

// open decodes one entry and drops what the reader has seen. A hole before it
// becomes a gap event.
func (s *Store) open(e entry, after execution.Cursor, l *loan) ([]execution.Event, error) {
	if e.enc == encGap {
		return openGap(e, after)
	}
	var room *[]byte
	if e.enc == encZstd {
		room = l.room()
	}
	events, err := s.codec.decode(e.enc, e.data, e.first, room)
	if err != nil {
		return nil, err
	}
	if n := e.last - e.first + 1; uint64(len(events)) != uint64(n) {
		return nil, fmt.Errorf("the entry of event %d holds %d events and says %d", e.last, len(events), n)
	}
	switch {
	case e.first <= after:
		return events[after-e.first+1:], nil
	case e.first > after+1:
		gap := execution.GapEvent(after+1, e.first-1, execution.GapNote{Reason: "no longer kept in Redis (the setting LOG_REDIS_BYTES)"})
		gap.Time, gap.Attempt = events[0].Time, events[0].Attempt
		return append([]execution.Event{gap}, events...), nil
	}
	return events, nil
}

// gapData is the data of an entry that stands for events which are not there.
type gapData struct {
	T int64 `json:"t"` // Unix milliseconds
	A int   `json:"a"` // attempt
	execution.GapNote
}

func (g gapData) encode() ([]byte, error) {
	data, err := json.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("encode gap: %w", err)
	}
	return data, nil
}

// openGap is open for such an entry.
func openGap(e entry, after execution.Cursor) ([]execution.Event, error) {
	var g gapData
	if err := json.Unmarshal([]byte(e.data), &g); err != nil {
		return nil, fmt.Errorf("the entry of event %d holds a gap that cannot be read: %w", e.last, err)
	}
	// A hole right before it, or a reader who stands in it: one gap tells of all.
	gap := execution.GapEvent(after+1, e.last, g.GapNote)
	gap.Time, gap.Attempt = time.UnixMilli(g.T).UTC(), g.A
	return []execution.Event{gap}, nil
}
