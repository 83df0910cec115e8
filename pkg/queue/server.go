package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/execution"
)

// ServerOptions of a Server.
type ServerOptions struct {
	// Slots is how many tasks are taken at once. A handler gives its slot back when
	// it returns, or before, with Free.
	Slots int
	// Queues that this server takes from; all of execution.Queues when empty.
	Queues []string
	// Handle carries one execution and returns when nothing of it is left. Its
	// context never ends by Asynq's doing: Asynq ends contexts for reasons that
	// are none to kill an engine (an outage of Redis, its own timeout).
	Handle func(context.Context, execution.ID)
	// Hold says that no task is wanted now, by a channel that is closed when tasks
	// are wanted again; nil means that they are. Handlers that run go on.
	Hold func() <-chan struct{}
	// Cancel is told when somebody cancels the task on Asynq's dashboard.
	Cancel func(context.Context, execution.ID)
	Logger *slog.Logger
}

// Server takes tasks out of Asynq.
type Server struct {
	o     ServerOptions
	rdb   redis.UniversalClient
	taker *taker
}

// NewServer makes a Server on a client of its own, since it hooks into it. Run
// closes the client.
func NewServer(rdb redis.UniversalClient, o ServerOptions) *Server {
	return &Server{o: o, rdb: rdb}
}

// weights of the queues: of ten looks, six see critical first.
var weights = map[string]int{"critical": 6, "default": 3, "low": 1}

func (s *Server) queues() map[string]int {
	if len(s.o.Queues) == 0 {
		return weights
	}
	some := make(map[string]int, len(s.o.Queues))
	for _, name := range s.o.Queues {
		some[name] = weights[name]
	}
	return some
}

// perSlot is how many handlers of Asynq there are for each slot. Workers divides by it.
const perSlot = 3

// Run takes tasks until ctx ends. Then it takes no more, waits until every
// handler has returned, and only then lets Asynq shut down: Asynq pushes a task
// that still runs back into the line and waits for nobody, which is how one
// execution comes to have two engines. Never use asynq.Server.Run, which does
// that on SIGTERM.
func (s *Server) Run(ctx context.Context) error {
	hook := newTaker(s.rdb, slices.Collect(maps.Keys(s.queues())), s.o.Slots, s.o.Hold)
	s.taker = hook
	s.rdb.AddHook(hook)
	s.rdb.AddHook(leaseHook{})

	hearing, stopHearing := context.WithCancel(ctx)
	defer stopHearing()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		s.forgetTheDead(hearing) // here, since Redis may be away
		s.hear(hearing, hook)
	}()

	work := context.WithoutCancel(ctx)
	srv := asynq.NewServerFromRedisClient(s.rdb, asynq.Config{
		// The hook has the slots: a handler that has given its own back, and what
		// Asynq writes down after it, hold up nobody. More than that is not needed.
		Concurrency: perSlot * s.o.Slots,
		BaseContext: func() context.Context { growStack(); return work },
		Queues:      s.queues(),
		// The hook waits, not this sleep.
		TaskCheckInterval: 10 * time.Microsecond,
		// Tasks with a delay are looked for each second; Asynq's 5 s would be felt.
		DelayedTaskCheckInterval: time.Second,
		ErrorHandler:             asynq.ErrorHandlerFunc(s.onError),
		Logger:                   logger{s.o.Logger},
		LogLevel:                 asynq.WarnLevel,
		// Never comes into play, since Shutdown is called with no handler left.
		ShutdownTimeout: time.Hour,
		// Its queue counters, which only the dashboard's charts show, need no more.
		JanitorInterval: 30 * time.Second,
	})
	if err := srv.Start(asynq.HandlerFunc(s.handle)); err != nil {
		hook.stop()
		return errors.Join(fmt.Errorf("start asynq: %w", err), s.rdb.Close())
	}
	<-ctx.Done()
	hook.stop() // lets a waiting dequeue return, so that Stop is not held up
	srv.Stop()
	hook.drained()
	// With Redis away Asynq's own goroutines wait for their commands; nothing of
	// ours depends on them any more.
	down := make(chan struct{})
	go func() { srv.Shutdown(); close(down) }()
	stopHearing()
	<-heard
	select {
	case <-down:
		return s.rdb.Close()
	case <-time.After(shutdownPatience):
		// Its client stays open: Asynq 0.26 panics when that closes under it.
		s.o.Logger.WarnContext(work, "Asynq did not shut down in time; leaving it")
		return nil
	}
}

// forgetTheDead takes servers that were killed off Asynq's lists, which Asynq
// does only while somebody looks at its dashboard. Members expire at their score.
func (s *Server) forgetTheDead(ctx context.Context) {
	for _, list := range []string{"asynq:servers", "asynq:workers"} {
		// A failure leaves a line or two to the next start.
		_ = s.rdb.ZRemRangeByScore(ctx, list, "-inf", strconv.FormatInt(time.Now().Add(-time.Minute).Unix(), 10)).Err()
	}
}

// shutdownPatience is much for a Redis that answers; one that does not is waited
// for by nobody, and platforms kill a worker soon after its drain.
const shutdownPatience = time.Second

func (s *Server) handle(ctx context.Context, t *asynq.Task) error {
	growStack()
	free, end := s.taker.begin()
	defer end()
	id, err := execution.ParseID(string(t.Payload()))
	if err != nil {
		return fmt.Errorf("task of type %s holds no execution id: %w", t.Type(), asynq.SkipRetry)
	}
	s.o.Handle(context.WithValue(context.WithoutCancel(ctx), freeKey{}, free), id)
	// Always success: how the execution ended is in its record, and an error here
	// would only fill Asynq's archive.
	return nil
}

// growStack gives a new goroutine at once the stack that a call to Redis needs.
// Asynq starts two for each task. From 2 KiB on, each would outgrow its stack
// three times in the depth of that call, where it costs most to move: that was a
// tenth of what a worker spent on a short execution.
//
//go:noinline
func growStack() byte {
	var room [9 << 10]byte // more than half of the stack that it takes
	return room[len(weights)]
}

type freeKey struct{}

// Free gives a handler's slot back before it returns: another task may be taken
// while this one only has something left to write. Without a slot it does nothing.
func Free(ctx context.Context) {
	if free, ok := ctx.Value(freeKey{}).(func()); ok {
		free()
	}
}

// onError hears of tasks that Asynq itself gave up. Only one kind means
// something to us: context.Canceled is the dashboard's cancel button. A lease
// that Asynq believes lost is not.
func (s *Server) onError(ctx context.Context, t *asynq.Task, err error) {
	if !errors.Is(err, context.Canceled) || s.o.Cancel == nil {
		return
	}
	if id, perr := execution.ParseID(string(t.Payload())); perr == nil {
		s.o.Cancel(context.WithoutCancel(ctx), id)
	}
}

// hear turns messages on the wake channel into wakes.
func (s *Server) hear(ctx context.Context, t *taker) {
	sub := s.rdb.Subscribe(ctx, wakeChannel)
	defer sub.Close()
	messages := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-messages:
			if !ok {
				return
			}
			t.wake(m.Payload)
		}
	}
}

// logger gives Asynq's lines to slog.
type logger struct{ log *slog.Logger }

func (l logger) Debug(args ...any) { l.log.Debug(fmt.Sprint(args...), "part", "asynq") }
func (l logger) Info(args ...any)  { l.log.Info(fmt.Sprint(args...), "part", "asynq") }
func (l logger) Warn(args ...any)  { l.log.Warn(fmt.Sprint(args...), "part", "asynq") }
func (l logger) Error(args ...any) { l.log.Error(fmt.Sprint(args...), "part", "asynq") }
func (l logger) Fatal(args ...any) { l.log.Error(fmt.Sprint(args...), "part", "asynq") }
