package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/longhaul/longhaul/pkg/api"
)

// smokeSize is small: what is looked at does not depend on how much is done, or how fast.
var smokeSize = size{
	forks: 20, warmUp: 10, posts: 100, shorts: 50, lines: 50_000, idle: 5 * time.Second, bigLines: 400_000, exactLines: 150,
}

func smokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "smoke",
		Short: "Check in 20 seconds what must hold on every machine: nothing lost, memory bounded, Redis left alone",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return smoke(cmd.Context()) },
	}
}

// smoke has no limit of time in it, but for hanging: a slow machine passes.
func smoke(ctx context.Context) error {
	s, err := newSession(ctx, os.Stdout)
	if err != nil {
		return err
	}
	defer s.close()
	r := &runner{session: s, size: smokeSize, result: newResult(), field: []contestant{ours("longhaul", "")}}
	crowd, place := fanout(50, 100, 100), &scenario{name: "place", run: runPlace}
	for _, sc := range []*scenario{logs, crowd, exact, biglog, idle, place} {
		if err := r.once(ctx, sc, 0); err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
	}
	var broken error
	for _, x := range invariants(crowd.name) {
		found, ok := r.result.newest(x.scenario, "longhaul/"+x.metric)
		verdict := "ok"
		if !ok || found > x.most || found < x.least {
			verdict = "BROKEN"
			broken = errors.Join(broken, fmt.Errorf("%s: %s is %s", x.scenario, x.what, number(found)))
		}
		fmt.Fprintf(s.out, "%-6s %-10s %-70s %s\n", verdict, x.scenario, x.what, number(found))
	}
	return broken
}

// invariant is what must hold whatever the machine does.
type invariant struct {
	scenario, metric, what string
	least, most            float64
}

func invariants(crowd string) []invariant {
	return []invariant{
		{"log", "stored", "Redis bytes per log byte, at most 0.25; the log was byte-exact", 0.0001, 0.25},
		{crowd, "delivered", "lines delivered to 50 subscribers, of 5,000", 5000, 5000},
		{crowd, "wrong", "lines lost, doubled or reordered", 0, 0},
		{"exact", "wrong", "lines lost, doubled or reordered with cut streams and a killed worker", 0, 0},
		{"exact", "lost", "executions lost, or run twice, when a worker is killed", 0, 0},
		{"biglog", "api", "MB that the API grew by during 40 MB of log, at most 64", -1e9, 64},
		{"idle", "commands", "Redis commands a second without work, at most 15", 0, 15},
		{"place", "ranked", "ZRANKs or ZCOUNTs for 50 looks at places in line, at least 50", 50, 1e9},
		{"place", "searched", "LPOS, LRANGE or LREM for them", 0, 0},
	}
}

// newest is a figure of the last round, disturbed or not.
func (res *result) newest(scenario, key string) (float64, bool) {
	for i := len(res.Rounds) - 1; i >= 0; i-- {
		if rd := res.Rounds[i]; rd.Scenario == scenario {
			f, ok := rd.Values[key]
			return f, ok
		}
	}
	return 0, false
}

// runPlace looks at places in line, and at what Redis was made to do for it.
func runPlace(ctx context.Context, r *round, c contestant) error {
	return r.with(ctx, c, startOptions{}, func(st *stack) error {
		var ids []string
		st.body = func(p program) any { return api.StartRequest{Command: p.name, DelaySeconds: 3600} }
		for range 50 {
			id, err := st.post(program{name: "true"})
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		before, err := st.redis.calls(ctx)
		if err != nil {
			return err
		}
		if err := differentPlaces(st, ids); err != nil {
			return err
		}
		after, err := st.redis.calls(ctx)
		if err != nil {
			return err
		}
		sum := func(names ...string) (n float64) {
			for _, name := range names {
				n += float64(after[name] - before[name])
			}
			return n
		}
		r.set(c.name, "ranked", sum("zrank", "zcount"))
		r.set(c.name, "searched", sum("lpos", "lrange", "lrem"))
		return nil
	})
}

// differentPlaces asks for the place of each: they are 0 to n-1, though those of one millisecond may be in any order.
func differentPlaces(st *stack, ids []string) error {
	taken := make([]bool, len(ids))
	for _, id := range ids {
		answer, err := st.ours.get("/execute/status/" + id)
		if err != nil {
			return err
		}
		var x api.Execution
		if err := json.Unmarshal(answer, &x); err != nil {
			return err
		}
		if x.QueuePosition == nil || *x.QueuePosition < 0 || *x.QueuePosition >= len(ids) || taken[*x.QueuePosition] {
			return fmt.Errorf("the place of one of %d in line is no place, or another one's: %.300s", len(ids), answer)
		}
		taken[*x.QueuePosition] = true
	}
	return nil
}
