package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/longhaul/longhaul/bench/proc"
	"github.com/longhaul/longhaul/bench/stat"
)

// scenario is one kind of work, done by each system in turn.
type scenario struct {
	name    string
	what    string
	peers   []string // which others can do it, beside Longhaul
	once    []string // of these one round may be enough, for the table: no goal compares with them
	columns []column
	limits  func(ctx context.Context, r *round) error // measured at the beginning of each round; may be nil
	run     func(ctx context.Context, r *round, c contestant) error
}

// column is one figure in the table of a scenario.
type column struct {
	metric string
	title  string
}

// values are the figures of one round, by "<system>/<metric>".
type values map[string]float64

// byLimit has the machine's limits in the place of Longhaul's figures: what a system would reach that takes no time of its own.
func (v values) byLimit() (w values, measured bool) {
	w = values{}
	for key, x := range v {
		system, metric, _ := strings.Cut(key, "/")
		switch system {
		case "longhaul":
		case "limit":
			w["longhaul/"+metric], measured = x, true
		default:
			w[key] = x
		}
	}
	return w, measured
}

// round is one turn of a scenario: the limits of the machine, then each system, in an order that is another one each time.
type round struct {
	Scenario   string            `json:"scenario"`
	Number     int               `json:"number"` // from 1, over all rounds of the scenario, discarded ones too
	Order      []string          `json:"order"`
	LoadBefore float64           `json:"load_before"`
	LoadAfter  float64           `json:"load_after"`
	Fork       float64           `json:"fork_per_second"` // the lesser of before and after
	Disturbed  bool              `json:"disturbed,omitempty"`
	Seconds    float64           `json:"seconds"`
	Values     values            `json:"values"`
	Failures   map[string]string `json:"failures,omitempty"`

	*session `json:"-"`
	size     size
	workers  int           // see startOptions
	delay    time.Duration // see startOptions
}

func (r *round) set(system, metric string, v float64) { r.Values[system+"/"+metric] = v }

func (r *round) setMS(system, metric string, d time.Duration) { r.set(system, metric, ms(d)) }

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// runner does rounds of several scenarios, and keeps what it found.
type runner struct {
	*session
	rounds int
	size   size
	result *result
	field  []contestant // Longhaul first
	brief  bool         // some are measured once only, as their scenario says
}

// disturbedBelow is the share of the session's best fork+exec rate below which a
// round is discarded: something else had the machine.
const disturbedBelow = 0.6

// all does every scenario in every round, so that what happens to the machine
// meanwhile happens to all of them.
func (r *runner) all(ctx context.Context, scenarios []*scenario) error {
	for n := range r.rounds {
		for _, sc := range scenarios {
			if err := r.once(ctx, sc, n); err != nil {
				return fmt.Errorf("%s: %w", sc.name, err)
			}
		}
	}
	// Rounds that were disturbed are repeated, but not for ever.
	for range r.rounds {
		for _, sc := range scenarios {
			if r.result.clean(sc.name) < r.rounds {
				if err := r.once(ctx, sc, r.result.tried(sc.name)); err != nil {
					return fmt.Errorf("%s: %w", sc.name, err)
				}
			}
		}
	}
	return nil
}

// once is one round of one scenario.
func (r *runner) once(ctx context.Context, sc *scenario, n int) error {
	rd := &round{
		Scenario: sc.name, Number: r.result.tried(sc.name) + 1, LoadBefore: proc.Load(),
		Values: values{}, Failures: map[string]string{}, session: r.session, size: r.size,
	}
	begin := time.Now()
	before, err := forkRate(ctx, r.size.forks)
	if err != nil {
		return err
	}
	if sc.limits != nil {
		if err := sc.limits(ctx, rd); err != nil {
			return fmt.Errorf("limits: %w", err)
		}
	}
	for _, c := range order(r.entrants(sc), n) {
		rd.Order = append(rd.Order, c.name)
		if err := sc.run(ctx, rd, c); err != nil {
			if ctx.Err() != nil || c.name == "longhaul" {
				return err
			}
			rd.Failures[c.name] = err.Error()
		}
		runtime.GC() // what this program has left must not be swept while the next one is measured
	}
	after, err := forkRate(ctx, r.size.forks)
	if err != nil {
		return err
	}
	rd.Fork, rd.LoadAfter, rd.Seconds = min(before, after), proc.Load(), time.Since(begin).Seconds()
	r.result.add(rd)
	r.tell(rd)
	return nil
}

// entrants are the systems that can do it, and have not done it often enough.
func (r *runner) entrants(sc *scenario) []contestant {
	var in []contestant
	for i, c := range r.field {
		enough := r.brief && slices.Contains(sc.once, c.name) && r.result.has(sc.name, c.name)
		if i == 0 || r.result.builds[c.name] || slices.Contains(sc.peers, c.name) && !enough {
			in = append(in, c)
		}
	}
	return in
}

// order begins with another one each round.
func order(c []contestant, n int) []contestant {
	n %= max(1, len(c))
	return append(append([]contestant{}, c[n:]...), c[:n]...)
}

// tell says one line as soon as a round is over.
func (r *runner) tell(rd *round) {
	note := ""
	if rd.Disturbed {
		note = fmt.Sprintf("  DISTURBED: fork+exec at %.0f %% of the best", 100*rd.Fork/r.result.bestFork())
	}
	for name, why := range rd.Failures {
		note += fmt.Sprintf("  %s FAILED: %s", name, why)
	}
	fmt.Fprintf(r.out, "%-10s round %d  %5.1f s  load %.1f to %.1f  fork+exec %4.0f/s%s\n", rd.Scenario, rd.Number, rd.Seconds, rd.LoadBefore, rd.LoadAfter, rd.Fork, note)
}

// with starts a system, gives it to do, and ends it.
func (r *round) with(ctx context.Context, c contestant, o startOptions, do func(*stack) error) (err error) {
	o.workers, o.delay = r.workers, r.delay
	st, err := c.start(ctx, r.session, o)
	if err != nil {
		return err
	}
	defer st.close()
	if err := do(st); err != nil {
		if st.ours != nil {
			err = errors.Join(err, errors.New(st.ours.logs()))
		}
		return err
	}
	return nil
}

// summary of one figure over the rounds that count.
func (res *result) summary(scenario, key string) (stat.Summary, bool) {
	return res.over(scenario, func(v values) (float64, bool) { f, ok := v[key]; return f, ok })
}
