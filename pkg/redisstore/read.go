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
// execution is gone.
func (s *Store) Read(ctx context.Context, id execution.ID, after execution.Cursor, maxBytes int) ([]execution.Event, error) {
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	var events []execution.Event
	p := s.prefixOf(id)
	for size, count := 0, int64(readFirst); size < maxBytes; count = min(2*count, readMost) {
		entries, err := s.entries(ctx, p, id, after, count)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			got, err := s.open(entry, after)
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
		if int64(len(entries)) < count {
			break
		}
	}
	return events, nil
}

// entries reads the stream from the entry that holds event after+1. An entry's
// id is the number of its last event, so that is the first one from there on.
func (s *Store) entries(ctx context.Context, p string, id execution.ID, after execution.Cursor, count int64) ([]redis.XMessage, error) {
	pipe := s.rdb.Pipeline()
	exists := pipe.Exists(ctx, recordKey(p, id))
	found := pipe.XRangeN(ctx, eventsKey(p, id), (after+1).String()+"-0", "+", count)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, wrap("read events", err)
	}
	if exists.Val() == 0 {
		return nil, gone(id)
	}
	return found.Val(), nil
}

// open decodes one entry and drops what the reader has seen. A hole before it
// becomes a gap event.
func (s *Store) open(m redis.XMessage, after execution.Cursor) ([]execution.Event, error) {
	num, _, _ := strings.Cut(m.ID, "-")
	last, err := strconv.ParseUint(num, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("entry id %q is no number", m.ID)
	}
	n, err := strconv.ParseUint(field(m, "n"), 10, 64)
	if err != nil || n == 0 || n > last {
		return nil, fmt.Errorf("entry %s holds a bad count", m.ID)
	}
	first := execution.Cursor(last - n + 1)
	if field(m, "enc") == encGap {
		return openGap(m, after, execution.Cursor(last))
	}
	events, err := s.codec.decode(field(m, "enc"), field(m, "data"), first)
	if err != nil {
		return nil, err
	}
	if uint64(len(events)) != n {
		return nil, fmt.Errorf("entry %s holds %d events and says %d", m.ID, len(events), n)
	}
	switch {
	case first <= after:
		return events[after-first+1:], nil
	case first > after+1:
		gap := execution.GapEvent(after+1, first-1, execution.GapNote{Reason: "no longer kept in Redis (the setting LOG_REDIS_BYTES)"})
		gap.Time, gap.Attempt = events[0].Time, events[0].Attempt
		return append([]execution.Event{gap}, events...), nil
	}
	return events, nil
}

// openGap is open for an entry that stands for events which its writer dropped.
func openGap(m redis.XMessage, after, last execution.Cursor) ([]execution.Event, error) {
	var g struct {
		T int64 `json:"t"`
		A int   `json:"a"`
		execution.GapNote
	}
	if err := json.Unmarshal([]byte(field(m, "data")), &g); err != nil {
		return nil, fmt.Errorf("entry %s holds a gap that cannot be read: %w", m.ID, err)
	}
	// A hole right before it, or a reader who stands in it: one gap tells of all.
	from := after + 1
	gap := execution.GapEvent(from, last, g.GapNote)
	gap.Time, gap.Attempt = time.UnixMilli(g.T).UTC(), g.A
	return []execution.Event{gap}, nil
}

func field(m redis.XMessage, name string) string {
	v, _ := m.Values[name].(string)
	return v
}
