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

// packed is how long a log must have kept its size to be taken for packed, which happens some 5 s after its end.
const packed = 8 * time.Second

// memory prints what executions and logs take in Redis, as tables in Markdown.
// All settings have their defaults.
func memory(ctx context.Context, most int, settle time.Duration, artifacts string) error {
	s, err := newSession(ctx, os.Stdout)
	if err != nil {
		return err
	}
	defer s.close()
	env := []string{"QUEUES=default"} // critical is this program's own, see finish
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
	if err := m.finish(ctx, some); err != nil { // what there is one of
		return err
	}
	if err := show(fmt.Sprintf("finished, %d by API and worker", some), some, func() error { return m.real(ctx, some) }); err != nil {
		return err
	}
	begun, err := m.redis.used(ctx)
	if err != nil {
		return err
	}
	done := 0
	for n := some; n <= most; n *= 10 {
		if err := m.finish(ctx, n-done); err != nil {
			return err
		}
		done = n
		now, err := m.redis.used(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("| finished, %d | %d |\n", n, (now-begun)/int64(n))
	}
	for _, part := range []struct{ what, keys string }{
		{"of which its record", "lh:*:x:*"}, {"of which its events", "lh:*:ev:*"}, {"of which Asynq's task, for an hour", "asynq:*:t:*"},
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
		{"queued", func(int) execution.Spec { return empty() }},
		{"queued, with a label whose values are shared by many", func(i int) execution.Spec { return labelled(i % 10) }},
		{"queued, with a label whose value is its own", labelled},
	} {
		if err := show(q.what, 10*some, func() error { return m.submit(ctx, 10*some, q.spec, "") }); err != nil {
			return err
		}
	}
	return show("queued, with an idempotency key, as all from `pkg/client`", 10*some, func() error {
		return m.submit(ctx, 10*some, func(int) execution.Spec { return empty() }, "key-")
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

func empty() execution.Spec {
	s := execution.Spec{Command: "probe", Args: []string{"nothing"}, DelaySeconds: 3600}
	s.Normalize(execution.DefaultLimits())
	return s
}

func labelled(i int) execution.Spec {
	s := empty()
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

// finish lets n come and go with no engine: the same writes to Redis, and a
// ticket through Asynq, which keeps it for an hour.
func (m *meter) finish(ctx context.Context, n int) error {
	rdb, err := redisstore.Dial(m.redis.url)
	if err != nil {
		return err
	}
	ended := make(chan error, n)
	ctx, stop := context.WithCancel(ctx)
	srv := queue.NewServer(rdb, queue.ServerOptions{
		Slots: 16, Queues: []string{"critical"}, Logger: slog.New(slog.DiscardHandler),
		Handle: func(ctx context.Context, id execution.ID) { ended <- m.carry(ctx, id) },
	})
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Run(ctx) }()
	err = m.submit(ctx, n, func(int) execution.Spec {
		s := empty()
		s.Queue, s.DelaySeconds = "critical", 0
		return s
	}, "")
	for i := 0; i < n && err == nil; i++ {
		err = <-ended
	}
	stop()
	return errors.Join(err, <-stopped)
}

// carry is what a worker writes of an attempt that prints nothing.
func (m *meter) carry(ctx context.Context, id execution.ID) error {
	c, err := m.store.Claim(ctx, id, "worker-1", redisstore.NewToken())
	if err != nil {
		return err
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
