package runner_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/runner"
)

// roll notes what a worker tells of itself.
type roll struct {
	mu   sync.Mutex
	seen []execution.Worker
	gone []string
}

func (r *roll) SawWorker(_ context.Context, w *execution.Worker) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, *w)
	return nil
}

func (r *roll) ForgetWorker(ctx context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() == nil { // a context that has ended says nothing to Redis
		r.gone = append(r.gone, name)
	}
	return ctx.Err()
}

func (r *roll) told() []execution.Worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

func TestAWorkerTellsThatItLivesDrainsAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := runner.New(nil, nil, nil, nil, nil, runner.Options{Worker: "worker-1", Slots: 3, Workdir: t.TempDir(), DrainTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		list := &roll{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Present(ctx, list, "v1", []string{"low"}) }()
		synctest.Wait()
		told := list.told()
		if w := told[0]; len(told) != 1 || w.Name != "worker-1" || w.Version != "v1" || w.Slots != 3 || w.Draining || w.Queues[0] != "low" {
			t.Errorf("at its start it tells %+v", told)
		}
		begun := told[0].StartedAt
		<-time.After(12 * time.Second)
		if told = list.told(); len(told) != 3 {
			t.Errorf("in 12 s it told %d times", len(told))
		}
		r.Drain()
		synctest.Wait()
		told = list.told()
		if last := told[len(told)-1]; len(told) != 4 || !last.Draining || !last.StartedAt.Equal(begun) {
			t.Errorf("when it drains it tells %+v", last)
		}
		cancel()
		if err := <-done; err != nil || len(list.gone) != 1 || list.gone[0] != "worker-1" {
			t.Errorf("at its end: %v, %v", list.gone, err)
		}
	})
}
