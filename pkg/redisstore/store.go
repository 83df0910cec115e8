package redisstore

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// schemaVersion is raised when the meaning of a key changes; an older or newer
// program then refuses to touch the data.
const schemaVersion = 1

// upgradeGrace is how long releases that know less may still run beside this
// one, or come back, after its first process has started: as long as their
// idempotency keys live.
const upgradeGrace = 24 * time.Hour

// Options of a Store. Zero values get the defaults that DESIGN names.
type Options struct {
	Partitions     int           // taken at the very first start only; then Redis' own number holds
	Retention      time.Duration // how long a settled execution is kept
	IdempotencyTTL time.Duration
	MaxQueue       int           // queued executions at most; 0 = no limit
	LogBytes       int64         // LOG_REDIS_BYTES: events of one execution, as stored, at most; beyond it the middle goes
	Archive        Archive       // where logs go when Redis is not to keep them; nil = nowhere
	LogHot         time.Duration // LOG_HOT_TTL: how long after its end a log stays in Redis, with an archive
	FoldAfter      time.Duration // FOLD_AFTER: how long after its end a record is folded; 0 = the default, below 0 = never
	LeaseTicks     int           // a lease not renewed for so many ticks (seconds) is lost
}

// Store is Longhaul's state in Redis. It is safe for concurrent use.
type Store struct {
	rdb        redis.UniversalClient
	o          Options
	partitions int
	implied    int64 // Unix milliseconds from which no log needs its first event (first.go)
	codec      codec
	creates    creates
	segments   segments
	rooms      rooms
	first      sync.Mutex  // one Ready at a time, since it may change partitions
	ready      atomic.Bool // meta was read: partitions and implied are Redis' own
}

// New makes a Store on a client from Dial. It does not call Redis: Ready does.
func New(rdb redis.UniversalClient, o Options) *Store {
	o.Partitions = max(1, o.Partitions)
	if o.Retention <= 0 {
		o.Retention = 7 * 24 * time.Hour
	}
	if o.IdempotencyTTL <= 0 {
		o.IdempotencyTTL = 24 * time.Hour
	}
	if o.LogBytes <= 0 {
		o.LogBytes = 64 << 20
	}
	if o.LogHot <= 0 {
		o.LogHot = time.Hour
	}
	if o.FoldAfter == 0 {
		o.FoldAfter = 10 * time.Minute
	}
	if o.LeaseTicks <= 0 {
		o.LeaseTicks = 15
	}
	return &Store{rdb: rdb, o: o, partitions: o.Partitions, codec: newCodec()}
}

// Ready reads, or at the very first start fixes, what must never change: the
// schema version and the number of partitions. Every operation asks for it, so
// calling it is only needed to learn early. Only an error of code Conflict is final.
func (s *Store) Ready(ctx context.Context) error {
	s.first.Lock()
	defer s.first.Unlock()
	if s.ready.Load() {
		return nil
	}
	meta, err := s.rdb.HMGet(ctx, keyMeta, "version", "partitions", "implied").Result()
	if err == nil && (meta[0] == nil || meta[1] == nil) { // else nothing is written: Redis may be full
		pipe := s.rdb.TxPipeline()
		if meta[0] == nil { // nobody was here before: there is no older release to wait for
			pipe.HSetNX(ctx, keyMeta, "folds", 0)
			pipe.HSetNX(ctx, keyMeta, "implied", 0)
		}
		pipe.HSetNX(ctx, keyMeta, "version", schemaVersion)
		pipe.HSetNX(ctx, keyMeta, "partitions", s.partitions)
		got := pipe.HMGet(ctx, keyMeta, "version", "partitions", "implied")
		_, err = pipe.Exec(ctx)
		meta = got.Val()
	}
	if err != nil {
		return wrap("read "+keyMeta, err)
	}
	version, _ := strconv.Atoi(fmt.Sprint(meta[0]))
	n, _ := strconv.Atoi(fmt.Sprint(meta[1]))
	if version != schemaVersion {
		return execution.Errorf(execution.Conflict, "the data in Redis is of schema version %d and this program speaks version %d: run the matching release, or point REDIS_URL at an empty database", version, schemaVersion)
	}
	if n != s.partitions {
		if s.o.Partitions != 1 {
			return execution.Errorf(execution.Conflict, "PARTITIONS is %d but Redis was set up with %d: it is fixed at the first start", s.o.Partitions, n)
		}
		s.partitions = n
	}
	s.implied = s.impliedFrom(ctx, meta[2])
	s.ready.Store(true)
	return nil
}

// impliedFrom reads from when on no log needs its first event. Where an older
// release was here first, that is when it cannot come back any more.
func (s *Store) impliedFrom(ctx context.Context, known any) int64 {
	if known == nil {
		now, err := s.rdb.Time(ctx).Result()
		if err != nil || s.beginGrace(ctx, "implied", now) != nil { // Redis may be full, which the next process need not find
			return math.MaxInt64
		}
		return millis(now.Add(upgradeGrace))
	}
	from, err := strconv.ParseInt(fmt.Sprint(known), 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return from
}

// beginGrace notes when what a field of meta stands for begins on a Redis that an older release has used.
func (s *Store) beginGrace(ctx context.Context, field string, now time.Time) error {
	return wrap("write "+keyMeta, s.rdb.HSetNX(ctx, keyMeta, field, millis(now.Add(upgradeGrace))).Err())
}

// ensure is Ready in the way of every operation: one atomic load once it has
// succeeded. Before that, the number of partitions is not known.
func (s *Store) ensure(ctx context.Context) error {
	if s.ready.Load() {
		return nil
	}
	return s.Ready(ctx)
}

// Ping reports whether Redis answers and takes writes. The command changes
// nothing and makes no key, yet a Redis refuses it that is full, read-only, or
// cannot reach its disk.
func (s *Store) Ping(ctx context.Context) error {
	return wrap("ping", s.rdb.SetRange(ctx, keyProbe, 0, "").Err())
}

// prefixes lists all partitions.
func (s *Store) prefixes() []string {
	all := make([]string, s.partitions)
	for k := range all {
		all[k] = prefix(k)
	}
	return all
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(v string) time.Time {
	ms, err := strconv.ParseInt(v, 10, 64)
	if err != nil || ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
