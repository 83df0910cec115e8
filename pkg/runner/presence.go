package runner

import (
	"context"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// presentEvery is how often a worker says that it lives: a tenth of how long it is listed.
const presentEvery = 5 * time.Second

// goodbye bounds the last word of a worker that stops.
const goodbye = 2 * time.Second

// Presence keeps a list of workers for people to look at. Nothing is decided by
// it: that an attempt lives, its lease says.
type Presence interface {
	SawWorker(ctx context.Context, w *execution.Worker) error
	ForgetWorker(ctx context.Context, name string) error
}

// Present lists this worker until ctx ends, and then takes it off the list, unless
// Redis did not answer last: a stop has no time to wait for it. A drain shows at
// once. Errors pass by: what is wrong with Redis, health tells.
func (r *Runner) Present(ctx context.Context, list Presence, version string, queues []string) error {
	self := &execution.Worker{Name: r.o.Worker, Version: version, StartedAt: time.Now().UTC(), Slots: r.o.Slots, Queues: queues}
	ticker := time.NewTicker(presentEvery)
	defer ticker.Stop()
	for drain := r.drain; ; {
		err := list.SawWorker(ctx, self)
		select {
		case <-ctx.Done():
			if err != nil {
				return nil
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
			defer cancel()
			_ = list.ForgetWorker(ctx, r.o.Worker)
			return nil
		case <-drain:
			self.Draining, drain = true, nil
		case <-ticker.C:
		}
	}
}
