package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/bench/lines"
	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/dispatch"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/queue"
	"github.com/longhaul/longhaul/pkg/redisstore"
)

func memoryCommand() *cobra.Command {
	var most int
	var settle time.Duration
	var artifacts string
	c := &cobra.Command{
		Use:   "memory",
		Short: "Measure the memory that executions and logs need in Redis: the tables of docs/reliability.md",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return memory(cmd.Context(), most, settle, artifacts)
		},
	}
	c.Flags().IntVar(&most, "executions", 100_000, "executions, at most")
	c.Flags().DurationVar(&settle, "settle", packed, "how long a log's memory must have stayed the same")
	c.Flags().StringVar(&artifacts, "artifacts", "", "ARTIFACTS_URL")
	return c
}

// packed is how long a log must have kept its size to be taken for packed, which happens 5 to 15 s after its end.
const packed = 20 * time.Second

// memory prints what executions and logs take in Redis, as tables in Markdown.
// All settings but FOLD_AFTER have their defaults.
func memory(ctx context.Context, most int, settle time.Duration, artifacts string) error {
	s, err := newSession(ctx, os.Stdout)
	if err != nil {
		return err
	}
	defer s.close()
	// critical is this program's own, see finish. What is folded later otherwise is so at once.
	env := []string{"QUEUES=default", "FOLD_AFTER=1s"}
	if artifacts != "" {
		env = append(env, "ARTIFACTS_URL="+artifacts)
	}
	st, err := ours("longhaul", "").start(ctx, s, startOptions{env: env, fresh: true})
	if err != nil {
		return err
	}
	defer st.close()
	m, err := newMeter(st, settle)
	if err != nil {
		return err
	}
	if err := m.logs(ctx); err != nil {
		return fmt.Errorf("logs: %w", err)
	}
	if err := m.executions(ctx, most); err != nil {
		return fmt.Errorf("executions: %w", err)
	}
	return nil
}

// meter works on the state of a running Longhaul, past its API, where that would take hours.
type meter struct {
	rdb        redis.UniversalClient
	redis      *redisServer
	client     *client.Client
	store      *redisstore.Store
	tasks      *queue.Queue
	dispatcher *dispatch.Dispatcher
	settle     time.Duration
}

func newMeter(st *stack, settle time.Duration) (*meter, error) {
	m := &meter{rdb: st.redis.db, redis: st.redis, settle: settle}
	m.store = redisstore.New(m.rdb, redisstore.Options{})
	m.tasks = queue.New(m.rdb)
	m.dispatcher = dispatch.New(m.store, m.tasks, slog.New(slog.DiscardHandler))
	var err error
	m.client, err = client.New(st.url, token, client.Options{})
	return m, err
}

// logs measures logs of three kinds and five sizes, printed as fast as it goes,
// and one that trickles.
func (m *meter) logs(ctx context.Context) error {
	fmt.Print("| log | printed | in Redis | of what was printed |\n|---|---|---|---|\n")
	sizes := []int{10_000, 100_000, 1_000_000, 10_000_000, 100_000_000}
	for _, kind := range []string{lines.Repetitive, lines.Typical, lines.Random} {
		for _, size := range sizes {
			if err := m.log(ctx, kind, size, 0); err != nil {
				return err
			}
		}
	}
	return m.log(ctx, lines.Typical, sizes[1], 10*time.Millisecond)
}

func (m *meter) log(ctx context.Context, kind string, size int, pause time.Duration) error {
	id, err := m.runProbe(ctx, "log", kind, strconv.Itoa(size), pause.String())
	if err != nil {
		return err
	}
	used, err := m.settled(ctx, func() (int64, error) { return m.ofLog(ctx, id) })
	if err != nil {
		return err
	}
	if pause > 0 {
		kind += fmt.Sprintf(", a line every %v", pause)
	}
	fmt.Printf("| %s | %s | %s | %.1f %% |\n", kind, human(int64(size)), human(used), 100*float64(used)/float64(size))
	return nil
}

// runProbe runs the engine to its end.
func (m *meter) runProbe(ctx context.Context, args ...string) (execution.ID, error) {
	started, err := m.client.Start(ctx, api.StartRequest{Command: "probe", Args: args}, "")
	if err != nil {
		return "", err
	}
	e, err := m.client.Wait(ctx, started.ID)
	if err == nil && e.Status != execution.Completed {
		err = fmt.Errorf("probe %v ended as %s", args, e.Status)
	}
	return started.ID, err
}

// ofLog is the memory of all keys that carry an execution's id, but for its
// record and its task, which do not grow with the log.
func (m *meter) ofLog(ctx context.Context, id execution.ID) (sum int64, err error) {
	it := m.rdb.Scan(ctx, 0, "lh:*"+string(id)+"*", 1000).Iterator()
	for it.Next(ctx) {
		if strings.Contains(it.Val(), ":x:") {
			continue
		}
		n, err := m.rdb.MemoryUsage(ctx, it.Val(), 0).Result() // 0: look at all of it
		if err != nil && !errors.Is(err, redis.Nil) {
			return 0, err
		}
		sum += n
	}
	return sum, it.Err()
}

// settled waits until a figure has stayed the same for a while: what is done
// with a log after its end counts.
func (m *meter) settled(ctx context.Context, read func() (int64, error)) (int64, error) {
	last, since := int64(-1), time.Now()
	for {
		n, err := read()
		if err != nil || n == last && time.Since(since) >= m.settle {
			return n, err
		}
		if n != last {
			last, since = n, time.Now()
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(m.settle / 20):
		}
	}
}

// grown is by how much the memory has grown per execution while n were added.
func (m *meter) grown(ctx context.Context, n int, add func() error) (int64, error) {
	before, err := m.redis.used(ctx)
	if err != nil {
		return 0, err
	}
	if err := add(); err != nil {
		return 0, err
	}
	after, err := m.redis.used(ctx)
	return (after - before) / int64(n), err
}

// executions measures those that print nothing. All but the first thousand go
// past the API and the engine, which would take an hour.
func (m *meter) executions(ctx context.Context, most int) error {
	fmt.Print("\n| executions without output | bytes each |\n|---|---|\n")
	show := func(what string, n int, add func() error) error {
		each, err := m.grown(ctx, n, add)
		if err == nil {
			fmt.Printf("| %s | %d |\n", what, each)
		}
		return err
	}
	const some = 1000
	if err := m.finish(ctx, 10*some, empty, 0); err != nil { // what there is one of, and tables that grow by doubling
		return err
	}
	if err := m.calm(ctx); err != nil {
		return err
	}
	const just = "just finished, until FOLD_AFTER is over, with the task that Asynq keeps for an hour"
	if err := show(just, 10*some, func() error {
		// Not before an hour has passed; and then again.
		return errors.Join(m.rdb.HSet(ctx, "lh:meta", "folds", time.Now().Add(time.Hour).UnixMilli()).Err(), m.finish(ctx, 10*some, empty, 0))
	}); err != nil {
		return err
	}
	if err := errors.Join(m.rdb.HSet(ctx, "lh:meta", "folds", 0).Err(), m.calm(ctx)); err != nil {
		return err
	}
	begun, err := m.redis.used(ctx)
	if err != nil {
		return err
	}
	done := 0
	for n := some; n <= most; n *= 10 {
		if err := m.finish(ctx, n-done, empty, 0); err != nil {
			return err
		}
		done = n
		if err := m.calm(ctx); err != nil {
			return err
		}
		now, err := m.redis.used(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("| finished, %d | %d |\n", n, (now-begun)/int64(n))
	}
	for _, kind := range []struct {
		what  string
		spec  func(i int) execution.Spec
		lines int
	}{
		{"finished, with three arguments and a label", usual, 0},
		{"finished, with three arguments, a label and four lines of output", usual, 4},
	} {
		err := show(kind.what, 10*some, func() error {
			return errors.Join(m.finish(ctx, 10*some, kind.spec, kind.lines), m.calm(ctx))
		})
		if err != nil {
			return err
		}
	}
	if err := show(fmt.Sprintf("finished, %d by API and worker, with an idempotency key", some), some, func() error {
		return errors.Join(m.real(ctx, some), m.calm(ctx))
	}); err != nil {
		return err
	}
	for _, part := range []struct{ what, keys string }{
		{"of which its record, with a short log", "lh:*:x:*"},
	} {
		each, err := m.average(ctx, part.keys, some)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %d |\n", part.what, each)
	}
	for _, q := range []struct {
		what string
		spec func(i int) execution.Spec
	}{
		{"queued", empty},
		{"queued, with a label whose values are shared by many", func(i int) execution.Spec { return labelled(i % 10) }},
		{"queued, with a label whose value is its own", labelled},
	} {
		if err := show(q.what, 10*some, func() error { return m.submit(ctx, 10*some, q.spec, "") }); err != nil {
			return err
		}
	}
	return show("queued, with an idempotency key, as all from `pkg/client`", 10*some, func() error {
		return m.submit(ctx, 10*some, empty, "key-")
	})
}

// average is the memory of a key of some that match, without their place in
// Redis' table of keys and in indexes.
func (m *meter) average(ctx context.Context, match string, some int) (int64, error) {
	var sum, count int64
	for it := m.rdb.Scan(ctx, 0, match, 1000).Iterator(); it.Next(ctx) && count < int64(some); count++ {
		n, err := m.rdb.MemoryUsage(ctx, it.Val(), 0).Result()
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum / max(1, count), nil
}

func empty(int) execution.Spec {
	s := execution.Spec{Command: "probe", Args: []string{"nothing"}, DelaySeconds: 3600}
	s.Normalize(execution.DefaultLimits())
	return s
}

func usual(i int) execution.Spec {
	s := execution.Spec{Command: "python", Args: []string{"analyze.py", "--customer", strconv.Itoa(i)}, Labels: map[string]string{"team": "team-" + strconv.Itoa(i%10)}}
	s.Normalize(execution.DefaultLimits())
	return s
}

func labelled(i int) execution.Spec {
	s := empty(i)
	s.Labels = map[string]string{"customer": "number-" + strconv.Itoa(i)}
	return s
}

// submit puts n in line.
func (m *meter) submit(ctx context.Context, n int, spec func(i int) execution.Spec, key string) error {
	return parallel(n, 8, func(i int) error {
		o := dispatch.Options{}
		if key != "" {
			o.IdempotencyKey = key + strconv.Itoa(i)
		}
		_, err := m.dispatcher.Submit(ctx, spec(i), o)
		return err
	})
}

// real runs n engines.
func (m *meter) real(ctx context.Context, n int) error {
	return parallel(n, 8, func(int) error {
		_, err := m.runProbe(ctx, "nothing")
		return err
	})
}

// calm waits until all that has ended is folded, and takes out the tasks that
// Asynq keeps for an hour.
func (m *meter) calm(ctx context.Context) error {
	for {
		left, err := m.rdb.ZCard(ctx, "lh:{p0}:done").Result()
		if err != nil {
			return err
		}
		if left == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
	for it := m.rdb.Scan(ctx, 0, "asynq:{*}:completed", 1000).Iterator(); it.Next(ctx); {
		ids, err := m.rdb.ZRange(ctx, it.Val(), 0, -1).Result()
		if err != nil {
			return err
		}
		pipe := m.rdb.Pipeline()
		for _, id := range ids {
			pipe.Unlink(ctx, strings.TrimSuffix(it.Val(), "completed")+"t:"+id)
		}
		pipe.Unlink(ctx, it.Val())
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// finish lets n come and go with no engine: the same writes to Redis, and a
// ticket through Asynq, which keeps it for an hour.
func (m *meter) finish(ctx context.Context, n int, spec func(i int) execution.Spec, lines int) error {
	rdb, err := redisstore.Dial(m.redis.url)
	if err != nil {
		return err
	}
	ended := make(chan error, n)
	ctx, stop := context.WithCancel(ctx)
	srv := queue.NewServer(rdb, queue.ServerOptions{
		Slots: 16, Queues: []string{"critical"}, Logger: slog.New(slog.DiscardHandler),
		Handle: func(ctx context.Context, id execution.ID) { ended <- m.carry(ctx, id, lines) },
	})
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Run(ctx) }()
	err = m.submit(ctx, n, func(i int) execution.Spec {
		s := spec(i)
		s.Queue, s.DelaySeconds = "critical", 0
		return s
	}, "")
	for i := 0; i < n && err == nil; i++ {
		select {
		case err = <-ended:
		case <-ctx.Done(): // the server takes no more
			err = ctx.Err()
		}
	}
	stop()
	return errors.Join(err, <-stopped)
}

// carry is what a worker writes of an attempt that prints so many lines.
func (m *meter) carry(ctx context.Context, id execution.ID, lines int) error {
	c, err := m.store.Claim(ctx, id, "worker-1", redisstore.NewToken())
	if err != nil {
		return err
	}
	if lines > 0 {
		b := execution.Batch{No: 1, N: lines}
		for i := range lines {
			e := execution.Event{Type: execution.EventLog, Stream: execution.Stdout, Time: time.Now(), Attempt: 1}
			e.Bytes = fmt.Appendf(nil, "%s INFO step %d of %d is done: %d rows\n", e.Time.Format(time.RFC3339), i+1, lines, time.Now().UnixNano()%1e6)
			b.Data, b.LogBytes = execution.AppendEvent(b.Data, &e), b.LogBytes+int64(len(e.Bytes))
		}
		if err := m.store.Append(ctx, c.Lease, b); err != nil {
			return err
		}
	}
	code, gone := 0, time.Now().UTC()
	_, err = m.store.Settle(ctx, c.Lease, redisstore.Settlement{Outcome: execution.Outcome{
		Status: execution.Completed, Reason: execution.ReasonExited, ExitCode: &code, Attempt: 1, Worker: "worker-1",
		CPUSeconds: 0.001234, PeakMemoryBytes: 1234567, GroupEmptyAt: &gone,
	}})
	return err
}

func human(n int64) string {
	switch {
	case n >= 1e6:
		return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + " MB"
	case n >= 1e3:
		return strconv.FormatFloat(float64(n)/1e3, 'f', 1, 64) + " KB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
