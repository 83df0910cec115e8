package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/longhaul/longhaul/bench/stat"
)

// pickup: from the POST to the first instruction of the process, in an idle system.
var pickup = &scenario{
	name: "pickup", what: "from the POST to the process' own first instruction, in an idle system",
	peers:   []string{"fastapi", "fastapi-popen", "celery", "rq", "bullmq", "asynq"},
	once:    []string{"rq", "bullmq", "fastapi-popen"},
	columns: []column{{"p50", "p50 ms"}, {"p99", "p99 ms"}},
	limits: func(ctx context.Context, r *round) error {
		return r.pickUps(ctx, "limit", func(file string) (time.Duration, error) { return startOnce(ctx, r.session, file) })
	},
	run: runPickup,
}

func runPickup(ctx context.Context, r *round, c contestant) error {
	return r.with(ctx, c, startOptions{}, func(st *stack) error {
		return r.pickUps(ctx, c.name, func(file string) (time.Duration, error) { return pickUpOnce(ctx, st, r.stamp(file)) })
	})
}

func (r *round) pickUps(ctx context.Context, name string, once func(file string) (time.Duration, error)) error {
	dir, err := r.folder("stamps")
	if err != nil {
		return err
	}
	var each []time.Duration
	end := time.Now().Add(r.size.pickUpTime)
	for i := 0; i < r.size.pickUps && time.Now().Before(end); i++ {
		// Not in step with any timer of the system.
		if err := pause(ctx, 40*time.Millisecond+rand.N(60*time.Millisecond)); err != nil {
			return err
		}
		d, err := once(filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if i > 0 { // the first one pays for what is started once
			each = append(each, d)
		}
	}
	r.setMS(name, "p50", stat.Quantile(each, 0.5))
	r.setMS(name, "p99", stat.Quantile(each, 0.99))
	r.set(name, "n", float64(len(each)))
	return nil
}

// startOnce is the machine's limit: no POST and no system, but this program itself
// starts the process.
func startOnce(ctx context.Context, s *session, file string) (time.Duration, error) {
	p := s.stamp(file)
	cmd := bare(ctx, filepath.Join(s.bin, p.name), p.args...)
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, err
	}
	return sinceStamp(begin, file)
}

func pickUpOnce(ctx context.Context, st *stack, p program) (time.Duration, error) {
	file := p.args[len(p.args)-1]
	before, err := st.done(ctx)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if _, err := st.post(p); err != nil {
		return 0, err
	}
	// Not by asking the system, which would have to answer just when it picks up.
	err = until(ctx, 20*time.Second, time.Millisecond, st.name+" has started it", func() (bool, error) {
		info, err := os.Stat(file)
		return err == nil && info.Size() > 0, nil
	})
	if err != nil {
		return 0, err
	}
	if err := st.await(ctx, before, 1, 20*time.Second); err != nil {
		return 0, err
	}
	return sinceStamp(begin, file)
}

// sinceStamp is from begin to the instant that the process wrote down.
func sinceStamp(begin time.Time, file string) (time.Duration, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("it ran twice, or not at all: %q", text)
	}
	return time.Unix(0, ns).Sub(begin), nil
}
