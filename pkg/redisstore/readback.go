package redisstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// ReadBack is Read in the other direction: the newest events before a number, in
// order, about maxBytes of them, and the number to go on before; 0 when there is
// nothing before that. It costs what it returns, however long the log is. Gaps are
// passed over: what is missing, Read tells.
func (s *Store) ReadBack(ctx context.Context, id execution.ID, before execution.Cursor, maxBytes int) (events []execution.Event, from execution.Cursor, err error) {
	if err := s.ensure(ctx); err != nil {
		return nil, 0, err
	}
	entries, err := s.entriesBack(ctx, id, before)
	if err != nil {
		return nil, 0, err
	}
	var parts [][]execution.Event
	for size := 0; len(entries) > 0 && size < maxBytes; {
		e := entries[len(entries)-1]
		entries = entries[:len(entries)-1]
		if from = e.first; e.enc == encGap {
			continue
		}
		events, err := s.open(e, e.first-1, nil)
		if err != nil {
			return nil, 0, fmt.Errorf("execution %s: %w", id, err)
		}
		for len(events) > 0 && events[len(events)-1].Seq >= before {
			events = events[:len(events)-1]
		}
		for i := range events {
			size += events[i].Size()
		}
		parts = append(parts, events)
	}
	slices.Reverse(parts)
	return slices.Concat(parts...), from, nil
}

// entriesBack gives the newest entries with events before a number, oldest
// first: some of the stream, or those of a segment where that is newer, and
// event 1 where nothing is between. Where a log is, it asks in the order that
// entries does, for the same reason.
func (s *Store) entriesBack(ctx context.Context, id execution.ID, before execution.Cursor) (found []entry, err error) {
	if before <= 1 {
		return nil, nil
	}
	// Entries have the number of their last event, so the one that holds the event
	// before may have a later number: it is the first from there on.
	p, last := s.prefixOf(id), (before - 1).String()
	pipe := s.rdb.Pipeline()
	holder := pipe.XRangeN(ctx, eventsKey(p, id), last+"-0", "+", 1)
	older := pipe.XRevRangeN(ctx, eventsKey(p, id), (before-2).String()+"-0", "-", readFirst)
	segments := segmentsKey(p, id)
	sealed := pipe.ZRangeByScore(ctx, segments, &redis.ZRangeBy{Min: last, Max: "+inf", Count: 1})
	sealedOlder := pipe.ZRevRangeByScore(ctx, segments, &redis.ZRangeBy{Min: "-inf", Max: "(" + last, Count: 1})
	born := pipe.HMGet(ctx, recordKey(p, id), bornFields...)
	kind := pipe.Type(ctx, recordKey(p, id))
	if err := exceptFolded(pipe.Exec(ctx)); err != nil {
		return nil, wrap("read events", err)
	}
	first, f, err := s.beginning(ctx, id, kind.Val(), born)
	if err != nil || f.whole {
		return behind(first, entriesBefore(f.log, before)), err
	}
	stored := older.Val()
	slices.Reverse(stored)
	for _, m := range append(stored, holder.Val()...) {
		e, err := entryOf(m)
		if err != nil {
			return nil, fmt.Errorf("execution %s: %w", id, err)
		}
		found = append(found, e)
	}
	found = entriesBefore(found, before)
	ref, ok, err := newestSegment(append(sealed.Val(), sealedOlder.Val()...), before)
	if err != nil {
		return nil, err
	}
	switch {
	case ok && len(found) > 0 && found[len(found)-1].last > ref.last:
		return entriesAfter(found, ref.last), nil
	case ok:
		found, err = s.archived(ctx, id, ref, ref.first-1)
		found = entriesBefore(found, before)
	}
	return behind(first, found), err
}

// behind puts entries behind event 1, where they begin there or are none.
func behind(first, entries []entry) []entry {
	if len(entries) > 0 && entries[0].first != 2 {
		return entries
	}
	return append(first, entries...)
}

// newestSegment is the first of those named that has an event before a number.
func newestSegment(names []string, before execution.Cursor) (ref segmentRef, ok bool, err error) {
	for _, name := range names {
		if ref, err = parseSegmentRef(name); err != nil || ref.first < before {
			return ref, err == nil, err
		}
	}
	return ref, false, nil
}

// entriesBefore leaves out what begins at a number or later.
func entriesBefore(entries []entry, before execution.Cursor) []entry {
	for len(entries) > 0 && entries[len(entries)-1].first >= before {
		entries = entries[:len(entries)-1]
	}
	return entries
}
