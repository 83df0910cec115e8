package engine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

// Complete checks a request against its entry in the catalog and fills what the
// caller left open with the entry's defaults. What needs no catalog (lengths,
// labels, the name of the queue) is Spec.Validate's, which comes after. The
// error is an *execution.Error of code Invalid with every problem; it names
// keys of the catalog, never a value of the request.
func (c *Catalog) Complete(spec *execution.Spec) error {
	e, err := c.find(spec)
	if e == nil {
		return err
	}
	var p problemFields
	values := e.check(spec, &p)
	if len(p) > 0 {
		return p.err()
	}
	if len(values) > 0 {
		if spec.Params, err = json.Marshal(values); err != nil {
			return &execution.Error{Code: execution.Internal, Message: "the params could not be written back as JSON", Err: err}
		}
	}
	if spec.TimeoutSeconds == 0 {
		spec.TimeoutSeconds = int64(cmp.Or(e.timeout, e.maxTimeout) / time.Second)
	}
	spec.Queue = cmp.Or(spec.Queue, e.queue)
	spec.OnInterrupt = cmp.Or(spec.OnInterrupt, e.onInterrupt)
	if spec.MaxAttempts == 0 && spec.OnInterrupt == execution.Requeue {
		spec.MaxAttempts = e.maxAttempts // with fail there is one attempt, whatever the entry says
	}
	return nil
}

// check reports what spec asks for and e does not give. It returns the params
// with their defaults. The worker runs it again, since its catalog may differ.
func (e *entry) check(spec *execution.Spec, p *problemFields) map[string]any {
	e.checkArgs(spec.Args, p)
	e.checkEnv(spec.Env, p)
	if most := int64(e.maxTimeout / time.Second); most > 0 && spec.TimeoutSeconds > most {
		p.add("timeout_seconds", "must be at most %d (the key %s.max_timeout in engines.yaml)", most, e.key)
	}
	if len(spec.Input) > 0 && e.paramsTo == paramsToStdin {
		p.add("input", "is not taken: this engine gets its params on stdin (the key %s.params_to in engines.yaml)", e.key)
	}
	if spec.Engine == "" {
		return nil
	}
	return e.checkParams(spec.Params, p)
}

func (e *entry) checkArgs(args []string, p *problemFields) {
	if e.anyArgs {
		return
	}
	key := e.key + ".allow_args"
	if strings.HasPrefix(e.key, "commands.") {
		key = e.key + ".args"
	}
	if len(e.allow) == 0 && len(args) > 0 {
		p.add("args", "are not taken here (the key %s in engines.yaml would allow them)", key)
		return
	}
	for i, a := range args {
		if !slices.ContainsFunc(e.allow, func(re *regexp.Regexp) bool { return re.MatchString(a) }) {
			p.add(fmt.Sprintf("args[%d]", i), "matches none of the allowed patterns (the key %s in engines.yaml)", key)
		}
	}
}

func (e *entry) checkEnv(env map[string]string, p *problemFields) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case !envName.MatchString(name):
			p.add("env", "holds a name that is no environment variable name")
		case e.maySet(name):
		case len(e.envFromRequest) == 0:
			p.add("env."+name, "may not be set by a request (the key %s.env_from_request in engines.yaml would allow it)", e.key)
		default:
			p.add("env."+name, "may not be set by a request; these may: %s (the key %s.env_from_request in engines.yaml)", strings.Join(e.envFromRequest, ", "), e.key)
		}
	}
}

// maySet reports whether a request may set the variable called name.
func (e *entry) maySet(name string) bool {
	if slices.ContainsFunc(python, func(v string) bool { return strings.HasPrefix(v, name+"=") }) {
		return true
	}
	return slices.Contains(e.envFromRequest, name)
}

func (e *entry) checkParams(raw json.RawMessage, p *problemFields) map[string]any {
	values := map[string]any{}
	if len(raw) > 0 {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber() // 9007199254740993 must reach the engine as it was written
		if err := d.Decode(&values); err != nil || d.More() {
			p.add("params", "must be a JSON object")
			return nil
		}
		if values == nil { // " null "
			values = map[string]any{}
		}
	}
	if e.params == nil {
		if len(values) > 0 {
			p.add("params", "are not taken by this engine (the key %s.params in engines.yaml)", e.key)
		}
		return nil
	}
	for name, v := range e.params.defaults {
		if _, ok := values[name]; !ok {
			values[name] = v
		}
	}
	if err := e.params.schema.Validate(values); err != nil {
		explain(err, e.key+".params", p)
	}
	return values
}

// problemFields gathers what is wrong with a request.
type problemFields []execution.Field

func (p *problemFields) add(location, format string, args ...any) {
	*p = append(*p, execution.Field{Location: location, Message: fmt.Sprintf(format, args...)})
}

func (p problemFields) err() error {
	return &execution.Error{Code: execution.Invalid, Message: "the request does not fit the catalog", Fields: p}
}
