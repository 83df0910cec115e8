package queue

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Asynq 0.26 asks for work by polling: an empty answer is followed by a sleep,
// half a second on average by default, and a task holds its slot until Asynq has
// written down that it is done. And it gives up a healthy task when its
// lease could not be renewed for 30 seconds. Both are decided behind its
// exported surface, but every step goes through the Redis client that it is
// given, so two hooks on that client mend it all without a fork. They rely on
// the shape of three commands; queue_test.go fails when Asynq changes them.

// idlePoll is how often a worker looks by itself at what no wake told it of: the
// price of a lost wake, and the interval for tasks whose delay is over.
const idlePoll = time.Second

// errorPause keeps Asynq, which does not pause after a failed dequeue, from
// spinning while Redis is away.
const errorPause = 250 * time.Millisecond

// leaseExtra is added to every renewal of Asynq's leases, so that no other
// replica's recoverer takes a task for lost in an outage of Redis. Longhaul's
// own lease decides who is lost.
const leaseExtra = 15 * time.Minute

// taker is the hook that decides when Asynq's dequeue asks Redis: when a slot is
// free, tasks are wanted, and there may be one in that queue. Until then it
// waits. A wake names its queue, so a queue that was empty is not asked again
// before one, or before idlePoll is over. Asynq has no pause of its own but that
// of a queue, which is for all workers.
type taker struct {
	rdb    redis.UniversalClient
	queues []string
	slots  int
	hold   func() <-chan struct{}
	done   chan struct{}
	stop   func()
	looked time.Time // only Asynq's one goroutine that takes tasks comes here, and to round
	round  int       // queues that it has asked for in this round of all of them

	// Only Asynq's one goroutine that forwards tasks comes here.
	delayed   bool // some task of these queues has a delay
	delayedAt time.Time

	mu       sync.Mutex // guards the fields below
	quiet    time.Time  // when a look found nothing at all, not even tasks with a delay
	news     chan struct{}
	maybe    map[string]bool // queues that may hold a task
	handlers int             // handlers that have not returned
	used     int             // handlers that have not given their slot back
	taken    []time.Time     // tasks that no handler has begun with
}

// takenFor is how long a task may be on its way to its handler. One that cannot
// be read never gets there, and must not cost a slot for good.
const takenFor = 5 * time.Second

// lookFor bounds one look.
const lookFor = time.Second

func newTaker(rdb redis.UniversalClient, queues []string, slots int, hold func() <-chan struct{}) *taker {
	if hold == nil {
		hold = func() <-chan struct{} { return nil }
	}
	t := &taker{rdb: rdb, queues: queues, slots: max(slots, 1), hold: hold, done: make(chan struct{}), news: make(chan struct{}), maybe: map[string]bool{}}
	t.stop = sync.OnceFunc(func() { close(t.done) })
	t.wake(queues...)
	return t
}

// dequeues knows Asynq's dequeue script by its keys: pending, paused, active, lease.
func dequeues(cmd redis.Cmder) (queue string, ok bool) {
	if name := cmd.Name(); name != "evalsha" && name != "eval" {
		return "", false
	}
	args := cmd.Args()
	if len(args) < 7 {
		return "", false
	}
	pending, _ := args[3].(string)
	paused, _ := args[4].(string)
	if !strings.HasSuffix(paused, ":paused") || !strings.HasSuffix(pending, "}:pending") {
		return "", false
	}
	return strings.TrimSuffix(strings.TrimPrefix(pending, "asynq:{"), "}:pending"), true
}

// forwards knows the script that takes tasks out of a set of delayed ones.
func forwards(cmd redis.Cmder) (set string, ok bool) {
	if name := cmd.Name(); name != "evalsha" && name != "eval" {
		return "", false
	}
	args := cmd.Args()
	if len(args) < 6 {
		return "", false
	}
	set, _ = args[3].(string)
	pending, _ := args[4].(string)
	return set, strings.HasSuffix(pending, "}:pending") && (strings.HasSuffix(set, "}:scheduled") || strings.HasSuffix(set, "}:retry"))
}

func (t *taker) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if set, ok := forwards(cmd); ok {
			return t.forward(ctx, set, next, cmd)
		}
		queue, ok := dequeues(cmd)
		if !ok {
			return next(ctx, cmd)
		}
		if !t.turn(ctx) || !t.try(queue) {
			return redis.Nil // to Asynq, an empty queue
		}
		more, err := t.ask(ctx, queue, cmd)
		switch {
		case err == nil:
			t.round = 0
			t.took(queue, more)
		case errors.Is(err, redis.Nil): // until the next wake
		case redis.HasErrorPrefix(err, "NOSCRIPT"): // which is followed by EVAL at once
			t.round--
			t.wake(queue)
		default: // look finds out when Redis is back
			t.round = 0
			t.pause(errorPause)
		}
		return err
	}
}

// ask also asks, in the same round trip, whether the queue holds more: where it
// does not, the next question would only be in the way of the task's claim. A task
// that comes later has a wake.
func (t *taker) ask(ctx context.Context, queue string, cmd redis.Cmder) (more bool, err error) {
	pipe := t.rdb.Pipeline()
	_ = pipe.Process(ctx, cmd)
	left := pipe.LLen(ctx, pendingKey(queue))
	_, _ = pipe.Exec(ctx) // each command has its own error
	n, lerr := left.Result()
	return n > 0 || lerr != nil, cmd.Err()
}

// pendingKey is Asynq's list of what waits in a queue.
func pendingKey(queue string) string { return "asynq:{" + queue + "}:pending" }

// forward lets the script run when there is something for it. No task of ours is
// ever in the set of those to be retried.
func (t *taker) forward(ctx context.Context, set string, next redis.ProcessHook, cmd redis.Cmder) error {
	if strings.HasSuffix(set, ":scheduled") && t.anyDelayed(ctx) {
		return next(ctx, cmd)
	}
	if c, ok := cmd.(*redis.Cmd); ok {
		c.SetVal(int64(0))
	}
	return nil
}

// anyDelayed asks once for all queues, which Asynq goes through one after the
// other, and not at all where an idle worker's look has just seen it.
func (t *taker) anyDelayed(ctx context.Context) bool {
	t.mu.Lock()
	quiet := t.quiet
	t.mu.Unlock()
	if time.Since(quiet) <= idlePoll {
		return false
	}
	if time.Since(t.delayedAt) > idlePoll/2 {
		n, err := t.exist(ctx, "scheduled")
		t.delayed, t.delayedAt = n > 0 || err != nil, time.Now()
	}
	return t.delayed
}

// exist counts such keys of the queues: with one command, but in a cluster,
// where each queue may be on a node of its own.
func (t *taker) exist(ctx context.Context, kinds ...string) (n int64, err error) {
	var keys []string
	for _, name := range t.queues {
		for _, kind := range kinds {
			keys = append(keys, "asynq:{"+name+"}:"+kind)
		}
	}
	if _, apart := t.rdb.(*redis.ClusterClient); !apart {
		return t.rdb.Exists(ctx, keys...).Result()
	}
	for _, key := range keys {
		one, err := t.rdb.Exists(ctx, key).Result()
		if err != nil {
			return n, err
		}
		n += one
	}
	return n, nil
}

// turn waits for a task at the beginning of a round. In a round Asynq asks for one
// queue after the other until there is a task, and then it sleeps: for 10 µs as it
// is told, but that is a millisecond in an idle process. So nothing waits within a
// round, or a wake for a queue that has been asked already would come too late.
func (t *taker) turn(ctx context.Context) bool {
	first := t.round == 0
	if t.round++; t.round == len(t.queues) {
		t.round = 0
	}
	if first {
		return t.await(ctx)
	}
	ready, _ := t.ready()
	return ready
}

// await returns when a task may be taken, or with false when the server stops.
func (t *taker) await(ctx context.Context) bool {
	poll := time.NewTimer(idlePoll)
	defer poll.Stop()
	for woken := false; ; {
		hold := t.hold()
		if hold != nil {
			select {
			case <-hold:
				continue
			case <-t.done:
				return false
			}
		}
		// Also while one queue has enough to do: another may hold what no wake told of. But
		// not between a wake and its task.
		if !woken && time.Since(t.looked) >= idlePoll {
			t.look(ctx)
			t.looked = time.Now()
		}
		ready, news := t.ready()
		if ready {
			return true
		}
		select {
		case <-news:
			woken = true
		case <-poll.C:
			woken = false
			poll.Reset(idlePoll)
			t.looked = time.Time{} // by the clock it may be a moment too early for that
		case <-t.done:
			return false
		}
	}
}

// ready also gives what is closed when that may have changed.
func (t *taker) ready() (bool, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.done:
		return false, t.news
	default:
	}
	return t.used+t.onTheirWay() < t.slots && len(t.maybe) > 0, t.news
}

// onTheirWay counts the tasks that are still to reach a handler. It needs the mutex.
func (t *taker) onTheirWay() int {
	t.taken = slices.DeleteFunc(t.taken, func(at time.Time) bool { return time.Since(at) > takenFor })
	return len(t.taken)
}

// drained returns when every handler of a stopped server has. Asynq hands tasks
// over by goroutines that it waits for only in its Shutdown: one may have been
// taken and not have come to its handler yet.
func (t *taker) drained() {
	for {
		t.mu.Lock()
		open, news := t.handlers+t.onTheirWay(), t.news
		t.mu.Unlock()
		if open == 0 {
			return
		}
		select {
		case <-news:
		case <-time.After(takenFor): // for one that never gets there
		}
	}
}

// look asks by itself, for the sake of lost wakes, and of tasks whose delay is
// over. While Redis is away it is the only one that asks, and not for long: a
// worker that is told to stop then must not wait for it.
func (t *taker) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	begun := time.Now()
	n, err := t.exist(ctx, "pending", "scheduled")
	if err != nil {
		return // health tells of it
	}
	if n == 0 {
		t.mu.Lock()
		t.quiet = begun
		t.mu.Unlock()
		return
	}
	pipe := t.rdb.Pipeline()
	lengths := make([]*redis.IntCmd, len(t.queues))
	for i, name := range t.queues {
		lengths[i] = pipe.LLen(ctx, pendingKey(name))
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, name := range t.queues {
		if n, err := lengths[i].Result(); err == nil && n > 0 {
			t.wake(name)
		}
	}
}

// wake says that queues may hold a task.
func (t *taker) wake(queues ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range queues {
		if slices.Contains(t.queues, name) {
			t.maybe[name] = true
		}
	}
	t.tell()
}

// tell needs the mutex.
func (t *taker) tell() {
	close(t.news)
	t.news = make(chan struct{})
}

// try says whether a queue is worth a question. A wake that comes while it is
// asked counts for the next one.
func (t *taker) try(queue string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	maybe := t.maybe[queue]
	delete(t.maybe, queue)
	return maybe
}

// took notes a task, and whether there is another. If not, a wake that came
// meanwhile still counts.
func (t *taker) took(queue string, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if more {
		t.maybe[queue] = true
	}
	t.taken = append(t.taken, time.Now())
}

// begin gives a handler its slot, free gives it back, and end says that the
// handler returns.
func (t *taker) begin() (free, end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handlers++
	t.used++
	if len(t.taken) > 0 {
		t.taken = t.taken[1:]
	}
	free = sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.used--
		t.tell()
	})
	return free, func() {
		free()
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.handlers--; t.handlers == 0 {
			t.tell()
		}
	}
}

// pause ends after d, or when the server stops.
func (t *taker) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.done:
	}
}

func (t *taker) DialHook(next redis.DialHook) redis.DialHook { return next }

func (t *taker) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
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
