package queue

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Asynq 0.26 enqueues one task per round trip. Its client gets a recorder
// instead of a connection: Asynq still decides what is written, and any number
// of tasks go out in one pipeline, with the wake. queue_test.go fails when
// Asynq begins to use other commands.

// tape is what Asynq would have sent.
type tape struct{ calls []call }

// call is one script.
type call struct {
	*script
	keys []string
	args []any
}

// script is one of Asynq's, and that as a draft.
type script struct {
	*redis.Script
	draft string
}

func newScript(text string) *script {
	return &script{redis.NewScript(text), "local function asynq(KEYS, ARGV)\n" + text + "\nend\n" + draftLua}
}

// draftLua does for one ticket what play does for all of a tape. KEYS and the first ARGV are Asynq's.
// ARGV[#ARGV - 1] the queue   ARGV[#ARGV] the channel that wakes its workers, none for a ticket with a delay
// Where a hundred are in line, workers have been woken, and take until there are none.
const draftLua = `
local queue, channel = ARGV[#ARGV - 1], ARGV[#ARGV]
asynq(KEYS, ARGV)
if channel ~= '' and redis.call('LLEN', KEYS[2]) > 100 then return end
redis.call('SADD', '` + allQueues + `', queue)
if channel ~= '' then redis.call('PUBLISH', channel, queue) end
`

type tapeKey struct{}

// recorder is the Redis client of asynq.Client. A command that it does not know
// panics on the nil inside.
type recorder struct {
	redis.UniversalClient
	scripts sync.Map // *script by hash
}

// EvalSha implements redis.Scripter. A script that is new here is answered as a
// server would: then its text comes with Eval.
func (r *recorder) EvalSha(ctx context.Context, hash string, keys []string, args ...any) *redis.Cmd {
	known, ok := r.scripts.Load(hash)
	if !ok {
		return redis.NewCmdResult(nil, redis.ErrNoScript)
	}
	t := ctx.Value(tapeKey{}).(*tape)
	t.calls = append(t.calls, call{known.(*script), keys, args})
	return redis.NewCmdResult(int64(1), nil) // enqueued
}

// Eval implements redis.Scripter.
func (r *recorder) Eval(ctx context.Context, text string, keys []string, args ...any) *redis.Cmd {
	s := newScript(text)
	r.scripts.Store(s.Hash(), s)
	return r.EvalSha(ctx, s.Hash(), keys, args...)
}

// SAdd is how Asynq lists its queues, once per process; play does it each time,
// since Redis may have lost the list.
func (r *recorder) SAdd(context.Context, string, ...any) *redis.IntCmd {
	return redis.NewIntResult(1, nil)
}

// draft gives a tape with one ticket as a script.
func (t *tape) draft(ticket execution.Ticket) execution.Script {
	c, channel := t.calls[0], wakeChannel
	if ticket.Delay > 0 {
		channel = ""
	}
	return execution.Script{Text: c.script.draft, Keys: c.keys, Args: append(c.args, ticket.Queue, channel)}
}

// play sends the tape, and wakes workers for queues that have something to run.
func (t *tape) play(ctx context.Context, rdb redis.UniversalClient, queues, wakes []string) error {
	// A cluster's pipeline keeps no order between its nodes, and a wake that is
	// too early is lost.
	_, apart := rdb.(*redis.ClusterClient)
	pipe := rdb.Pipeline()
	listed := pipe.SAdd(ctx, allQueues, queues)
	sent := make([]*redis.Cmd, len(t.calls))
	for i, c := range t.calls {
		sent[i] = c.EvalSha(ctx, pipe, c.keys, c.args...)
	}
	if !apart {
		ring(ctx, pipe, wakes)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	if err := listed.Err(); err != nil {
		return err
	}
	unknown := false
	for i, c := range t.calls {
		err := sent[i].Err()
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			unknown = true // as are all that follow, so that their order stays
			err = c.Run(ctx, rdb, c.keys, c.args...).Err()
		}
		if err != nil {
			return err
		}
	}
	if apart || unknown {
		ring(ctx, rdb, wakes)
	}
	return nil
}

// ring wakes workers. They look by themselves once a second: a wake that fails
// is no error.
func ring(ctx context.Context, c redis.Cmdable, queues []string) {
	for _, name := range queues {
		_ = c.Publish(ctx, wakeChannel, name)
	}
}
