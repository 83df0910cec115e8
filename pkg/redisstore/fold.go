package redisstore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

const (
	// foldAtOnce is how many executions one step folds: three round trips for all of them.
	foldAtOnce = 64
	// foldMost is how large a record may be, as Redis has it, that is folded. The
	// few that are larger hold a large input or result, beside which a hash costs
	// little; and a list reads folded records whole.
	foldMost = 16 << 10
	// foldLog is up to how many bytes of events, as stored and as they are, a log
	// goes into the record: who wants only the record unpacks them too.
	foldLog = 4 << 10
	// foldEntries is how many entries such a log may have.
	foldEntries = 64
)

// Fold gives ended executions the form in which they wait for the end of their
// retention: record and short log become one string, their places in indexes
// move to paged ones. It takes a few of the oldest, and says whether there may
// be more. Folding twice at once, or beside a purge, does no harm: the second
// finds nothing left to do.
func (s *Store) Fold(ctx context.Context) (more bool, err error) {
	if err := s.ensure(ctx); err != nil {
		return false, err
	}
	if s.o.FoldAfter < 0 {
		return false, nil
	}
	var failed []error
	for _, p := range s.prefixes() {
		now, ids, err := s.toFold(ctx, p)
		if err != nil {
			return false, err
		}
		done, err := s.foldAll(ctx, p, ids, now)
		more = more || len(ids) == foldAtOnce && done > 0
		if err != nil {
			failed = append(failed, err)
		}
	}
	return more, errors.Join(failed...)
}

// toFold lists what ended long enough ago, as far as the index by the end of
// retention can tell.
func (s *Store) toFold(ctx context.Context, p string) (now time.Time, ids []string, err error) {
	pipe := s.rdb.Pipeline()
	from := pipe.HGet(ctx, keyMeta, "folds")
	clock := pipe.Time(ctx)
	if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
		return now, nil, wrap("read "+keyMeta, err)
	}
	now = clock.Val()
	if from.Val() == "" { // an older release was here first, and may still be
		return now, nil, s.beginGrace(ctx, "folds", now)
	}
	if now.Before(fromMillis(from.Val())) {
		return now, nil, nil
	}
	before := strconv.FormatInt(millis(now.Add(s.o.Retention-s.o.FoldAfter)), 10)
	ids, err = s.rdb.ZRangeByScore(ctx, doneKey(p), &redis.ZRangeBy{Min: "-inf", Max: before, Count: foldAtOnce}).Result()
	return now, ids, wrap("read what is to be folded", err)
}

// found is what a step of folding sees of one execution.
type found struct {
	id             execution.ID
	sizes          []*redis.IntCmd // of those fields of its record that may be large
	ended          *redis.SliceCmd
	length, sealed *redis.IntCmd
	record         *redis.MapStringStringCmd
	log            *redis.XMessageSliceCmd
}

// foldAll folds those of a partition that can be, and says how many it took off the list.
func (s *Store) foldAll(ctx context.Context, p string, ids []string, now time.Time) (done int, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	all := make([]*found, len(ids))
	pipe := s.rdb.Pipeline()
	for i, id := range ids {
		key := recordKey(p, execution.ID(id))
		all[i] = &found{
			id: execution.ID(id), ended: pipe.HMGet(ctx, key, "ended", "stored"),
			length: pipe.XLen(ctx, eventsKey(p, execution.ID(id))), sealed: pipe.Exists(ctx, segmentsKey(p, execution.ID(id))),
		}
		for _, field := range []string{"spec", "result", "past", "progress"} {
			all[i].sizes = append(all[i].sizes, pipe.HStrLen(ctx, key, field))
		}
	}
	// One that was folded or purged meanwhile answers with an error of its own.
	if err := exceptFolded(pipe.Exec(ctx)); err != nil {
		return 0, wrap("read records", err)
	}
	cold := now.Add(-s.o.FoldAfter)
	all = slices.DeleteFunc(all, func(f *found) bool { return f.ended.Err() != nil || f.endedAt().After(cold) })
	pipe = s.rdb.Pipeline()
	for _, f := range all {
		if f.endedAt().IsZero() || f.size() > foldMost {
			continue // the first was taken out by hand
		}
		f.record = pipe.HGetAll(ctx, recordKey(p, f.id))
		if f.isShort() {
			f.log = pipe.XRange(ctx, eventsKey(p, f.id), "-", "+")
		}
	}
	if err := exceptFolded(pipe.Exec(ctx)); err != nil {
		return 0, wrap("read records", err)
	}
	calls := make([]call, len(all))
	for i, f := range all {
		calls[i] = s.foldCall(p, f)
	}
	var failed []error
	for i, cmd := range s.runAll(ctx, foldScript, calls) {
		res, err := cmd.StringSlice()
		switch {
		case err != nil:
			failed = append(failed, wrap("fold "+calls[i].keys[0], err))
		case res[0] == "ok":
			done++
		}
	}
	return done, errors.Join(failed...)
}

func (f *found) endedAt() time.Time {
	if v := f.ended.Val(); len(v) == 2 {
		text, _ := v[0].(string)
		return fromMillis(text)
	}
	return time.Time{}
}

func (f *found) size() (sum int64) {
	for _, n := range f.sizes {
		sum += n.Val()
	}
	return sum
}

// isShort says whether the log may go into the record.
func (f *found) isShort() bool {
	stored, _ := f.ended.Val()[1].(string)
	return f.length.Val() <= foldEntries && f.sealed.Val() == 0 && atoi(stored) <= foldLog
}

// foldCall is the call of fold.lua for one. A record that cannot be folded stays
// as it is, and only leaves the list.
func (s *Store) foldCall(p string, f *found) call {
	keys := []string{recordKey(p, f.id)}
	asItIs := call{keys, []any{p, string(f.id), "", "", "", ""}}
	if f.record == nil || f.record.Err() != nil {
		return asItIs
	}
	v := folded{fields: f.record.Val()}
	r, err := parseRecord(f.id, fields(v.fields))
	if err != nil {
		return asItIs
	}
	last, entries, whole := v.fields["last"], f.length.Val(), ""
	if f.log != nil {
		entries = int64(len(f.log.Val()))
		// A log that cannot be read may be so by a newer release: it stays.
		var size int
		v.log, size, err = s.joined(f.log.Val())
		v.whole = err == nil && size <= foldLog
	}
	if v.whole {
		whole = "1"
		delete(v.fields, "stored")
		delete(v.fields, "packed")
	} else {
		v.log = nil
	}
	args := []any{p, string(f.id), s.codec.fold(v), last, entries, whole, millis(r.CreatedAt), "status:" + string(r.Status), "name:" + r.Spec.Name()}
	return call{keys, appendLabels(args, r.Spec.Labels)}
}

// joined gives the entries of a short log with their events together and not
// compressed, and how many bytes that is.
func (s *Store) joined(log []redis.XMessage) (all []entry, size int, err error) {
	c := s.codec
	c.enc = nil
	p := packer{codec: c, emit: func(e entry) error { all, size = append(all, e), size+len(e.data); return nil }}
	for _, m := range log {
		e, err := entryOf(m)
		if err == nil {
			err = p.add(e)
		}
		if err != nil {
			return nil, 0, err
		}
	}
	err = p.flush()
	return all, size, err
}

func appendLabels(args []any, labels map[string]string) []any {
	for k, v := range labels {
		args = append(args, "label:"+k+"="+v)
	}
	return args
}
