package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Launch is what a process needs to become the engine.
type Launch struct {
	Path    string        // absolute
	Args    []string      // without argv[0]
	Dir     string        // "" is a fresh workdir
	Env     []string      // NAME=value, sorted, each name once; without EXECUTION_*
	Stdin   []byte        // the request's input, or its params where the engine takes them there; then EOF
	Secrets []string      // values to redact from everything the engine says
	Grace   time.Duration // between SIGTERM and SIGKILL; 0 is the worker's CANCEL_GRACE
	Limits  Limits
}

// ErrUnknown says that the worker's catalog has no such engine or command:
// reason engine_unknown. API and worker were given different files.
var ErrUnknown = errors.New("engine: not in this worker's catalog")

// Launch turns spec into path, arguments and environment. lookup is the
// worker's own environment, from which only PATH, HOME, LANG, TZ and what the
// entry names are taken. It reads secret files and looks for the program, so
// it must run where the engine will. Errors are *execution.Error; paths of the
// worker are only in their cause, for logs.
func (c *Catalog) Launch(spec *execution.Spec, lookup func(string) (string, bool)) (*Launch, error) {
	e, err := c.find(spec)
	if err != nil {
		return nil, &execution.Error{
			Code: execution.NotFound, Err: errors.Join(ErrUnknown, err),
			Message: "the worker's engines.yaml does not have this engine: API and worker must use the same file (ENGINES_FILE)",
		}
	}
	if e == nil {
		return nil, execution.InvalidField("command", "is missing: give either command or engine")
	}
	var p problemFields
	values := e.check(spec, &p)
	if len(p) > 0 {
		return nil, p.err()
	}
	l := &Launch{Dir: e.cwd, Grace: e.grace, Limits: e.limits, Stdin: spec.Input}
	env, err := e.environ(spec, lookup, l)
	if err != nil {
		return nil, err
	}
	l.Args = append(l.Args, e.command[1:]...)
	l.Args = render(l.Args, e.template, values)
	l.Args = append(l.Args, spec.Args...)
	if err := e.pass(values, l, env); err != nil {
		return nil, err
	}
	for i, a := range l.Args { // a param's value may hold what an argument may not
		if strings.ContainsRune(a, 0) {
			return nil, execution.InvalidField("params", fmt.Sprintf("make argument %d hold a NUL byte, which no process can take", i+1))
		}
	}
	for _, name := range sortedKeys(env) {
		l.Env = append(l.Env, name+"="+env[name])
	}
	if l.Path, err = e.program(env["PATH"]); err != nil {
		return nil, err
	}
	return l, nil
}

// environ gives the engine's variables; later ones win over earlier ones.
func (e *entry) environ(spec *execution.Spec, lookup func(string) (string, bool), l *Launch) (map[string]string, error) {
	env := map[string]string{"PATH": defaultPath}
	for _, name := range slices.Concat(inherited, e.envFromWorker) {
		if v, ok := lookup(name); ok {
			env[name] = v
		}
	}
	for _, v := range python {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	for name, value := range e.env {
		env[name] = value
	}
	for _, s := range e.secrets {
		value, ok, err := s.read(lookup)
		switch {
		case err != nil:
			return nil, e.broken("the secret "+s.name+" could not be read on this worker (the key "+e.key+".secrets in engines.yaml)", err)
		case !ok && !s.optional:
			return nil, e.broken("the secret "+s.name+" is not set on this worker: set it in the worker's environment, or mark it optional (the key "+e.key+".secrets in engines.yaml)", nil)
		case ok:
			env[s.name] = value
			l.Secrets = append(l.Secrets, value)
		}
	}
	for name, value := range spec.Env {
		env[name] = value
	}
	return env, nil
}

// defaultPath stands in where the worker itself has none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// maxSecretBytes: an environment variable of Linux holds 128 KiB at most.
const maxSecretBytes = 64 << 10

func (s *secret) read(lookup func(string) (string, bool)) (value string, ok bool, err error) {
	if s.file == "" {
		value, ok = lookup(s.env)
		return value, ok && value != "", nil
	}
	f, err := os.Open(s.file)
	if errors.Is(err, os.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return "", false, err
	}
	if len(data) > maxSecretBytes || strings.ContainsRune(string(data), 0) {
		return "", false, errors.New("the file is larger than 64 KiB or holds a NUL byte")
	}
	value = strings.TrimRight(string(data), "\r\n") // editors and echo add one
	return value, value != "", nil
}

// pass hands the params over where params_to says.
func (e *entry) pass(values map[string]any, l *Launch, env map[string]string) error {
	if e.params == nil || e.paramsTo == paramsToArgs {
		return nil
	}
	data, err := json.Marshal(values)
	if err != nil {
		return &execution.Error{Code: execution.Internal, Message: "the params could not be written as JSON", Err: err}
	}
	if e.paramsTo == paramsToStdin {
		l.Stdin = data
	} else {
		env["PARAMS"] = string(data)
	}
	return nil
}

// program finds the file to execute. A name without a slash is looked for on
// the engine's PATH, a relative path starts at its cwd.
func (e *entry) program(path string) (string, error) {
	if e.cwd != "" {
		if info, err := os.Stat(e.cwd); err != nil || !info.IsDir() {
			return "", e.broken("the folder of this engine is not there on this worker (the key "+e.key+".cwd in engines.yaml)", err)
		}
	}
	name := e.command[0]
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(e.cwd, name)
		}
		if err := executable(name); err != nil {
			return "", e.broken("the program of this engine is not there on this worker, or not executable (the key "+e.key+".command in engines.yaml)", err)
		}
		return name, nil
	}
	candidates := []string{name}
	if name == "python" {
		candidates = append(candidates, "python3") // Debian and its images have no plain python
	}
	for _, candidate := range candidates {
		for _, dir := range filepath.SplitList(path) {
			if file := filepath.Join(dir, candidate); filepath.IsAbs(dir) && executable(file) == nil {
				return file, nil
			}
		}
	}
	return "", e.broken("the program "+name+" is not on this worker's PATH: install it, or set PATH under "+e.key+".env in engines.yaml", nil)
}

func executable(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return errors.New(file + " is not an executable file")
	}
	return nil
}

// broken is a fault of the worker's installation, not of the request.
func (e *entry) broken(message string, err error) error {
	return &execution.Error{Code: execution.Internal, Message: message, Err: err}
}
