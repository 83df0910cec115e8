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
	synctest.Test(t, func(t *testing.T) {
		hook := newTaker(nil, queues, 1, nil)
		hook.looked = time.Now() // it does not look by itself
		var asked []string
		process := hook.ProcessHook(func(_ context.Context, cmd redis.Cmder) error {
			queue, _ := dequeues(cmd)
			asked = append(asked, queue)
			return redis.Nil
		})
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
