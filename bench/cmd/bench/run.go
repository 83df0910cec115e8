package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// scenarios in the order of a round.
var scenarios = []*scenario{
	enqueue, short, pickup, warm, logs, live, fanout100, fanout1000, fanout5000,
	depth, idle, footprint, finished, biglog, exact,
}

// size is how much of each is done.
type size struct {
	forks      int // to see whether the machine is busy with something else
	warmUp     int // jobs before the clock runs
	posts      int
	shorts     int
	pickUps    int
	pickUpTime time.Duration // at most, for those that need half a second for each
	lines      int
	slowLines  int
	liveLines  int
	idle       time.Duration
	depth      int
	finished   int
	bigLines   int
	exactLines int
}

var fullSize = size{
	forks: 300, warmUp: 50, posts: 2000, shorts: 500, pickUps: 41, pickUpTime: 10 * time.Second,
	lines: 1_000_000, slowLines: 60_000, liveLines: 400, idle: 10 * time.Second,
	depth: 100_000, finished: 1000, bigLines: 10_000_000, exactLines: 300,
}

// plan is what the flags of a command say.
type plan struct {
	peers  []string
	builds []string
	rounds int
	out    string
	brief  bool // see runner
}

func (p *plan) flags(c *cobra.Command) {
	c.Flags().IntVar(&p.rounds, "rounds", 3, "undisturbed rounds of each scenario; the median counts")
	c.Flags().StringSliceVar(&p.builds, "build", nil, "another build of Longhaul to measure beside this one: NAME=FOLDER with api and worker")
	c.Flags().StringVar(&p.out, "results", "bench/results", "the folder for the results as JSON")
}

func runCommand() *cobra.Command {
	p := &plan{}
	c := &cobra.Command{
		Use:   "run SCENARIO...",
		Short: "Do some scenarios: " + strings.Join(names(), ", ") + ", or all",
		Example: `  bench run enqueue
  bench run short pickup --peers celery,rq --rounds 5
  git -C ../before rev-parse HEAD && bench run log --build before=../before/bin`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			which, err := pick(args)
			if err != nil {
				return err
			}
			_, err = p.run(cmd.Context(), which, strings.Join(args, "-"))
			return err
		},
	}
	p.flags(c)
	c.Flags().StringSliceVar(&p.peers, "peers", nil, "other systems to measure beside Longhaul, or all")
	return c
}

// patienceForAll is how long a system may take for all that was posted.
const patienceForAll = 2 * time.Minute

func names() (n []string) {
	for _, sc := range scenarios {
		n = append(n, sc.name)
	}
	return n
}

func scenarioList() string {
	var b strings.Builder
	for _, sc := range scenarios {
		fmt.Fprintf(&b, "  %-10s %s\n", sc.name, sc.what)
	}
	return b.String()
}

func pick(args []string) ([]*scenario, error) {
	if len(args) == 1 && args[0] == "all" {
		return scenarios, nil
	}
	var which []*scenario
	for _, a := range args {
		found := false
		for _, sc := range scenarios {
			if sc.name == a || strings.HasPrefix(sc.name, a+"-") { // fanout is all of its sizes
				which, found = append(which, sc), true
			}
		}
		if found {
			continue
		}
		return nil, fmt.Errorf("there is no scenario %q: %s, or all", a, strings.Join(names(), ", "))
	}
	return which, nil
}

// run measures, prints, and writes the result.
func (p *plan) run(ctx context.Context, which []*scenario, kind string) (*result, error) {
	s, err := newSession(ctx, os.Stdout)
	if err != nil {
		return nil, err
	}
	defer s.close()
	r := &runner{session: s, rounds: p.rounds, size: fullSize, result: newResult(), brief: p.brief}
	r.result.Machine.PickUp = s.stamper
	if err := r.enter(ctx, p); err != nil {
		return nil, err
	}
	fmt.Fprintf(s.out, "%s\n\n", r.result.Machine)
	err = r.all(ctx, which)
	if len(r.result.Rounds) == 0 {
		return nil, err
	}
	r.result.Goals = r.result.judge()
	r.result.write(s.out)
	file, saveErr := r.result.save(p.out, kind)
	if saveErr == nil {
		fmt.Fprintln(s.out, "\nwritten to", file)
	}
	return r.result, errors.Join(err, saveErr)
}

// enter fills the field: Longhaul, other builds of it, and those of the others that can run here.
func (r *runner) enter(ctx context.Context, p *plan) error {
	r.field = []contestant{ours("longhaul", "")}
	for _, b := range p.builds {
		name, folder, ok := strings.Cut(b, "=")
		if !ok {
			return fmt.Errorf("--build %s: NAME=FOLDER is wanted", b)
		}
		r.field = append(r.field, ours(name, folder))
		r.result.builds[name] = true
	}
	others, err := peersNamed(ctx, p.peers, r.result)
	r.field = append(r.field, others...)
	return err
}
