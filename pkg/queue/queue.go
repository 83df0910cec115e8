// Package queue hands executions to workers through Asynq, of which it is the
// only owner. A task is a wake-up: it carries the execution's id and nothing
// that matters. What Asynq, its dashboard or its recoverer does with a task can
// delay an execution, never change its record.
//
// Queue is the sending side and starts no goroutine. Server is the receiving
// side: Asynq's goroutines and one that hears the wake channel, all ended when
// Run returns. It uses go-redis, which redisstore owns, for one thing: two
// hooks on Asynq's client (see hooks.go).
package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

const (
	// taskType is the one kind of task there is.
	taskType = "execution"
	// wakeChannel tells idle workers that a task has come. Nothing is sent on
	// it but the name of the queue, and a lost message costs a second.
	wakeChannel = "lh:wake"
	// allQueues is where Asynq looks for the queues that there are.
	allQueues = "asynq:queues"
	// backstop is added to an execution's timeout for Asynq's own: the runner
	// ends engines, Asynq must never be first.
	backstop = time.Hour
	// retention keeps finished tasks on the dashboard for an hour; 358 bytes each.
	retention = time.Hour
)

func taskID(id execution.ID, dispatch int) string { return string(id) + "." + strconv.Itoa(dispatch) }

// Queue enqueues, looks up and deletes tasks.
type Queue struct {
	rdb       redis.UniversalClient
	client    *asynq.Client // writes to a tape
	inspector *asynq.Inspector
}

// New makes a Queue on a client that the caller closes.
func New(rdb redis.UniversalClient) *Queue {
	return &Queue{rdb: rdb, client: asynq.NewClientFromRedisClient(&recorder{}), inspector: asynq.NewInspectorFromRedisClient(rdb)}
}

// Enqueue hands over tickets in their order, and wakes idle workers, all in one
// round trip. A ticket that is there already counts as success: that is what a
// repeat after a lost reply meets. After an error, some may be there.
func (q *Queue) Enqueue(ctx context.Context, tickets ...execution.Ticket) error {
	if len(tickets) == 0 {
		return nil
	}
	var t tape
	for _, ticket := range tickets {
		if err := q.record(context.WithValue(ctx, tapeKey{}, &t), ticket); err != nil {
			return fmt.Errorf("enqueue %s: %w", ticket.ID, err)
		}
	}
	var queues, wakes []string
	for _, ticket := range tickets {
		if !slices.Contains(queues, ticket.Queue) {
			queues = append(queues, ticket.Queue)
		}
		if ticket.Delay <= 0 && !slices.Contains(wakes, ticket.Queue) {
			wakes = append(wakes, ticket.Queue)
		}
	}
	if err := t.play(ctx, q.rdb, queues, wakes); err != nil {
		return fmt.Errorf("enqueue %d tasks, the first for %s: %w", len(tickets), tickets[0].ID, err)
	}
	return nil
}

// Draft is Enqueue of one ticket as a script, for those who have it run with one of their own: all or nothing.
// A cluster keeps queues apart from all else, and cannot.
func (q *Queue) Draft(ctx context.Context, ticket execution.Ticket) (execution.Script, error) {
	var t tape
	if err := q.record(context.WithValue(ctx, tapeKey{}, &t), ticket); err != nil {
		return execution.Script{}, fmt.Errorf("draft the task of %s: %w", ticket.ID, err)
	}
	return t.draft(ticket), nil
}

// record has Asynq say what it would send for a ticket.
//
// Asynq's defaults are all wrong for long processes, so each is set here:
// MaxRetry 0, since only our reaper makes another attempt; Timeout longer than
// ours, since Asynq's 30 minutes would end its interest in a 2 h run; an
// explicit TaskID; no Unique, whose lock leaks.
func (q *Queue) record(ctx context.Context, t execution.Ticket) error {
	opts := []asynq.Option{
		asynq.TaskID(taskID(t.ID, t.Dispatch)), asynq.Queue(t.Queue), asynq.MaxRetry(0),
		asynq.Timeout(t.Timeout + backstop), asynq.Retention(retention),
	}
	if t.Delay > 0 {
		opts = append(opts, asynq.ProcessIn(t.Delay))
	}
	_, err := q.client.EnqueueContext(ctx, asynq.NewTask(taskType, []byte(t.ID)), opts...)
	return err
}

// State is what Asynq knows of a ticket.
type State int

// Missing covers deleted, archived and completed tasks: all that will not come to
// a worker again.
const (
	Missing   State = iota
	Scheduled       // until its delay is over, which Asynq judges by some worker's clock
	Waiting         // for a worker
	Active          // given to a worker
)

// State looks a ticket up.
func (q *Queue) State(_ context.Context, t execution.Ticket) (State, error) {
	info, err := q.inspector.GetTaskInfo(t.Queue, taskID(t.ID, t.Dispatch))
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		return Missing, nil
	case err != nil:
		return Missing, fmt.Errorf("look up task of %s: %w", t.ID, err)
	}
	switch info.State {
	case asynq.TaskStateScheduled:
		return Scheduled, nil
	case asynq.TaskStatePending, asynq.TaskStateRetry, asynq.TaskStateAggregating:
		return Waiting, nil
	case asynq.TaskStateActive:
		return Active, nil
	case asynq.TaskStateArchived, asynq.TaskStateCompleted:
	}
	return Missing, nil
}

// Delete takes a waiting ticket out of the line. One that is not there, or is
// with a worker already, is no error: the worker's claim will be refused.
func (q *Queue) Delete(_ context.Context, t execution.Ticket) error {
	_, err := q.delete(t)
	return err
}

// Drop takes a ticket out whatever its state is, for when its execution is
// taken out too. A worker that died leaves its task active, which Asynq's own
// delete refuses, and which Asynq would archive later and keep for 90 days.
func (q *Queue) Drop(ctx context.Context, t execution.Ticket) error {
	active, err := q.delete(t)
	if err != nil || !active {
		return err
	}
	p, id := "asynq:{"+t.Queue+"}:", taskID(t.ID, t.Dispatch)
	if err := dropActive.Run(ctx, q.rdb, []string{p + "t:" + id, p + "active", p + "lease"}, id).Err(); err != nil {
		return fmt.Errorf("drop task of %s: %w", t.ID, err)
	}
	return nil
}

func (q *Queue) delete(t execution.Ticket) (active bool, err error) {
	err = q.inspector.DeleteTask(t.Queue, taskID(t.ID, t.Dispatch))
	switch {
	case err == nil, errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		return false, nil
	case strings.Contains(err.Error(), "active state"): // Asynq has no sentinel for it
		return true, nil
	}
	return false, fmt.Errorf("delete task of %s: %w", t.ID, err)
}

// dropActive knows how Asynq keeps an active task; queue_test.go fails when
// Asynq changes it. No task of ours has a unique key or a group.
var dropActive = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'state') ~= 'active' then return 0 end
redis.call('LREM', KEYS[2], 0, ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('DEL', KEYS[1])`)

// Worker is a live server, by its heartbeat. One that was killed is still
// counted for up to ten seconds.
type Worker struct {
	Slots    int
	Queues   []string // that it takes from
	Draining bool     // takes nothing new
}

// Workers lists all live servers.
func (q *Queue) Workers(context.Context) ([]Worker, error) {
	servers, err := q.inspector.Servers()
	if err != nil {
		return nil, &execution.Error{Code: execution.Unavailable, Message: "the workers' heartbeats cannot be read from Redis (the setting REDIS_URL); try again soon", Err: err}
	}
	workers := make([]Worker, 0, len(servers))
	for _, s := range servers {
		workers = append(workers, Worker{Slots: s.Concurrency / perSlot, Queues: slices.Sorted(maps.Keys(s.Queues)), Draining: s.Status != "active"})
	}
	return workers, nil
}
