package redisstore

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Renewal is the answer to one lease of a Renew.
type Renewal struct {
	Fenced bool // the attempt no longer holds its execution
	Cancel bool // somebody wants it cancelled
	Kill   bool // and at once
}

// Renew extends leases by LeaseTicks from now, all of a worker's in one call
// per partition. The answers stand in the order of the leases; after an error
// some of them may say nothing.
func (s *Store) Renew(ctx context.Context, leases []execution.Lease) ([]Renewal, error) {
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	byPrefix := map[string][]int{}
	for i, l := range leases {
		p := s.prefixOf(l.ID)
		byPrefix[p] = append(byPrefix[p], i)
	}
	answers := make([]Renewal, len(leases))
	for p, group := range byPrefix {
		args := []any{p, s.o.LeaseTicks}
		for _, i := range group {
			args = append(args, string(leases[i].ID), leases[i].Token)
		}
		res, err := renewScript.Run(ctx, s.rdb, []string{runKey(p)}, args...).Int64Slice()
		if err != nil {
			return answers, wrap("renew leases", err)
		}
		for k, i := range group {
			answers[i] = Renewal{Fenced: res[k] == 0, Cancel: res[k] >= 2, Kill: res[k] == 3}
		}
	}
	return answers, nil
}

// Tick is one step of the logical clock of leases.
type Tick struct {
	Mine bool  // this call made it, and its caller does the second's reaping
	N    int64 // steps since ever
	// What there may be to reap: something that runs, that waits in line and
	// wants to do so for a limited time only, and that waits in line at all.
	Running, Impatient, Waiting bool
}

// Tick moves the logical clock of every partition on, at most once a second
// over all callers. The clock stands still while nobody reaches Redis, so an
// outage, however long, makes no lease run out.
func (s *Store) Tick(ctx context.Context) (t Tick, err error) {
	if err := s.ensure(ctx); err != nil {
		return t, err
	}
	for k, p := range s.prefixes() {
		keys := []string{tickKey(p), runKey(p), lateKey(p)}
		for _, q := range execution.Queues {
			keys = append(keys, queueKey(p, q))
		}
		res, err := tickScript.Run(ctx, s.rdb, keys, t.Mine).Int64Slice()
		if err != nil {
			return Tick{}, wrap("tick", err)
		}
		if k == 0 {
			t.Mine, t.N = res[0] == 1, res[1]
		}
		if !t.Mine {
			return t, nil // whoever moved the first partition's moves the others'
		}
		t.Running, t.Impatient, t.Waiting = t.Running || res[2] == 1, t.Impatient || res[3] == 1, t.Waiting || res[4] == 1
	}
	return t, nil
}

// Lost lists up to limit running executions whose lease has run out, with the
// lease that they were lost under.
func (s *Store) Lost(ctx context.Context, limit int) ([]execution.Lease, error) {
	var lost []execution.Lease
	for _, p := range s.prefixes() {
		n, err := s.rdb.HGet(ctx, tickKey(p), "n").Int64()
		if isNil(err) {
			continue
		}
		if err != nil {
			return nil, wrap("read tick", err)
		}
		ids, err := s.rdb.ZRangeByScore(ctx, runKey(p), &redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(n, 10), Count: int64(limit)}).Result()
		if err != nil {
			return nil, wrap("read leases", err)
		}
		for _, id := range ids {
			f, err := s.rdb.HMGet(ctx, recordKey(p, execution.ID(id)), "token", "attempt").Result()
			if err != nil {
				return nil, wrap("read lease", err)
			}
			token, _ := f[0].(string)
			attempt, _ := f[1].(string)
			lost = append(lost, execution.Lease{ID: execution.ID(id), Token: token, Attempt: atoi(attempt)})
		}
	}
	return lost, nil
}

// Waiting is a queued execution at the head of a line.
type Waiting struct {
	ID       execution.ID
	Queue    string
	Dispatch int // number of its newest Asynq task
}

// HeadOfLine lists, per queue, the first limit executions that have been
// allowed to run for longer than ms milliseconds and still wait. A task that
// Asynq has lost comes to the head sooner or later, so looking there finds
// every one of them, however long the line is.
func (s *Store) HeadOfLine(ctx context.Context, limit int, ms int64) ([]Waiting, error) {
	now, err := s.rdb.Time(ctx).Result()
	if err != nil {
		return nil, wrap("read time", err)
	}
	before := strconv.FormatInt(millis(now)-ms, 10)
	var waiting []Waiting
	for _, p := range s.prefixes() {
		for _, q := range execution.Queues {
			ids, err := s.rdb.ZRangeByScore(ctx, queueKey(p, q), &redis.ZRangeBy{Min: "-inf", Max: before, Count: int64(limit)}).Result()
			if err != nil {
				return nil, wrap("read line", err)
			}
			if len(ids) == 0 {
				continue
			}
			pipe := s.rdb.Pipeline()
			numbers := make([]*redis.StringCmd, len(ids))
			for i, id := range ids {
				numbers[i] = pipe.HGet(ctx, recordKey(p, execution.ID(id)), "dispatch")
			}
			if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
				return nil, wrap("read dispatch numbers", err)
			}
			for i, id := range ids {
				if n, err := numbers[i].Int(); err == nil { // else it has gone meanwhile
					waiting = append(waiting, Waiting{ID: execution.ID(id), Queue: q, Dispatch: n})
				}
			}
		}
	}
	return waiting, nil
}

// Overdue lists up to limit queued executions that have waited for longer than
// their queue timeout.
func (s *Store) Overdue(ctx context.Context, limit int) ([]execution.ID, error) {
	return s.due(ctx, lateKey, limit)
}

// Redispatch takes the next dispatch number for a queued execution whose task
// with number dispatch is missing; 0 when that is no longer so.
func (s *Store) Redispatch(ctx context.Context, id execution.ID, dispatch int) (int, error) {
	p := s.prefixOf(id)
	n, err := redispatchScript.Run(ctx, s.rdb, []string{recordKey(p, id)}, p, string(id), dispatch).Int()
	return n, wrap("redispatch execution", err)
}
