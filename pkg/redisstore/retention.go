package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Expired lists up to limit executions whose retention is over, oldest first.
func (s *Store) Expired(ctx context.Context, limit int) ([]execution.ID, error) {
	var due []execution.ID
	for _, p := range s.prefixes() {
		ids, err := dueScript.Run(ctx, s.rdb, []string{doneKey(p)}, p, "done", limit).StringSlice()
		if err != nil {
			return nil, wrap("read what is due", err)
		}
		for _, id := range ids {
			due = append(due, execution.ID(id))
		}
	}
	return due, nil
}

// due lists up to limit members per partition of an index by instant whose
// instant has come, oldest first.
func (s *Store) due(ctx context.Context, index func(prefix string) string, limit int) ([]execution.ID, error) {
	now, err := s.rdb.Time(ctx).Result()
	if err != nil {
		return nil, wrap("read time", err)
	}
	var due []execution.ID
	for _, p := range s.prefixes() {
		ids, err := s.rdb.ZRangeByScore(ctx, index(p), &redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(millis(now), 10), Count: int64(limit)}).Result()
		if err != nil {
			return nil, wrap("read what is due", err)
		}
		for _, id := range ids {
			due = append(due, execution.ID(id))
		}
	}
	return due, nil
}

// take is due for one partition's index where one replica alone must do the
// work: what it gives is held for it, and due again after hold.
func (s *Store) take(ctx context.Context, index string, limit int, hold time.Duration) ([]string, error) {
	ids, err := takeScript.Run(ctx, s.rdb, []string{index}, limit, hold.Milliseconds()).StringSlice()
	return ids, wrap("take what is due", err)
}

// Purge takes an execution whose retention is over out of Redis: record,
// events and every index entry. Repeating it is harmless.
func (s *Store) Purge(ctx context.Context, id execution.ID) error {
	r, err := s.Get(ctx, id)
	if execution.CodeOf(err) == execution.NotFound {
		r = &execution.Record{ID: id} // taken out by hand: its index entries must not stay
	} else if err != nil {
		return err
	}
	args := []any{s.prefixOf(id), string(id), millis(r.CreatedAt), "status:" + string(r.Status), "name:" + r.Spec.Name()}
	args = appendLabels(args, r.Spec.Labels)
	err = purgeScript.Run(ctx, s.rdb, []string{recordKey(s.prefixOf(id), id)}, args...).Err()
	return wrap("purge execution", err)
}
