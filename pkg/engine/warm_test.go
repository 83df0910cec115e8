package engine

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

func TestWhatIsWrongWithWarmIsSaidInPlainWords(t *testing.T) {
	for name, c := range map[string]struct{ command, warm, want string }{
		"none ready":       {"[python3, /a.py]", "{import: [m]}", "warm.processes must be between 1 and 100"},
		"too many":         {"[python3, /a.py]", "{processes: 101, import: [m]}", "warm.processes must be between 1 and 100"},
		"negative":         {"[python3, /a.py]", "{processes: 1, import: [m], max_executions: -1}", "warm.max_executions must not be negative"},
		"no import":        {"[python3, /a.py]", "{processes: 1}", "warm.import is missing"},
		"a file":           {"[python3, /a.py]", "{processes: 1, import: [lib/m.py]}", "warm.import holds lib/m.py, which is no name of a Python module"},
		"no number":        {"[python3, /a.py]", "{processes: many, import: [m]}", "must be a whole number"},
		"no size":          {"[python3, /a.py]", "{processes: 1, import: [m], max_memory: much}", "must be a size"},
		"no time":          {"[python3, /a.py]", "{processes: 1, import: [m], import_timeout: long}", "must be a duration"},
		"no such key":      {"[python3, /a.py]", "{processes: 1, imports: [m]}", "imports is not a key that is known here"},
		"another runtime":  {"[node, /a.js]", "{processes: 1, import: [m]}", "warm needs a command that begins with python3"},
		"code":             {"[python3, -c, pass]", "{processes: 1, import: [m]}", "warm cannot be with the option -c of Python"},
		"code, joined":     {"[python3, -Ic, pass]", "{processes: 1, import: [m]}", "warm cannot be with the option -Ic of Python"},
		"a joined module":  {"[python3, -mmod]", "{processes: 1, import: [m]}", "warm needs the module as an argument of its own"},
		"nothing to run":   {"[python3]", "{processes: 1, import: [m]}", "warm needs a command that names a script"},
		"standard input":   {"[python3, '-']", "{processes: 1, import: [m]}", "warm needs a command that names a script"},
		"an open option":   {"[python3, -X]", "{processes: 1, import: [m]}", "warm needs a command that names a script"},
		"nowhere":          {"[python3, a.py]", "{processes: 1, import: [m]}", "warm needs to know where the script is"},
		"launcher nowhere": {"[ruby, /a.rb]", "{processes: 1, launcher: [./launch]}", "warm.launcher is a relative path, which needs a cwd"},
		"empty launcher":   {"[ruby, /a.rb]", "{processes: 1, launcher: ['']}", "warm.launcher begins with an empty string"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte("engines: {a: {command: "+c.command+", warm: "+c.warm+"}}"), t.TempDir())
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "line 1") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestALauncherGetsItsTask(t *testing.T) {
	for name, test := range map[string]struct {
		command, launcher, script, module string
		args                              []string
		skip                              int
		python                            bool
	}{
		"a script":         {"[python3, -u, -X, dev, main.py, -v]", "", "main.py", "", []string{"-u", "-X", "dev"}, 4, true},
		"a module":         {"[python3, -Wd, -m, pack.mod]", "", "", "pack.mod", []string{"-Wd"}, 3, true},
		"another launcher": {"[ruby, main.rb]", "launcher: [ls, -a, -b]", "", "", []string{"-a", "-b"}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c, err := Parse([]byte("engines: {a: {command: "+test.command+", cwd: ., env: {FIXED: f}, env_from_request: [ASKED], env_from_worker: [GIVEN], secrets: [KEY], "+
				"warm: {processes: 3, import: [m.n], max_executions: 7, max_memory: 1MiB, "+test.launcher+"}}}"), dir)
			if err != nil {
				t.Fatal(err)
			}
			w, err := c.Warm("a", func(name string) (string, bool) {
				if name == "PATH" {
					return os.LookupEnv(name)
				}
				return "of the worker", name == "GIVEN" || name == "KEY" || name == "REDIS_URL"
			})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(w.Args, test.args) || w.Python != test.python || w.Dir != dir || w.Processes != 3 || w.MaxExecutions != 7 || w.MaxMemory != 1<<20 || w.ImportTimeout != time.Minute {
				t.Errorf("%+v", w)
			}
			if !slices.Contains(w.Env, "FIXED=f") || !slices.Contains(w.Env, "GIVEN=of the worker") || strings.Count(strings.Join(w.Env, " "), "of the worker") != 1 {
				t.Errorf("environment %q", w.Env)
			}
			var task struct {
				Script, Module string
				Import, Env    []string
				Skip           int
			}
			if err := json.Unmarshal(w.Task, &task); err != nil {
				t.Fatal(err)
			}
			if task.Script != test.script || task.Module != test.module || task.Skip != test.skip || !slices.Equal(task.Import, []string{"m.n"}) || !slices.Equal(task.Env, w.Env) {
				t.Errorf("task %s", w.Task)
			}
		})
	}
}

func TestALauncherThatIsNotThereIsNamed(t *testing.T) {
	for launcher, want := range map[string]string{"./launch": "engines.a.warm.launcher", "no-such-launcher": "no-such-launcher"} {
		c, err := Parse([]byte("engines: {a: {command: [ls], cwd: ., warm: {processes: 1, launcher: ["+launcher+"]}}}"), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Warm("a", os.LookupEnv); execution.CodeOf(err) != execution.Internal || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", launcher, err)
		}
	}
}
