package queue

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// Asynq sleeps after a round in which no queue had a task, so none may be asked
// for in the middle of one when a wake comes.
func TestAWakeMeetsTheBeginningOfARound(t *testing.T) {
	queues := []string{"low", "default", "critical"}
	var asked []string
	rdb := redis.NewClient(&redis.Options{})
	defer rdb.Close()
	rdb.AddHook(empty(func(queue string) { asked = append(asked, queue) }))
	synctest.Test(t, func(t *testing.T) {
		hook := newTaker(rdb, queues, 1, nil)
		hook.looked = time.Now() // it does not look by itself
		process := hook.ProcessHook(nil)
		rounds := 0
		over := make(chan struct{})
		go func() { // as Asynq does
			defer close(over)
			for ; ; rounds++ {
				for _, queue := range queues {
					prefix := "asynq:{" + queue + "}:"
					_ = process(t.Context(), redis.NewCmd(t.Context(), "evalsha", "hash", 4, prefix+"pending", prefix+"paused", prefix+"active", prefix+"lease"))
				}
				select {
				case <-hook.done:
					return
				default:
				}
			}
		}()
		synctest.Wait()
		if !slices.Equal(asked, queues) || rounds != 1 {
			t.Errorf("at the start, in %d rounds: %v", rounds, asked)
		}
		for i, queue := range queues {
			asked = nil
			hook.wake(queue)
			synctest.Wait()
			if !slices.Equal(asked, []string{queue}) || rounds != i+2 {
				t.Errorf("after a wake for %s, and %d rounds: %v", queue, rounds, asked)
			}
		}
		hook.stop()
		<-over
	})
}

// A look takes two round trips, and may be due when a wake comes.
func TestAWakeIsNotHeldUpByALook(t *testing.T) {
	var asked, looks int
	rdb := redis.NewClient(&redis.Options{})
	defer rdb.Close()
	rdb.AddHook(empty(func(string) { asked++ }))
	rdb.AddHook(onExists(func() {
		if asked < 2 {
			looks++
		}
	}))
	synctest.Test(t, func(t *testing.T) {
		hook := newTaker(rdb, []string{"default"}, 1, nil)
		hook.looked = time.Now().Add(-idlePoll / 2)
		process := hook.ProcessHook(nil)
		over := make(chan struct{})
		go func() {
			defer close(over)
			for range 3 { // the start's own, that of the wake, and one that the stop ends
				_ = process(t.Context(), redis.NewCmd(t.Context(), "evalsha", "hash", 4, "asynq:{default}:pending", "asynq:{default}:paused", "", ""))
			}
		}()
		<-time.After(idlePoll * 3 / 4)
		hook.wake("default")
		synctest.Wait()
		if asked != 2 || looks != 0 {
			t.Errorf("asked %d times, after %d looks", asked, looks)
		}
		hook.stop()
		<-over
	})
}

// onExists is a Redis in which no key exists, and which says when it is asked.
type onExists func()

func (e onExists) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "exists" {
			e()
			return nil
		}
		return next(ctx, cmd)
	}
}
func (e onExists) DialHook(next redis.DialHook) redis.DialHook { return next }
func (e onExists) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// empty is a Redis whose queues hold nothing, and which tells what it is asked for.
type empty func(queue string)

func (e empty) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		queue, _ := dequeues(cmds[0])
		e(queue)
		cmds[0].SetErr(redis.Nil)
		return redis.Nil
	}
}
func (e empty) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (e empty) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
