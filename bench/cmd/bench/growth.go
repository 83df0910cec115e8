package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/bench/proc"
	"github.com/longhaul/longhaul/bench/stat"
	"github.com/longhaul/longhaul/pkg/execution"
)

// series is how some figures follow another one.
type series struct {
	Name    string   `json:"name"`
	X       string   `json:"x"`
	Metrics []string `json:"metrics"` // what each figure is
	Points  []point  `json:"points"`
}

type point struct {
	X    float64        `json:"x"`
	Y    []stat.Summary `json:"y"` // as Metrics
	Load float64        `json:"load"`
}

// growing is one thing that grows.
type growing struct {
	name    string
	x       string
	xs      []float64
	full    []float64 // only with --full
	figures []column
	measure func(ctx context.Context, r *round, x float64) error // sets figures of "longhaul"
}

var growths = []growing{
	{
		"pending", "executions in line",
		[]float64{1e3, 1e4, 1e5, 1e6},
		nil,
		[]column{{"position", "place in line p50 µs"}, {"status", "status p50 µs"}, {"list", "list of 50 p50 µs"}},
		growPending,
	},
	{
		"subscribers", "subscribers of one execution at 100 lines/s",
		[]float64{1, 10, 100, 1000, 10_000},
		nil,
		[]column{{"cpu", "CPU µs per delivery"}, {"p99", "p99 ms"}, {"kb", "API KB per subscriber"}, {"wrong", "lines lost, doubled, reordered"}},
		func(ctx context.Context, r *round, x float64) error {
			return fanout(int(x), 100, 100).run(ctx, r, ours("longhaul", ""))
		},
	},
	{
		"log", "MB of one log",
		[]float64{1, 10, 100, 1000},
		[]float64{10_000},
		[]column{{"rate", "lines/s"}, {"api", "API RSS above idle, MB"}, {"worker", "worker RSS above idle, MB"}, {"redis", "Redis above idle, MB"}},
		func(ctx context.Context, r *round, x float64) error {
			r.size.bigLines = int(x) * 10_000
			return runBigLog(ctx, r, ours("longhaul", ""))
		},
	},
	{
		"kept", "executions kept after their end",
		[]float64{1e3, 1e4, 1e5},
		[]float64{1e6},
		[]column{{"bytes", "Redis bytes each"}, {"status", "status p50 µs"}, {"list", "list of 50 p50 µs"}},
		growKept,
	},
	{
		"workers", "workers of 5 slots on this machine",
		[]float64{1, 2, 4, 8},
		nil,
		[]column{{"rate", "/bin/true, jobs/s"}, {"cpu", "CPU s per 500"}},
		func(ctx context.Context, r *round, x float64) error {
			r.workers = int(x)
			r.set("limit", "seconds", 1) // not looked at
			return runShort(ctx, r, ours("longhaul", ""))
		},
	},
	{
		"redis", "round trip to Redis, ms",
		[]float64{0, 0.5, 1, 2, 5},
		nil,
		[]column{{"single", "POST p50 ms"}, {"p50", "pick-up p50 ms"}},
		func(ctx context.Context, r *round, x float64) error {
			r.delay = time.Duration(x * 1e6 / 2)
			r.set("limit", "rate", 1) // not looked at
			if err := runEnqueue(ctx, r, ours("longhaul", "")); err != nil {
				return err
			}
			return runPickup(ctx, r, ours("longhaul", ""))
		},
	},
}

func growthCommand() *cobra.Command {
	p, full := &plan{}, false
	c := &cobra.Command{
		Use:   "growth [NAME...]",
		Short: "Measure how cost grows: " + strings.Join(growthNames(), ", "),
		RunE: func(cmd *cobra.Command, args []string) error {
			return growth(cmd.Context(), p, full, args)
		},
	}
	c.Flags().IntVar(&p.rounds, "rounds", 1, "how often each; the median counts")
	c.Flags().StringVar(&p.out, "results", "bench/results", "the folder for the results as JSON")
	c.Flags().BoolVar(&full, "full", false, "a log of 10 GB and a million kept executions too")
	return c
}

func growthNames() (n []string) {
	for _, g := range growths {
		n = append(n, g.name)
	}
	return n
}

func growth(ctx context.Context, p *plan, full bool, which []string) error {
	s, err := newSession(ctx, os.Stdout)
	if err != nil {
		return err
	}
	defer s.close()
	res, failed := newResult(), error(nil)
	fmt.Fprintf(s.out, "%s\n", res.Machine)
	for _, g := range growths {
		if len(which) > 0 && !strings.Contains(" "+strings.Join(which, " ")+" ", " "+g.name+" ") {
			continue
		}
		x, err := g.grow(ctx, s, p.rounds, full)
		res.Series = append(res.Series, x)
		fmt.Fprintf(s.out, "\n%s\n\n", g.name)
		x.table().write(s.out)
		if err != nil {
			failed = fmt.Errorf("%s: %w", g.name, err)
			break
		}
	}
	file, err := res.save(p.out, "growth")
	fmt.Fprintln(s.out, "\nwritten to", file)
	return errors.Join(failed, err)
}

// grow measures all points in each round, so that what happens to the machine happens to all of them.
func (g growing) grow(ctx context.Context, s *session, rounds int, full bool) (*series, error) {
	xs := g.xs
	if full {
		xs = append(xs[:len(xs):len(xs)], g.full...)
	}
	out := &series{Name: g.name, X: g.x}
	for _, f := range g.figures {
		out.Metrics = append(out.Metrics, f.title)
	}
	found := make([][]values, len(xs))
	defer func() { out.Points = g.points(xs, found) }() // what there is, when one fails
	for range rounds {
		for i, x := range xs {
			rd := &round{session: s, size: fullSize, Values: values{}}
			if err := g.measure(ctx, rd, x); err != nil {
				return out, fmt.Errorf("at %s: %w", number(x), err)
			}
			rd.set("machine", "load", proc.Load())
			found[i] = append(found[i], rd.Values)
		}
	}
	return out, nil
}

func (g growing) points(xs []float64, found [][]values) (ps []point) {
	for i, x := range xs {
		if len(found[i]) == 0 {
			continue
		}
		p := point{X: x, Load: found[i][len(found[i])-1]["machine/load"]}
		for _, f := range g.figures {
			var y []float64
			for _, v := range found[i] {
				y = append(y, v["longhaul/"+f.metric])
			}
			p.Y = append(p.Y, stat.Summarize(y))
		}
		ps = append(ps, p)
	}
	return ps
}

func (x *series) table() table {
	t := table{append([]string{x.X}, x.Metrics...)}
	for _, p := range x.Points {
		row := []string{number(p.X)}
		for _, y := range p.Y {
			row = append(row, show(y))
		}
		t = append(t, row)
	}
	return t
}

func growPending(ctx context.Context, r *round, x float64) error {
	return r.with(ctx, ours("longhaul", ""), startOptions{}, func(st *stack) error {
		l := newLine(st, "low")
		if err := l.fill(ctx, int(x)); err != nil {
			return err
		}
		return r.ask(ctx, turns{"position": l.position}, turns{"status": l.status}, turns{"list": l.page})
	})
}

// growKept ends executions without engines, which would take hours.
func growKept(ctx context.Context, r *round, x float64) error {
	o := startOptions{env: []string{"QUEUES=default", "FOLD_AFTER=1s"}} // critical is this program's own, see finish
	return r.with(ctx, ours("longhaul", ""), o, func(st *stack) error {
		m, err := newMeter(st, packed)
		if err != nil {
			return err
		}
		if err := errors.Join(m.finish(ctx, 1000, usual, 0), m.calm(ctx)); err != nil { // what there is one of
			return err
		}
		each, err := m.grown(ctx, int(x), func() error { return errors.Join(m.finish(ctx, int(x), usual, 0), m.calm(ctx)) })
		if err != nil {
			return err
		}
		r.set("longhaul", "bytes", float64(each))
		l := newLine(st, "low")
		page, err := l.store.List(ctx, execution.ListQuery{Limit: 50})
		if err != nil {
			return err
		}
		l.some = page.Records
		return r.ask(ctx, turns{"status": l.status}, turns{"list": l.page})
	})
}
