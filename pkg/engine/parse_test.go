package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
)

func TestEveryProblemOfAFileIsReportedAtOnce(t *testing.T) {
	_, err := Parse([]byte(`engines:
  one:
    command: python main.py
    tmieout: 5
    timeout: soon
    limits: {open_files: many, file_size: 3 apples}
  Two:
    command: [x]
    queue: fast
    max_attempts: 3
    env: {EXECUTION_ID: x, "A B": y}
    env_from_request: [LD_PRELOAD]
    cwd: x
    timeout: 2h
    max_timeout: 1h
commands:
  ./run.sh: {args: ["("]}
`), t.TempDir())
	if err == nil {
		t.Fatal("the file was taken")
	}
	for _, want := range []string{
		"line 3: must be a list of strings such as",
		"line 4: tmieout is not a key that is known here",
		"line 5: must be a duration",
		"line 6: must be a whole number",
		"line 6: must be a size",
		"line 7: engines.Two has a name",
		"line 9: engines.Two.queue must be one of critical, default, low",
		"line 10: engines.Two.max_attempts above 1 needs on_interrupt: requeue",
		"line 11: engines.Two.env names EXECUTION_ID, which the worker sets itself",
		"line 11: engines.Two.env holds a name that is no environment variable name",
		"line 12: engines.Two.env_from_request names LD_PRELOAD",
		"line 14: engines.Two.timeout is longer than max_timeout",
		"line 17: item 1 is not a regular expression",
		"commands../run.sh is a relative path, which needs a cwd",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestWhatIsWrongIsSaidInPlainWords(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":            {"", "engines is empty"},
		"a list":           {"[]", "must be a mapping of keys to values"},
		"not YAML":         {"engines: [", "line 1"},
		"two documents":    {"engines: {a: {command: [x]}}\n---\nengines: {}", "second document"},
		"a key twice":      {"engines: {a: {command: [x], command: [y]}}", "given twice"},
		"an engine twice":  {"engines:\n  a: {command: [x]}\n  a: {command: [y]}", "given twice"},
		"no command":       {"engines: {a: {}}", "engines.a.command is missing"},
		"nothing at all":   {"engines: {a: }", "engines.a is empty"},
		"no place":         {"engines: {a: {command: [x], params: {properties: {p: {}}}}}", "has no place in args"},
		"no such param":    {`engines: {a: {command: [x], args: ["{p}"]}}`, "names the param p"},
		"optional in text": {`engines: {a: {command: [x], args: ["{p}"], params: {properties: {p: {}}}}}`, "a request may leave out"},
		"item outside":     {`engines: {a: {command: [x], args: ["{item}"]}}`, "names the param item"},
		"a lone brace":     {`engines: {a: {command: [x], args: ["{"]}}`, "write {{ for a brace"},
		"if and each":      {`engines: {a: {command: [x], args: [{if: p, each: q, args: [x]}]}}`, "needs one of if and each"},
		"bad schema":       {`engines: {a: {command: [x], params: {properties: {p: {type: strnig}}}, args: [{if: p, args: ["{p}"]}]}}`, "not a valid JSON Schema"},
		"schema type":      {`engines: {a: {command: [x], params: {type: array}}}`, "must be object"},
		"open schema":      {`engines: {a: {command: [x], params: {additionalProperties: true}}}`, "no place in args"},
		"ref to a file":    {`engines: {a: {command: [x], params: {properties: {p: {$ref: "file:///etc/passwd"}}}, args: [{if: p, args: ["{p}"]}]}}`, "$ref"},
		"bad default":      {`engines: {a: {command: [x], params: {properties: {p: {type: string, default: 1}}}, args: ["{p}"]}}`, "the default of p"},
		"secret twice":     {"engines: {a: {command: [x], secrets: [K], env: {K: v}}}", "names K, which env names too"},
		"secret two ways":  {"engines: {a: {command: [x], secrets: {K: {env: A, file: b}}}}", "both env and file"},
		"secret misspelt":  {"engines: {a: {command: [x], secrets: {K: {optionel: true}}}}", "optionel does not fit here"},
		"params_to":        {"engines: {a: {command: [x], params_to: file}}", "must be args (the default), stdin or env"},
		"fraction":         {"engines: {a: {command: [x], timeout: 1500ms}}", "must be whole seconds"},
		"half a second":    {"engines: {a: {command: [x], limits: {cpu_seconds: 500ms}}}", "must be whole seconds"},
		"a long engine":    {"engines: {" + strings.Repeat("x", 64) + ": {command: [x]}}", "has a name that is not 1 to 63"},
		"a long command":   {"commands: {" + strings.Repeat("x", 256) + ": }", "has a name that is not 1 to 255"},
		"self alias":       {"engines: {a: {command: [x], params: &p {properties: {q: *p}}}}", "JSON Schema"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.text), t.TempDir())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "engine.") {
				t.Errorf("speaks of Go types: %v", err)
			}
		})
	}
}

func TestDefaultsHoldForEntriesThatSayNothing(t *testing.T) {
	c := parse(t, `
defaults: {timeout: 60, max_timeout: 1h, grace: 5s, queue: low, limits: {open_files: 64, file_size: 1MiB}, on_interrupt: requeue, max_attempts: 2}
engines:
  plain: {command: [x]}
  own: {command: [x], timeout: 90s, queue: critical, limits: {open_files: 128}, on_interrupt: fail, max_attempts: 1}
`)
	if e := c.engines["plain"]; e.timeout != time.Minute || e.grace != 5*time.Second || e.queue != "low" || e.maxAttempts != 2 || e.limits != (Limits{OpenFiles: 64, FileSize: 1 << 20}) {
		t.Errorf("plain: %+v", e)
	}
	if e := c.engines["own"]; e.timeout != 90*time.Second || e.queue != "critical" || e.limits != (Limits{OpenFiles: 128, FileSize: 1 << 20}) {
		t.Errorf("own: %+v", e)
	}
	spec := &execution.Spec{Engine: "plain"}
	if err := c.Complete(spec); err != nil || spec.TimeoutSeconds != 60 || spec.Queue != "low" || spec.MaxAttempts != 2 || spec.OnInterrupt != execution.Requeue {
		t.Errorf("%+v %v", spec, err)
	}
	// Who chooses fail gets one attempt, not a complaint about the catalog's two.
	spec = &execution.Spec{Engine: "plain", OnInterrupt: execution.Fail}
	if err := c.Complete(spec); err != nil {
		t.Fatal(err)
	}
	spec.Normalize(execution.DefaultLimits())
	if err := spec.Validate(execution.DefaultLimits()); err != nil || spec.MaxAttempts != 1 {
		t.Errorf("%+v %v", spec, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("engines: {a: {command: [python3, x.py], params: {properties: {p: {type: string}}}, args: [{if: p, args: ['{p}']}]}}")
	f.Add("defaults: {timeout: 2h, limits: {file_size: 2GiB}}\ncommands: {sh: {args: any}}")
	f.Add("engines: &a {x: *a}")
	f.Add("engines:\n  a:\n    command: [x]\n    secrets: [K, {L: {file: f, optional: true}}]\n    env_from_worker: [TZ2]")
	f.Add("engines: {a: {command: [x], args: [{each: t, args: ['{item}', '{{}}']}], params: {required: [t], properties: {t: {type: array}}}}}")
	f.Add("engines: {a: {<<: {command: [x]}, allow_args: ['a.*']}}")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse([]byte(text), dir)
		if (c == nil) == (err == nil) {
			t.Fatalf("catalog %v, error %v", c, err)
		}
		if err != nil {
			return
		}
		for _, d := range c.Public() { // what was taken can be used
			spec := &execution.Spec{}
			if d.Kind == "engine" {
				spec.Engine = d.Name
			} else {
				spec.Command = d.Name
			}
			if c.Complete(spec) == nil {
				_, _ = c.Launch(spec, nothing)
			}
		}
	})
}
