package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// workerTTL is how long a worker that says nothing more is still listed: long
// enough for whoever looks to see that one was lost.
const workerTTL = 75 * time.Second

// SawWorker notes that a worker lives. Two commands and one round trip, so that
// it can be repeated every few seconds.
func (s *Store) SawWorker(ctx context.Context, w *execution.Worker) error {
	if err := s.ensure(ctx); err != nil {
		return err
	}
	text, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encode worker: %w", err)
	}
	p := prefix(0)
	pipe := s.rdb.Pipeline()
	pipe.Set(ctx, workerKey(p, w.Name), text, workerTTL)
	// Each time, since whoever lists them takes out the names of those that are gone.
	pipe.SAdd(ctx, workersKey(p), w.Name)
	_, err = pipe.Exec(ctx)
	return wrap("note worker", err)
}

// ForgetWorker takes out a worker that has stopped.
func (s *Store) ForgetWorker(ctx context.Context, name string) error {
	if err := s.ensure(ctx); err != nil {
		return err
	}
	p := prefix(0)
	pipe := s.rdb.Pipeline()
	pipe.Del(ctx, workerKey(p, name))
	pipe.SRem(ctx, workersKey(p), name)
	_, err := pipe.Exec(ctx)
	return wrap("forget worker", err)
}

// Workers lists those that live or were lost a moment ago, by name, with what
// each runs, oldest first. It reads a field of every record that runs.
func (s *Store) Workers(ctx context.Context) ([]execution.Worker, error) {
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	p := prefix(0)
	names, err := s.rdb.SMembers(ctx, workersKey(p)).Result()
	if err != nil {
		return nil, wrap("read workers", err)
	}
	pipe := s.rdb.Pipeline()
	clock := pipe.Time(ctx)
	texts, left := make([]*redis.StringCmd, len(names)), make([]*redis.DurationCmd, len(names))
	for i, name := range names {
		texts[i], left[i] = pipe.Get(ctx, workerKey(p, name)), pipe.PTTL(ctx, workerKey(p, name))
	}
	if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
		return nil, wrap("read workers", err)
	}
	running, err := s.runningByWorker(ctx)
	if err != nil {
		return nil, err
	}
	workers, gone := make([]execution.Worker, 0, len(names)), []any{}
	for i, name := range names {
		if isNil(texts[i].Err()) || left[i].Val() < 0 {
			gone = append(gone, name)
			continue
		}
		var w execution.Worker
		if err := json.Unmarshal([]byte(texts[i].Val()), &w); err != nil {
			return nil, fmt.Errorf("read worker %s: %w", name, err)
		}
		w.SeenAt, w.Running = clock.Val().Add(left[i].Val()-workerTTL).UTC(), running[name]
		workers = append(workers, w)
	}
	if len(gone) > 0 {
		_ = s.rdb.SRem(ctx, workersKey(p), gone...).Err() // else the next who looks does it
	}
	slices.SortFunc(workers, func(a, b execution.Worker) int { return cmp.Compare(a.Name, b.Name) })
	return workers, nil
}

// runningByWorker lists what runs, by the name of the worker that has it.
func (s *Store) runningByWorker(ctx context.Context) (map[string][]execution.ID, error) {
	running := map[string][]execution.ID{}
	for _, p := range s.prefixes() {
		ids, err := s.rdb.ZRange(ctx, runKey(p), 0, -1).Result()
		if err != nil {
			return nil, wrap("read what runs", err)
		}
		pipe := s.rdb.Pipeline()
		owners := make([]*redis.StringCmd, len(ids))
		for i, id := range ids {
			owners[i] = pipe.HGet(ctx, recordKey(p, execution.ID(id)), "worker")
		}
		if err := exceptFolded(pipe.Exec(ctx)); err != nil {
			return nil, wrap("read what runs", err)
		}
		for i, id := range ids {
			if name := owners[i].Val(); name != "" { // else it has gone meanwhile
				running[name] = append(running[name], execution.ID(id))
			}
		}
	}
	for _, ids := range running {
		slices.Sort(ids) // they begin with their time
	}
	return running, nil
}
