package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// tidyHold is for how long one replica has a log to itself. Two that work on the
// same one all the same, since one was suspended, do each other no harm.
const tidyHold = 2 * time.Minute

// Tidy puts the log of one ended execution per partition in order: first its
// entries are joined to larger ones, and after LOG_HOT_TTL it moves to the
// archive, if there is one. It says whether there may be more to do. After an
// error that log is due again after a while, and others are not held up.
func (s *Store) Tidy(ctx context.Context) (more bool, err error) {
	if err := s.ensure(ctx); err != nil {
		return false, err
	}
	var failed []error
	for _, p := range s.prefixes() {
		ids, err := s.take(ctx, tidyKey(p), 1, tidyHold)
		if err != nil {
			return false, err
		}
		for _, id := range ids {
			more = true
			if err := s.tidy(ctx, execution.ID(id)); err != nil {
				failed = append(failed, fmt.Errorf("tidy the log of %s: %w", id, err))
			}
		}
	}
	return more, errors.Join(failed...)
}

func (s *Store) tidy(ctx context.Context, id execution.ID) error {
	p := s.prefixOf(id)
	pipe := s.rdb.Pipeline()
	record := pipe.HMGet(ctx, recordKey(p, id), "last", "ended", "stored", "packed")
	length := pipe.XLen(ctx, eventsKey(p, id))
	now := pipe.Time(ctx)
	if err := exceptFolded(pipe.Exec(ctx)); err != nil {
		return wrap("read record", err)
	}
	var f [4]string
	for i, v := range record.Val() {
		f[i], _ = v.(string)
	}
	if isFolded(record.Err()) {
		whole, err := s.getFolded(ctx, id)
		if err == nil && whole.whole { // and its log with it
			err = wrap("forget a log", s.rdb.ZRem(ctx, tidyKey(p), string(id)).Err())
		}
		if err != nil || whole.whole {
			return err
		}
		f = [4]string{whole.fields["last"], whole.fields["ended"], whole.fields["stored"], whole.fields["packed"]}
	}
	last, ended, stored, packed := f[0], f[1], atoi(f[2]), f[3] != ""
	if ended == "" {
		pipe := s.rdb.TxPipeline()
		if last == "" { // its record was taken out by hand: nothing must stay
			pipe.Unlink(ctx, eventsKey(p, id), segmentsKey(p, id))
		}
		pipe.ZRem(ctx, tidyKey(p), string(id))
		_, err := pipe.Exec(ctx)
		return wrap("forget a log", err)
	}
	move := ""
	if s.o.Archive != nil {
		cold := fromMillis(ended).Add(s.o.LogHot)
		if !cold.After(now.Val()) {
			return s.move(ctx, id, last)
		}
		move = strconv.FormatInt(millis(cold), 10)
	}
	entries, size, made := length.Val(), "", packedLog{}
	if !packed && entries > 8 && int64(stored) < entries*16<<10 {
		var err error
		if made, err = s.pack(ctx, id); err != nil {
			return err
		}
		size = strconv.Itoa(made.size)
	}
	_, err := s.run(ctx, packScript, id, last, entries, size, move, made.key, made.entries)
	return wrap("pack a log", err) // "moved" is due again after tidyHold
}

// packedLog is a copy of a log with its entries joined.
type packedLog struct {
	key           string
	entries, size int
}

// packedTTL is for a copy whose maker has died.
const packedTTL = 10 * time.Minute

// pack makes a copy of the log.
func (s *Store) pack(ctx context.Context, id execution.ID) (made packedLog, err error) {
	made.key = packedKey(s.prefixOf(id), id) + ":" + NewToken() // nobody else writes to it
	pipe := s.rdb.TxPipeline()
	pending := 0
	send := func() error {
		pipe.Expire(ctx, made.key, packedTTL)
		_, err := pipe.Exec(ctx)
		pipe, pending = s.rdb.TxPipeline(), 0
		return wrap("write a packed log", err)
	}
	p := packer{codec: s.codec, dense: true, emit: func(e entry) error {
		xadd(ctx, pipe, made.key, e)
		made.entries, made.size, pending = made.entries+1, made.size+len(e.data), pending+len(e.data)
		if pending >= segmentBytes {
			return send()
		}
		return nil
	}}
	err = s.each(ctx, id, 1, func(e entry) (bool, error) { return false, p.add(e) })
	if err == nil {
		err = p.flush()
	}
	if err == nil {
		err = send()
	}
	return made, err
}

// move takes an ended log to the archive.
func (s *Store) move(ctx context.Context, id execution.ID, last string) error {
	m := mover{store: s, id: id}
	sealed, err := s.rdb.ZRange(ctx, segmentsKey(s.prefixOf(id), id), 0, -1).Result()
	if err != nil {
		return wrap("read segments", err)
	}
	for _, text := range sealed {
		ref, err := parseSegmentRef(text)
		if err != nil {
			return err
		}
		m.sealed = append(m.sealed, ref)
	}
	p := packer{codec: s.codec, emit: func(e entry) error { return m.add(ctx, e) }}
	err = s.each(ctx, id, 1, func(e entry) (bool, error) { return false, p.add(e) })
	if err == nil {
		err = p.flush()
	}
	if err == nil {
		err = m.flush(ctx)
	}
	if err != nil {
		return err
	}
	res, err := s.run(ctx, moveScript, id, append([]any{last}, m.made...)...)
	if err == nil && res[0] == "gone" {
		return s.o.Archive.Delete(ctx, id) // else nobody would
	}
	return wrap("move a log", err)
}

// mover gathers entries to segments that do not overlap those which are there.
type mover struct {
	store  *Store
	id     execution.ID
	sealed []segmentRef // in order; those behind what was added
	held   []entry
	size   int
	made   []any // of the segments: <first>-<last>
}

func (m *mover) add(ctx context.Context, e entry) error {
	between := false
	for len(m.sealed) > 0 && m.sealed[0].last < e.first {
		m.sealed, between = m.sealed[1:], true
	}
	if between || m.size >= segmentBytes {
		if err := m.flush(ctx); err != nil {
			return err
		}
	}
	m.held, m.size = append(m.held, e), m.size+len(e.data)
	return nil
}

func (m *mover) flush(ctx context.Context) error {
	if len(m.held) == 0 {
		return nil
	}
	ref, data := encodeSegment(m.held)
	if err := m.store.archive(ctx, m.id, ref, data); err != nil {
		return err
	}
	m.made, m.held, m.size = append(m.made, ref.String()), nil, 0
	return nil
}
