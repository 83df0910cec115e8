package queue

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Asynq 0.26 asks for work by polling: an empty answer is followed by a sleep,
// half a second on average by default. And it gives up a healthy task when its
// lease could not be renewed for 30 seconds. Both are decided behind its
// exported surface, but every step goes through the Redis client that it is
// given, so two hooks on that client mend both without a fork. They rely on
// the shape of two commands; queue_test.go fails when Asynq changes them.

// idlePoll is how long an idle worker waits for a wake before it looks by
// itself: the price of a lost wake, and the interval for tasks whose delay is over.
const idlePoll = time.Second

// errorPause keeps Asynq, which does not pause after a failed dequeue, from
// spinning while Redis is away.
const errorPause = 250 * time.Millisecond

// leaseExtra is added to every renewal of Asynq's leases, so that no other
// replica's recoverer takes a task for lost in an outage of Redis. Longhaul's
// own lease decides who is lost.
const leaseExtra = 15 * time.Minute

// wakeHook makes an empty dequeue wait for the wake channel, and any dequeue
// wait while no task is wanted: Asynq has no pause of its own but that of a
// queue, which is for all workers.
type wakeHook struct {
	queues int             // an empty round is one empty answer per queue
	wake   <-chan struct{} // buffered by one
	hold   func() <-chan struct{}
	done   chan struct{}
	stop   func()

	// Asynq dequeues from one goroutine, so this needs no lock.
	empty int
}

func newWakeHook(queues int, wake <-chan struct{}, hold func() <-chan struct{}) *wakeHook {
	done := make(chan struct{})
	if hold == nil {
		hold = func() <-chan struct{} { return nil }
	}
	return &wakeHook{queues: queues, wake: wake, hold: hold, done: done, stop: sync.OnceFunc(func() { close(done) })}
}

// isDequeue knows Asynq's dequeue script by its keys: pending, paused, active, lease.
func isDequeue(cmd redis.Cmder) bool {
	if name := cmd.Name(); name != "evalsha" && name != "eval" {
		return false
	}
	args := cmd.Args()
	if len(args) < 7 {
		return false
	}
	pending, _ := args[3].(string)
	paused, _ := args[4].(string)
	return strings.HasSuffix(pending, ":pending") && strings.HasSuffix(paused, ":paused")
}

func (h *wakeHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !isDequeue(cmd) {
			return next(ctx, cmd)
		}
		if !h.wanted() {
			return redis.Nil // the server stops: to Asynq, an empty line
		}
		err := next(ctx, cmd)
		switch {
		case err == nil:
			h.empty = 0
		case errors.Is(err, redis.Nil):
			if h.empty++; h.empty >= h.queues {
				h.empty = 0
				h.wait(h.wake, idlePoll)
			}
		case !redis.HasErrorPrefix(err, "NOSCRIPT"): // that one is followed by EVAL at once
			h.wait(nil, errorPause)
		}
		return err
	}
}

// wanted returns when a task is wanted, or with false when the server stops before.
func (h *wakeHook) wanted() bool {
	for hold := h.hold(); hold != nil; hold = h.hold() {
		select {
		case <-hold:
		case <-h.done:
			return false
		}
	}
	return true
}

// wait ends with a wake, if one is waited for, after d, or when the server stops.
func (h *wakeHook) wait(wake <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-wake:
	case <-timer.C:
	case <-h.done:
	}
}

func (h *wakeHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *wakeHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// leaseHook makes Asynq's renewals generous and their failures harmless.
type leaseHook struct{}

// isRenewal knows ZADD asynq:{queue}:lease XX score member ….
func isRenewal(cmd redis.Cmder) bool {
	if cmd.Name() != "zadd" {
		return false
	}
	args := cmd.Args()
	if len(args) < 5 {
		return false
	}
	key, _ := args[1].(string)
	flag, _ := args[2].(string)
	return strings.HasPrefix(key, "asynq:{") && strings.HasSuffix(key, ":lease") && strings.EqualFold(flag, "xx")
}

func (leaseHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !isRenewal(cmd) {
			return next(ctx, cmd)
		}
		args := cmd.Args()
		for i := 3; i < len(args); i += 2 {
			if score, ok := args[i].(float64); ok {
				args[i] = score + leaseExtra.Seconds()
			}
		}
		if err := next(ctx, cmd); err != nil {
			cmd.SetErr(nil)
		}
		return nil
	}
}

func (leaseHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (leaseHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
