package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

func TestStatsCountTheLinesOverAllPartitions(t *testing.T) {
	for _, partitions := range []int{1, 3} {
		rdb, err := redisstore.Dial(redistest.Start(t).URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = rdb.Close() })
		st := redisstore.New(rdb, redisstore.Options{Partitions: partitions})
		put := func(queue string, delay int64) execution.ID {
			s := spec()
			s.Queue, s.DelaySeconds = queue, delay
			return create(t, st, s)
		}
		first := put("low", 0)
		for range 3 {
			put("low", 0)
		}
		put("low", 60)
		claim(t, st, put("critical", 0))
		claim(t, st, put("default", 0))
		claim(t, st, put("default", 0))
		begun := get(t, st, first).CreatedAt
		for {
			now, err := rdb.Time(t.Context()).Result()
			if err != nil {
				t.Fatal(err)
			}
			if now.Sub(begun) > 20*time.Millisecond {
				break
			}
		}
		quick, err := st.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		full, err := st.StatsByQueue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]execution.Line{
			"low":      {Depth: 4, Delayed: 1},
			"default":  {Running: 2},
			"critical": {Running: 1},
		} {
			got := full.Lines[name]
			if waits := want.Depth > 0; waits != (got.Oldest >= 20*time.Millisecond) || got.Oldest > time.Minute {
				t.Errorf("%d partitions, %s: the oldest has waited %v", partitions, name, got.Oldest)
			}
			if got.Oldest = 0; got != want {
				t.Errorf("%d partitions, %s: %+v, want %+v", partitions, name, got, want)
			}
			if q := quick.Lines[name]; q.Depth != want.Depth || q.Delayed != want.Delayed || q.Running != 0 {
				t.Errorf("%d partitions, %s without what runs: %+v", partitions, name, q)
			}
		}
		if quick.Running != 3 || full.Running != 3 {
			t.Errorf("%d partitions: %d and %d run, want 3", partitions, quick.Running, full.Running)
		}
	}
}

func TestStatsTellThatRedisIsAway(t *testing.T) {
	rdb, err := redisstore.Dial("redis://127.0.0.1:1/0")
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := redisstore.New(rdb, redisstore.Options{}).StatsByQueue(ctx); execution.CodeOf(err) != execution.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestThroughputIsOfWhatHasRunAndEnded(t *testing.T) {
	st, _ := redistest.Store(t, redisstore.Options{})
	for i := range 20 {
		s := spec()
		s.Queue = "low"
		id := create(t, st, s)
		if i%2 == 0 { // it never runs
			if _, err := st.Cancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		} else if _, err := st.Settle(t.Context(), claim(t, st, id), completed()); err != nil {
			t.Fatal(err)
		}
	}
	stats, err := st.StatsByQueue(t.Context())
	if err != nil || stats.Lines["low"].PerMinute != 10 || stats.Lines["default"].PerMinute != 0 {
		t.Errorf("%+v, %v: ten in less than a minute are ten a minute", stats, err)
	}
}

func TestThroughputSurvivesAShorterRetention(t *testing.T) {
	before, server := redistest.Store(t, redisstore.Options{Retention: 48 * time.Hour})
	id := create(t, before, spec())
	if _, err := before.Settle(t.Context(), claim(t, before, id), completed()); err != nil {
		t.Fatal(err)
	}
	now := redistest.Open(t, server, redisstore.Options{Retention: time.Hour})
	stats, err := now.StatsByQueue(t.Context())
	if err != nil || stats.Lines["default"].PerMinute != 0 {
		t.Errorf("%+v, %v: one that expires in two days did not end lately, where all expire after an hour", stats, err)
	}
}
