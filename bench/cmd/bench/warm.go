package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/longhaul/longhaul/bench/stat"
	"github.com/longhaul/longhaul/pkg/api"
)

// warm: from the POST to the first statement of an engine whose import takes 3 s:
// kept warm, started cold, and a Celery prefork worker that has imported it before the fork.
var warm = &scenario{
	name: "warm", what: "from the POST to the first statement after an import of 3 s, in an idle system",
	peers:   []string{"celery"},
	columns: []column{{"p50", "p50 ms"}, {"p99", "p99 ms"}, {"n", "of"}},
	run:     runWarm,
}

const (
	slowModule = "import time\n\ntime.sleep(3)\n\ndef note(file):\n    with open(file, 'a') as out:\n        out.write('%d\\n' % time.time_ns())\n"
	slowEngine = "import sys\nimport slow_module\nslow_module.note(sys.argv[1])\n"
)

func runWarm(ctx context.Context, r *round, c contestant) error {
	dir, err := r.folder("warm")
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"slow_module.py": slowModule, "engine.py": slowEngine} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	o := startOptions{preload: "slow_module", pythonPath: dir} // of Celery
	if c.name != "celery" {
		engine := fmt.Sprintf("{command: [python3, engine.py], cwd: %q, allow_args: any", dir)
		o = startOptions{catalog: "engines:\n  cold: " + engine + "}\n  warm: " + engine + ", warm: {processes: 2, import: [slow_module]}}\n"}
	}
	return r.with(ctx, c, o, func(st *stack) error {
		if err := pause(ctx, 5*time.Second); err != nil { // until all that imports before has done so
			return err
		}
		if c.name == "celery" {
			return r.startsOneByOne(ctx, st, c.name, 20, func(file string) any {
				return map[string]any{"cmd": "@call", "args": []string{"slow_module", "note", file}}
			})
		}
		starts := func(engine string) func(string) any {
			return func(file string) any { return api.StartRequest{Engine: engine, Args: []string{file}} }
		}
		if err := r.startsOneByOne(ctx, st, c.name, 20, starts("warm")); err != nil {
			return err
		}
		return r.startsOneByOne(ctx, st, c.name+"-cold", 3, starts("cold"))
	})
}

// startsOneByOne starts n, one after the other.
func (r *round) startsOneByOne(ctx context.Context, st *stack, name string, n int, body func(file string) any) error {
	dir, err := r.folder("stamps")
	if err != nil {
		return err
	}
	st.body = func(p program) any { return body(p.args[1]) } // of probe stamp FILE
	var each []time.Duration
	for i := range n {
		d, err := pickUpOnce(ctx, st, probe("stamp", filepath.Join(dir, strconv.Itoa(i))))
		if err != nil {
			return err
		}
		each = append(each, d)
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	r.setMS(name, "p50", stat.Quantile(each, 0.5))
	r.setMS(name, "p99", stat.Quantile(each, 0.99))
	r.set(name, "n", float64(n))
	return nil
}
