package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Create accepts an execution, or finds the one that an idempotency key stands
// for. owner separates the keys of different callers. Errors: QueueFull,
// IdempotencyUsed, Unavailable, StorageFull.
func (s *Store) Create(ctx context.Context, spec *execution.Spec, owner, idempotencyKey string) (execution.Created, error) {
	return s.CreateAs(ctx, "", spec, owner, idempotencyKey, execution.Script{})
}

// NewID is an id for CreateAs with this key, for those who must know it before.
func (s *Store) NewID(ctx context.Context, owner, idempotencyKey string) (execution.ID, error) {
	if err := s.ensure(ctx); err != nil {
		return "", err
	}
	return s.newID(keyOf(owner, idempotencyKey)), nil
}

// keyOf is what an idempotency key is known by; "" for none.
func keyOf(owner, idempotencyKey string) string {
	if idempotencyKey == "" {
		return ""
	}
	return digest(owner + "\x00" + idempotencyKey)
}

// CreateAs is Create under an id of NewID. What puts a new one in line is written with it where that can be:
// both or neither.
func (s *Store) CreateAs(ctx context.Context, id execution.ID, spec *execution.Spec, owner, idempotencyKey string, line execution.Script) (execution.Created, error) {
	if err := s.ensure(ctx); err != nil {
		return execution.Created{}, err
	}
	body, compared, err := encode(spec)
	if err != nil {
		return execution.Created{}, fmt.Errorf("encode spec: %w", err)
	}
	idem := keyOf(owner, idempotencyKey)
	if id == "" {
		id = s.newID(idem)
	}
	args := []any{
		string(body), spec.Queue, spec.Name(), spec.DelaySeconds * 1000,
		(s.o.MaxQueue + s.partitions - 1) / s.partitions,
		spec.WebhookURL, idem, digest(string(compared)), s.o.IdempotencyTTL.Milliseconds(),
		NewToken(), spec.QueueTimeoutSeconds * 1000, s.implied, len(spec.Labels),
	}
	for k, v := range spec.Labels {
		args = append(args, k+"="+v)
	}
	if _, apart := s.rdb.(*redis.ClusterClient); apart {
		line = execution.Script{} // its keys are on other nodes
	}
	res, err := s.runWith(ctx, s.creates.with(line.Text), id, line.Keys, append(args, line.Args...)...)
	if err != nil {
		return execution.Created{}, wrap("create execution", err)
	}
	switch res[0] {
	case "new":
		r := &execution.Record{ID: id, Spec: *spec, Status: execution.Queued, CreatedAt: fromMillis(res[1]), Last: 1}
		r.EligibleAt = r.CreatedAt.Add(time.Duration(spec.DelaySeconds) * time.Second)
		return s.created(ctx, execution.Created{Record: r, Position: atoi(res[2]), InLine: line.Text != "" && res[3] == "1"}, s.partitions > 1)
	case "known":
		r, err := s.Get(ctx, execution.ID(res[1]))
		if err != nil {
			return execution.Created{}, err
		}
		return s.created(ctx, execution.Created{Record: r, Known: true}, true)
	case "reused":
		return execution.Created{}, execution.Errorf(execution.IdempotencyUsed, "this Idempotency-Key was used with another request: take a new key for a new execution")
	case "full":
		return execution.Created{}, execution.Errorf(execution.QueueFull, "%s executions are waiting, which is the limit (the setting MAX_QUEUE_SIZE); try again later", res[1])
	}
	return execution.Created{}, fmt.Errorf("create.lua answered %q", res)
}

// encode gives a spec as it is kept, and as an idempotency key compares it: a
// repeated request has a span of its own.
func encode(spec *execution.Spec) (kept, compared []byte, err error) {
	if kept, err = json.Marshal(spec); err != nil || spec.Traceparent == "" {
		return kept, kept, err
	}
	plain := *spec
	plain.Traceparent = ""
	compared, err = json.Marshal(&plain)
	return kept, compared, err
}

// created adds the position where the script could not tell it.
func (s *Store) created(ctx context.Context, c execution.Created, ask bool) (execution.Created, error) {
	if !ask {
		return c, nil
	}
	// It is accepted: a position that cannot be read is no reason to say otherwise.
	if n, err := s.Position(ctx, c.Record); err == nil {
		c.Position = max(0, n)
	}
	return c, nil
}

// newID makes an id in the partition of the idempotency key, so that one script
// can see both. It takes P tries on average.
func (s *Store) newID(idem string) execution.ID {
	for {
		id := execution.NewID(time.Now())
		if idem == "" || partitionOf(string(id), s.partitions) == partitionOf(idem, s.partitions) {
			return id
		}
	}
}

// digest shortens what may be long or secret to a key's length: 128 bits.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// NewToken makes what is unique per call, 128 random bits: the random part of a
// lease, or the mark by which a repeated create knows itself.
func NewToken() string {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic("redisstore: no randomness: " + err.Error())
	}
	return hex.EncodeToString(b[:])
}

func isNil(err error) bool { return errors.Is(err, redis.Nil) }

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
