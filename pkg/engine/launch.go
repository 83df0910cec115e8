package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
	Warm    string // the engine's name if it is kept warm, see Catalog.Warm; else ""

	StalledAfter    time.Duration // silence after which a stalled event tells of it; 0: never
	ProgressTimeout time.Duration // the most between two progress events; 0: no such limit
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
	l := &Launch{Dir: e.cwd, Grace: e.grace, Limits: e.limits, Stdin: spec.Input, StalledAfter: e.stalled, ProgressTimeout: e.progress}
	if e.warm != nil {
		l.Warm = e.name
	}
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
	for _, name := range slices.Sorted(maps.Keys(env)) {
		l.Env = append(l.Env, name+"="+env[name])
	}
	if l.Path, err = e.program(env["PATH"]); err != nil {
		return nil, err
	}
	return l, nil
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

// broken is a fault of the worker's installation, not of the request.
func (e *entry) broken(message string, err error) error {
	return &execution.Error{Code: execution.Internal, Message: message, Err: err}
}
