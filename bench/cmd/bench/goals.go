package main

import (
	"fmt"
	"math"

	"github.com/longhaul/longhaul/bench/stat"
)

// goal is one promise about performance. Its figure is taken within each round,
// and the median of the rounds is judged.
type goal struct {
	key      string // does not change, for comparisons over time
	what     string
	scenario string
	figure   func(values) (float64, bool)
	unit     string
	least    bool    // the bounds are the least that is allowed, else the most
	pass     float64 // infinite where there is only a stretch goal
	stretch  float64 // none where it is the same as pass
}

// These are all goals. A goal on what another system does is a ratio; what counts bytes or commands needs no comparison.
var goals = []goal{
	atLeast("enqueue/celery", "enqueue rate, of FastAPI + Celery's", enqueue, times("longhaul/rate", "celery/rate"), "x", 4, 6),
	atLeast("enqueue/rq", "enqueue rate, of FastAPI + RQ's", enqueue, times("longhaul/rate", "rq/rate"), "x", 3, 4.5),
	atLeast("enqueue/bullmq", "enqueue rate, of Express + BullMQ's", enqueue, times("longhaul/rate", "bullmq/rate"), "x", 2.5, 4),
	atLeast("enqueue/fastapi", "enqueue rate, of FastAPI's that keeps all in memory", enqueue, times("longhaul/rate", "fastapi/rate"), "x", 1.2, 2),
	atLeast("enqueue/hello", "enqueue rate, share of Echo's hello", enqueue, just("longhaul/share"), "", 0.30, 0.45),

	atLeast("short/celery", "500 short jobs, Celery's time over ours", short, times("celery/seconds", "longhaul/seconds"), "x", 2, 2.5),
	atLeast("short/fastapi", "500 short jobs, FastAPI's time over ours", short, times("fastapi/seconds", "longhaul/seconds"), "x", 6, 8),
	atLeast("short/rq", "500 short jobs, RQ's time over ours", short, times("rq/seconds", "longhaul/seconds"), "x", 6, 8),
	atLeast("short/bullmq", "500 short jobs, BullMQ's time over ours", short, times("bullmq/seconds", "longhaul/seconds"), "x", 3, 4),
	atMost("short/limit", "500 short jobs, our time over fork+exec's", short, just("longhaul/limit"), "x", 2, 1.5),

	atLeast("pickup/asynq", "pick-up p50, plain Asynq's over ours", pickup, times("asynq/p50", "longhaul/p50"), "x", 100, 100),
	atLeast("pickup/celery", "pick-up p50, Celery's over ours", pickup, times("celery/p50", "longhaul/p50"), "x", 2, 2),
	atLeast("pickup/fastapi", "pick-up p50, FastAPI's over ours", pickup, times("fastapi/p50", "longhaul/p50"), "x", 3, 3),
	atMost("pickup/p50", "pick-up p50", pickup, just("longhaul/p50"), "ms", 2.5, 1.5),
	atMost("pickup/p99", "pick-up p99", pickup, just("longhaul/p99"), "ms", 5, 5),

	atMost("idle/commands", "Redis commands per second, idle", idle, just("longhaul/commands"), "/s", 15, 10),
	atMost("idle/worker", "worker's CPU, idle", idle, just("longhaul/worker"), "% of a core", 0.5, 0.5),

	atLeast("log/fastapi", "lines per second, of FastAPI's", logs, times("longhaul/rate", "fastapi/rate"), "x", 80, 150),
	atMost("log/limit", "1 M lines, our time over cat's", logs, just("longhaul/limit"), "x", 3, 2),
	atMost("log/stored", "Redis bytes per log byte, this log, at its end", logs, just("longhaul/stored"), "", 0.25, 0.17),

	atMost("live/fastapi", "live line p50, over FastAPI's in one process", live, times("longhaul/p50", "fastapi/p50"), "x", 1.3, 1.3),
	atBest("live/p50", "live line p50", live, just("longhaul/p50"), "ms", 0.6),
	atMost("live/p99", "live line p99", live, just("longhaul/p99"), "ms", 5, 5),

	atLeast("fanout/delivered", "1,000 subscribers: delivered of expected", fanout1000, times("longhaul/delivered", "longhaul/expected"), "", 1, 1),
	atMost("fanout/pace", "1,000 subscribers: time over that of the engine", fanout1000, just("longhaul/pace"), "x", 1.1, 1.1),
	atMost("fanout/mercure", "1,000 subscribers: CPU per delivery, over Mercure's", fanout1000, times("longhaul/cpu", "mercure/cpu"), "x", 0.4, 0.2),
	atLeast("fanout/rate", "5,000 subscribers: deliveries/s, of Mercure's", fanout5000, times("longhaul/rate", "mercure/rate"), "x", 6, 10),
	atMost("fanout/p99", "5,000 subscribers: p99", fanout5000, just("longhaul/p99"), "ms", 500, 300),
	atMost("fanout/kb", "API memory per subscriber, of 5,000", fanout5000, just("longhaul/kb"), "KB", 25, 14),
	atMost("fanout/wrong", "5,000 subscribers: lines lost, doubled or reordered", fanout5000, just("longhaul/wrong"), "", 0, 0),

	atLeast("depth/lpos", "place in line among 100,000: LPOS' time over ours", depth, times("longhaul/lpos", "longhaul/position"), "x", 50, 50),
	atMost("depth/growth", "place in line: time at 100,000 over that at 1,000", depth, times("longhaul/position", "longhaul/position-short"), "x", 1.3, 1.3),
	atMost("depth/status", "status in Redis at 100,000, p50", depth, just("longhaul/status"), "µs", 100, 50),
	atMost("depth/list", "list of 50 in Redis at 100,000, p50", depth, just("longhaul/list"), "µs", 300, 200),

	atMost("finished/bytes", "Redis bytes per finished execution", finished, just("longhaul/bytes"), "", 700, 550),
	atMost("finished/typical", "Redis bytes per byte of a typical log, packed", finished, just("longhaul/typical"), "", 0.25, 0.17),

	atLeast("footprint/celery", "idle memory, the Celery stack's over ours", footprint, times("celery/rss", "longhaul/rss"), "x", 8, 8),
	atMost("footprint/rss", "idle memory, API + worker", footprint, just("longhaul/rss"), "MB", 30, 25),
	atLeast("footprint/start-fastapi", "start to first 200, FastAPI's over ours", footprint, times("fastapi/start", "longhaul/start"), "x", 10, 10),
	atMost("footprint/start", "start to first 200", footprint, just("longhaul/start"), "ms", 50, 50),

	atMost("biglog/api", "API memory above idle during a log of 1 GB", biglog, just("longhaul/api"), "MB", 64, 32),

	atMost("exact/lines", "lines lost, doubled or reordered at any subscriber, with cut streams and a killed worker", exact, just("longhaul/wrong"), "", 0, 0),
	atMost("exact/executions", "executions lost, or run twice, when a worker is killed", exact, just("longhaul/lost"), "", 0, 0),
}

func atLeast(key, what string, sc *scenario, of func(values) (float64, bool), unit string, pass, stretch float64) goal {
	return goal{key, what, sc.name, of, unit, true, pass, stretch}
}

func atMost(key, what string, sc *scenario, of func(values) (float64, bool), unit string, pass, stretch float64) goal {
	return goal{key, what, sc.name, of, unit, false, pass, stretch}
}

// atBest is a stretch goal alone.
func atBest(key, what string, sc *scenario, of func(values) (float64, bool), unit string, stretch float64) goal {
	return atMost(key, what, sc, of, unit, math.Inf(1), stretch)
}

// just is one figure of a round.
func just(key string) func(values) (float64, bool) {
	return func(v values) (float64, bool) { f, ok := v[key]; return f, ok }
}

// times is how many times b goes into a.
func times(a, b string) func(values) (float64, bool) {
	return func(v values) (float64, bool) {
		x, ok := v[a]
		y, too := v[b]
		return x / y, ok && too && y != 0
	}
}

// enoughRounds is how many make a verdict; of fewer it carries a question mark.
const enoughRounds = 3

// judged is what became of a goal in one run.
type judged struct {
	Key     string `json:"key"`
	What    string `json:"what"`
	Unit    string `json:"unit,omitempty"`
	Bound   string `json:"bound"`
	Stretch string `json:"stretch,omitempty"`
	stat.Summary
	Limit   *float64 `json:"limit,omitempty"`   // what the machine's own limit, of the same rounds, would have reached; none: not measured
	Verdict string   `json:"verdict"`           // PASS or FAIL; with a question mark when there were too few rounds
	Reached bool     `json:"reached,omitempty"` // the stretch goal too
}

// judge gives the goals that were measured.
func (res *result) judge() (done []judged) {
	for _, g := range goals {
		s, ok := res.over(g.scenario, g.figure)
		if !ok {
			continue
		}
		if res.clean(g.scenario) == 0 {
			s.N = 0 // disturbed ones make no verdict
		}
		j := g.judge(s)
		if limit, ok := res.over(g.scenario, g.ofLimit); ok {
			j.Limit = &limit.Median
			if !g.meets(s.Median, g.pass) && !g.meets(limit.Median, g.pass) {
				j.Verdict += ", and so would the limit"
			}
		}
		done = append(done, j)
	}
	return done
}

func (g goal) judge(s stat.Summary) judged {
	j := judged{Key: g.key, What: g.what, Unit: g.unit, Bound: g.bound(g.pass), Summary: s, Verdict: "FAIL"}
	switch {
	case math.IsInf(g.pass, 1):
		j.Verdict = "no pass line"
	case g.meets(s.Median, g.pass):
		j.Verdict = "PASS"
	}
	if g.stretch != g.pass {
		j.Stretch, j.Reached = g.bound(g.stretch), g.meets(s.Median, g.stretch)
	}
	if s.N < enoughRounds {
		j.Verdict += "?"
	}
	return j
}

// ofLimit is the figure that the machine's own limit would have had.
func (g goal) ofLimit(v values) (float64, bool) {
	w, measured := v.byLimit()
	if !measured {
		return 0, false
	}
	return g.figure(w)
}

func (g goal) meets(x, bound float64) bool {
	if g.least {
		return x >= bound
	}
	return x <= bound
}

func (g goal) bound(b float64) string {
	if math.IsInf(b, 1) {
		return ""
	}
	sign := "≤"
	if g.least {
		sign = "≥"
	}
	return fmt.Sprintf("%s %g", sign, b)
}
