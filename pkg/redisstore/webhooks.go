package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// DueHook is a webhook to be sent now. It is held for the caller for a while;
// if the caller dies, somebody else gets it then.
type DueHook struct {
	Record  *execution.Record
	Attempt int // 0 at the first try
}

// DueHooks takes up to limit due webhooks and holds them for hold.
func (s *Store) DueHooks(ctx context.Context, limit int, hold time.Duration) ([]DueHook, error) {
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	var due []DueHook
	for _, p := range s.prefixes() {
		ids, err := s.take(ctx, hooksKey(p), limit, hold)
		if err != nil {
			return nil, err
		}
		for _, raw := range ids {
			id := execution.ID(raw)
			r, err := s.Get(ctx, id)
			if execution.CodeOf(err) == execution.NotFound {
				err = s.HookDone(ctx, id)
				if err != nil {
					return nil, err
				}
				continue
			}
			if err != nil {
				return nil, err
			}
			n, err := s.rdb.HGet(ctx, hookKey(p, id), "attempts").Int()
			if err != nil && !isNil(err) {
				return nil, wrap("read webhook", err)
			}
			due = append(due, DueHook{Record: r, Attempt: n})
		}
	}
	return due, nil
}

// HookDone takes a webhook out of the line: it was delivered, or given up.
func (s *Store) HookDone(ctx context.Context, id execution.ID) error {
	p := s.prefixOf(id)
	pipe := s.rdb.TxPipeline()
	pipe.ZRem(ctx, hooksKey(p), string(id))
	pipe.Del(ctx, hookKey(p, id))
	_, err := pipe.Exec(ctx)
	return wrap("finish webhook", err)
}

// HookRetry puts a webhook back in line for at.
func (s *Store) HookRetry(ctx context.Context, id execution.ID, at time.Time) error {
	p := s.prefixOf(id)
	pipe := s.rdb.TxPipeline()
	pipe.ZAddXX(ctx, hooksKey(p), redis.Z{Score: float64(millis(at)), Member: string(id)})
	pipe.HIncrBy(ctx, hookKey(p, id), "attempts", 1)
	// It goes with its record at the latest; the TTL is for a purge that was cut off.
	pipe.Expire(ctx, hookKey(p, id), s.o.Retention+24*time.Hour)
	_, err := pipe.Exec(ctx)
	return wrap("put webhook back until "+strconv.FormatInt(millis(at), 10), err)
}
