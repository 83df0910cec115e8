package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/longhaul/longhaul/bench/proc"
	"github.com/longhaul/longhaul/bench/stat"
)

// result is one run of the suite, as it is written to bench/results.
type result struct {
	Machine machine           `json:"machine"`
	Started time.Time         `json:"started"`
	Commit  string            `json:"commit,omitempty"`
	Stacks  map[string]string `json:"stacks,omitempty"`  // versions of other systems
	Skipped map[string]string `json:"skipped,omitempty"` // systems that cannot run here, and why
	Rounds  []*round          `json:"rounds,omitempty"`
	Series  []*series         `json:"series,omitempty"` // of growth, and of a soak
	Goals   []judged          `json:"goals,omitempty"`

	builds map[string]bool // other builds of Longhaul, which do all that it does
}

type machine struct {
	Cores  int    `json:"cores"`
	CPU    string `json:"cpu"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Redis  string `json:"redis"`
	PickUp string `json:"pick_up,omitempty"` // the program that pickup starts
}

func newResult() *result {
	cpu, kernel := proc.Machine()
	res := &result{
		Machine: machine{Cores: runtime.NumCPU(), CPU: cpu, Kernel: kernel, Go: runtime.Version(), Redis: redisVersion()},
		Started: time.Now().UTC().Truncate(time.Second), Stacks: map[string]string{}, Skipped: map[string]string{}, builds: map[string]bool{},
	}
	if out, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		res.Commit = strings.TrimSpace(string(out))
	}
	return res
}

func redisVersion() string {
	out, err := exec.Command("redis-server", "--version").Output()
	if err != nil {
		return "none"
	}
	for _, f := range strings.Fields(string(out)) {
		if v, ok := strings.CutPrefix(f, "v="); ok {
			return v
		}
	}
	return "unknown"
}

func (m machine) String() string {
	text := fmt.Sprintf("%d cores (%s), %s, %s, Redis %s", m.Cores, m.CPU, m.Kernel, m.Go, m.Redis)
	if m.PickUp != "" {
		text += "; pickup starts " + m.PickUp
	}
	return text
}

// add takes a round in, and looks again which of all of them were disturbed: the best may be a new one.
func (res *result) add(rd *round) {
	res.Rounds = append(res.Rounds, rd)
	best := res.bestFork()
	for _, x := range res.Rounds {
		x.Disturbed = x.Fork < disturbedBelow*best
	}
}

func (res *result) bestFork() float64 {
	best := 0.0
	for _, x := range res.Rounds {
		best = max(best, x.Fork)
	}
	return best
}

func (res *result) tried(scenario string) (n int) {
	for _, x := range res.Rounds {
		if x.Scenario == scenario {
			n++
		}
	}
	return n
}

func (res *result) clean(scenario string) (n int) {
	for _, x := range res.Rounds {
		if x.Scenario == scenario && !x.Disturbed {
			n++
		}
	}
	return n
}

// has says whether a system did a scenario in an undisturbed round.
func (res *result) has(scenario, system string) bool {
	return slices.ContainsFunc(res.Rounds, func(x *round) bool {
		return x.Scenario == scenario && !x.Disturbed && slices.Contains(x.Order, system)
	})
}

// over sums up what of gives in the undisturbed rounds of a scenario; where there
// is none, in all of them, and whoever shows that must say so. Ratios are taken
// within a round, not between medians.
func (res *result) over(scenario string, of func(values) (float64, bool)) (stat.Summary, bool) {
	var x []float64
	all := res.clean(scenario) == 0
	for _, rd := range res.Rounds {
		if rd.Scenario != scenario || rd.Disturbed && !all {
			continue
		}
		if f, ok := of(rd.Values); ok {
			x = append(x, f)
		}
	}
	return stat.Summarize(x), len(x) > 0
}

// save writes it, under a name that says when it began.
func (res *result) save(dir, kind string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	data, err := json.MarshalIndent(res, "", " ")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, res.Started.Format("20060102-150405")+"-"+kind+".json")
	return file, os.WriteFile(file, append(data, '\n'), 0o644)
}

func loadResult(file string) (*result, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var res result
	if err := json.Unmarshal(data, &res); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &res, nil
}
