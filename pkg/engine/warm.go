package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// warmFile is the key warm of an engine.
type warmFile struct {
	Processes     int      `yaml:"processes"`
	Import        []string `yaml:"import"`
	MaxExecutions int      `yaml:"max_executions"`
	MaxMemory     size     `yaml:"max_memory"`
	ImportTimeout seconds  `yaml:"import_timeout"`
	Launcher      argv     `yaml:"launcher"`
}

// warm is that key, checked.
type warm struct {
	warmFile
	options []string // of the interpreter, before the script
	script  string   // or
	module  string
}

const (
	maxWarm              = 100 // of one engine: each is a process with a shim
	defaultImportTimeout = time.Minute
)

var (
	pythonName = regexp.MustCompile(`^(python|pypy)[0-9.]*$`)
	moduleName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
)

// Warm is what a worker keeps ready of one engine.
type Warm struct {
	Engine        string
	Processes     int           // ready at any time
	MaxExecutions int           // after so many a new launcher takes over; 0: no such limit
	MaxMemory     int64         // and when the launcher's own memory is above so many bytes; 0: no such limit
	ImportTimeout time.Duration // from the launcher's start until it is ready
	Path          string        // of the launcher's program: the engine's interpreter, unless the catalog names a launcher
	Args          []string      // without argv[0]; for Python, the interpreter's options
	Python        bool          // the launcher is Longhaul's own, whose file comes after Args
	Dir           string        // "" is any
	Env           []string      // the engine's, without secrets, what a request may set, and EXECUTION_*
	Task          []byte        // what to import and to run, as JSON, for the launcher
}

// WarmEngines lists the engines that the catalog keeps warm.
func (c *Catalog) WarmEngines() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(c.engines)) {
		if c.engines[name].warm != nil {
			names = append(names, name)
		}
	}
	return names
}

// Warm tells how to keep an engine warm. Like Launch it looks for the program, so it must run where the engine will.
func (c *Catalog) Warm(name string, lookup func(string) (string, bool)) (*Warm, error) {
	e := c.engines[name]
	if e == nil || e.warm == nil {
		return nil, execution.InvalidField("engine", "is not kept warm by engines.yaml")
	}
	plain := *e
	plain.secrets = nil // no secret is in a process that serves several executions
	env, err := plain.environ(&execution.Spec{}, lookup, &Launch{})
	if err != nil {
		return nil, err
	}
	w := e.warm
	out := &Warm{
		Engine: name, Processes: w.Processes, MaxExecutions: w.MaxExecutions, MaxMemory: int64(w.MaxMemory), ImportTimeout: time.Duration(w.ImportTimeout),
		Args: w.options, Python: len(w.Launcher) == 0, Dir: e.cwd,
	}
	if out.ImportTimeout == 0 {
		out.ImportTimeout = defaultImportTimeout
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out.Env = append(out.Env, name+"="+env[name])
	}
	if out.Python {
		out.Path, err = e.program(env["PATH"])
	} else {
		out.Args = w.Launcher[1:]
		out.Path, err = e.find(e.key+".warm.launcher", w.Launcher[0], env["PATH"])
	}
	if err != nil {
		return nil, err
	}
	out.Task, err = json.Marshal(map[string]any{
		"command": e.command, "import": append([]string{}, w.Import...), "script": w.script, "module": w.module, "skip": w.skip(), "env": out.Env,
	})
	return out, err
}

// skip counts the engine's arguments up to its script or module.
func (w *warm) skip() int {
	switch {
	case w.script != "":
		return len(w.options) + 1
	case w.module != "":
		return len(w.options) + 2
	}
	return 0
}

// warm checks the key.
func (b *builder) warm(e *entry, f *warmFile) {
	if f == nil {
		return
	}
	key := e.key + ".warm"
	if f.Processes < 1 || f.Processes > maxWarm {
		b.problems.add(key+".processes", fmt.Sprintf("must be between 1 and %d: so many processes are kept ready", maxWarm))
	}
	if f.MaxExecutions < 0 {
		b.problems.add(key+".max_executions", "must not be negative")
	}
	for _, name := range f.Import {
		if !moduleName.MatchString(name) && len(f.Launcher) == 0 {
			b.problems.add(key+".import", "holds "+name+", which is no name of a Python module")
		}
	}
	e.warm = &warm{warmFile: *f}
	if len(f.Launcher) > 0 {
		b.program(key+".launcher", f.Launcher[0], e.cwd)
		return
	}
	if len(f.Import) == 0 && !b.problems.partial {
		b.problems.add(key+".import", "is missing: list the modules that take long to import, such as [pandas, openai]")
	}
	if len(e.command) > 0 {
		if wrong := e.warm.python(e.command); wrong != "" {
			b.problems.add(key, wrong)
		} else if e.warm.script != "" && !filepath.IsAbs(e.warm.script) && e.cwd == "" {
			b.problems.add(key, "needs to know where the script is: set cwd, or give an absolute path in command")
		}
	}
}

// python finds the script or module in a command, or says what is wrong.
func (w *warm) python(command []string) (wrong string) {
	if !pythonName.MatchString(filepath.Base(command[0])) {
		return "needs a command that begins with python3 or the like; for another runtime, give a launcher (docs/warm.md)"
	}
	rest := command[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") && rest[0] != "-" {
		option := rest[0]
		switch {
		case option == "-m" && len(rest) > 1:
			w.module = rest[1]
			return ""
		case strings.HasPrefix(option, "-m") && len(option) > 2:
			return "needs the module as an argument of its own: -m, then its name"
		case option == "-W" || option == "-X" || option == "--check-hash-based-pycs":
			if len(rest) < 2 {
				return "needs a command that names a script, or a module after -m"
			}
			w.options, rest = append(w.options, option, rest[1]), rest[2:]
			continue
		case strings.HasPrefix(option, "-W") || strings.HasPrefix(option, "-X"):
		case strings.ContainsAny(option, "cixVh") || strings.HasPrefix(option, "--"):
			return "cannot be with the option " + option + " of Python: give a script, or a module after -m"
		}
		w.options, rest = append(w.options, option), rest[1:]
	}
	if len(rest) == 0 || rest[0] == "-" {
		return "needs a command that names a script, or a module after -m"
	}
	w.script = rest[0]
	return ""
}
