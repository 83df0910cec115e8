package queue

import (
	"testing"
	"testing/synctest"
	"time"
)

// Asynq's Stop does not wait for the goroutine that takes a task to its handler.
// A server that believed itself empty then would leave with an engine running.
func TestAServerWaitsForATaskOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := newTaker(nil, []string{"default"}, 2, nil)
		hook.took("default", false)
		hook.took("default", false)
		hook.stop()
		left := make(chan time.Time, 1)
		go func() { hook.drained(); left <- time.Now() }()

		free, end := hook.begin()
		free() // its slot is another's, but it has something left to write
		end()
		<-time.After(takenFor - time.Second)
		if len(left) != 0 {
			t.Fatal("left while a task was on its way to its handler")
		}
		_, end = hook.begin()
		<-time.After(time.Hour)
		if len(left) != 0 {
			t.Fatal("left while a handler ran")
		}
		done := time.Now()
		end()
		if at := <-left; !at.Equal(done) {
			t.Errorf("left %s after the last handler", at.Sub(done))
		}
	})
}

func TestATaskThatCannotBeReadHoldsUpNoStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := newTaker(nil, []string{"default"}, 1, nil)
		hook.took("default", false)
		begun := time.Now()
		hook.drained()
		if waited := time.Since(begun); waited > 2*takenFor {
			t.Errorf("waited for %s", waited)
		}
	})
}
