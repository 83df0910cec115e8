package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/bench/lines"
	"github.com/longhaul/longhaul/bench/proc"
	"github.com/longhaul/longhaul/bench/stat"
	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

func soakCommand() *cobra.Command {
	k := &soak{}
	hours, out := 0.0, ""
	c := &cobra.Command{
		Use:   "soak",
		Short: "Run for hours: five engines at 20 lines/s, 50 subscribers that come back each minute, a worker replaced every ten minutes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return k.run(cmd.Context(), time.Duration(hours*float64(time.Hour)), out)
		},
	}
	c.Flags().Float64Var(&hours, "hours", 2, "for how long")
	c.Flags().DurationVar(&k.replace, "replace", 10*time.Minute, "how often one of the two workers is told to stop and another one started")
	c.Flags().DurationVar(&k.cut, "cut", time.Minute, "how often each subscriber is cut and comes back with Last-Event-ID")
	c.Flags().DurationVar(&k.look, "look", time.Minute, "how often memory and goroutines are looked at")
	c.Flags().StringVar(&out, "results", "bench/results", "the folder for the result as JSON")
	return c
}

const (
	soakEngines     = 5
	soakSubscribers = 10 // of each
	soakLine        = 50 * time.Millisecond
)

// soak keeps five executions going: one that a replaced worker ends is followed by another one.
type soak struct {
	replace, cut, look time.Duration

	e     *exactness
	until time.Time

	ran, interrupted, wrong, seen atomic.Int64
	late                          atomic.Int64 // timeouts that came more than a second after the deadline, or did not come
	timeouts                      atomic.Int64
}

func (k *soak) run(ctx context.Context, most time.Duration, out string) error {
	s, err := newSession(ctx, os.Stdout)
	if err != nil {
		return err
	}
	defer s.close()
	res := newResult()
	fmt.Fprintf(s.out, "%s\n\n", res.Machine)
	st, err := ours("longhaul", "").start(ctx, s, startOptions{workers: 2})
	if err != nil {
		return err
	}
	defer st.close()
	k.e, k.until = &exactness{round: &round{session: s, Values: values{}}, st: st}, time.Now().Add(most)
	ctx, stop := context.WithDeadline(ctx, k.until.Add(5*time.Minute))
	defer stop()
	var all sync.WaitGroup
	failed := make(chan error, soakEngines+2)
	begin := func(do func(context.Context) error) {
		all.Go(func() {
			if err := do(ctx); err != nil {
				failed <- err
				stop()
			}
		})
	}
	for range soakEngines {
		begin(k.engine)
	}
	begin(k.timeout)
	begin(k.replaceWorkers)
	x := k.watch(ctx)
	all.Wait()
	close(failed)
	for e := range failed {
		err = errors.Join(err, e)
	}
	res.Series = []*series{x}
	x.table().write(s.out)
	fmt.Fprintf(s.out, "\n%d executions, %d of them ended by a worker told to stop; %d lines seen, %d lost, doubled or reordered; %d timeouts, %d late; %d streams cut\n",
		k.ran.Load(), k.interrupted.Load(), k.seen.Load(), k.wrong.Load(), k.timeouts.Load(), k.late.Load(), k.e.cuts.Load())
	for i, name := range x.Metrics {
		fmt.Fprintf(s.out, "%s: %s per hour\n", name, number(slope(x.Points, i)*60))
	}
	if _, saveErr := res.save(out, "soak"); saveErr != nil {
		err = errors.Join(err, saveErr)
	}
	if err == nil && k.wrong.Load()+k.late.Load() > 0 {
		err = errors.New("lines were lost, doubled or reordered, or timeouts came late")
	}
	return err
}

// engine starts one execution after the other, each for what is left of the time, with its subscribers.
func (k *soak) engine(ctx context.Context) error {
	for time.Until(k.until) > time.Second {
		n := int(time.Until(k.until) / soakLine)
		id, err := k.e.st.post(probe("emit", "-l", strconv.Itoa(n), strconv.FormatInt(soakLine.Microseconds(), 10)))
		if err != nil {
			return err
		}
		k.ran.Add(1)
		tallies := make([]lines.Tally, soakSubscribers)
		err = parallel(soakSubscribers, soakSubscribers, func(i int) error {
			last, ended := "", errCut
			for errors.Is(ended, errCut) && ctx.Err() == nil {
				last, ended = k.e.read(id, last, &tallies[i], time.After(k.cut))
			}
			return errors.Join(ended, ctx.Err())
		})
		if err != nil {
			return err
		}
		if err := k.check(id, n, tallies); err != nil {
			return err
		}
	}
	return nil
}

func (k *soak) check(id string, n int, tallies []lines.Tally) error {
	stored, status, err := k.e.stored(id)
	if err != nil {
		return err
	}
	if status != execution.Completed {
		k.interrupted.Add(1)
	} else if stored != n {
		k.wrong.Add(int64(n - stored))
	}
	for _, t := range tallies {
		k.wrong.Add(int64(t.Wrong(stored)))
		k.seen.Add(int64(t.Seen))
	}
	return nil
}

// timeout starts one that runs into its time limit, again and again.
func (k *soak) timeout(ctx context.Context) error {
	const limit = 20
	st := *k.e.st
	st.body = func(p program) any { return api.StartRequest{Command: p.name, Args: p.args, TimeoutSeconds: limit} }
	for time.Until(k.until) > 2*limit*time.Second {
		id, err := st.post(probe("emit", "-l", "1000000", "1000000"))
		if err != nil {
			return err
		}
		var x api.Execution
		err = until(ctx, 3*limit*time.Second, time.Second, "the timeout of "+id, func() (bool, error) {
			answer, err := st.ours.get("/execute/status/" + id)
			if err != nil {
				return false, err
			}
			x = api.Execution{}
			return json.Unmarshal(answer, &x) == nil && x.Status.Terminal(), nil
		})
		if err != nil {
			return err
		}
		switch {
		case x.Status == execution.Errored: // its worker was told to stop
		case x.Status != execution.Timeout || x.DurationSeconds > limit+1:
			k.late.Add(1)
		default:
			k.timeouts.Add(1)
		}
	}
	return nil
}

// replaceWorkers tells the older one to stop, and starts another one first.
func (k *soak) replaceWorkers(ctx context.Context) error {
	for old := 0; time.Until(k.until) > k.replace; old++ {
		if err := pause(ctx, k.replace); err != nil {
			return err
		}
		if err := k.e.st.ours.addWorker(k.e.session); err != nil {
			return err
		}
		k.e.st.ours.worker[old].drain()
	}
	return nil
}

// watch looks at what may grow.
func (k *soak) watch(ctx context.Context) *series {
	x := &series{Name: "soak", X: "minutes", Metrics: []string{"API RSS MB", "API goroutines", "Redis MB"}}
	begin := time.Now()
	for time.Now().Before(k.until) && pause(ctx, k.look) == nil {
		rss, err := proc.RSS(k.e.st.api[0])
		used, usedErr := k.e.st.redis.used(ctx)
		goroutines, metricErr := k.goroutines()
		if err := errors.Join(err, usedErr, metricErr); err != nil {
			fmt.Fprintln(k.e.out, "not looked at:", err)
			continue
		}
		p := point{X: time.Since(begin).Minutes(), Load: proc.Load()}
		for _, v := range []float64{mb(rss), goroutines, mb(used)} {
			p.Y = append(p.Y, stat.Summarize([]float64{v}))
		}
		x.Points = append(x.Points, p)
	}
	return x
}

func (k *soak) goroutines() (float64, error) {
	text, err := k.e.st.ours.get("/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			return strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
	}
	return 0, errors.New("/metrics has no go_goroutines")
}

// slope is by how much a figure grows with each x, by least squares, without the first third, which is a beginning.
func slope(points []point, metric int) float64 {
	points = points[len(points)/3:]
	var n, sx, sy, sxx, sxy float64
	for _, p := range points {
		y := p.Y[metric].Median
		n, sx, sy, sxx, sxy = n+1, sx+p.X, sy+y, sxx+p.X*p.X, sxy+p.X*y
	}
	if d := n*sxx - sx*sx; d > 1e-9 {
		return (n*sxy - sx*sy) / d
	}
	return math.NaN()
}
