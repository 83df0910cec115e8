package engine

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

// program makes an executable file and gives its folder.
func program(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// worker is an environment that holds what no engine may see.
func worker(path string) func(string) (string, bool) {
	vars := map[string]string{
		"PATH": path, "HOME": "/home/worker", "TZ": "UTC", "REDIS_URL": "redis://hush", "API_TOKENS": "hush",
		"OPENAI_API_KEY": "sk-hush", "OTHER": "other-value", "BASE": "https://base", "EMPTY": "",
	}
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

func launch(t *testing.T, c *Catalog, spec *execution.Spec, path string) *Launch {
	t.Helper()
	l, err := c.Launch(spec, worker(path))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAnEngineSeesItsOwnEnvironmentAndNotTheWorkers(t *testing.T) {
	bin := program(t, "tool")
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("from-file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := parse(t, `
engines:
  tool:
    command: [tool]
    env: {MODE: fixed, TOPIC: default}
    env_from_request: [TOPIC]
    env_from_worker: [BASE, UNSET_HERE]
    secrets: [OPENAI_API_KEY, RENAMED: {env: OTHER}, FILED: {file: `+file+`}, GONE: {optional: true}, EMPTY: {optional: true}]
`)
	l := launch(t, c, &execution.Spec{Engine: "tool", Env: map[string]string{"TOPIC": "asked", "PYTHONUNBUFFERED": "0"}}, bin)
	want := []string{
		"BASE=https://base", "FILED=from-file", "HOME=/home/worker", "MODE=fixed", "OPENAI_API_KEY=sk-hush",
		"PATH=" + bin, "PYTHONIOENCODING=utf-8", "PYTHONUNBUFFERED=0", "RENAMED=other-value", "TOPIC=asked", "TZ=UTC",
	}
	if !slices.Equal(l.Env, want) {
		t.Errorf("environment\n%q\nwant\n%q", l.Env, want)
	}
	if !slices.Equal(l.Secrets, []string{"sk-hush", "other-value", "from-file"}) {
		t.Errorf("secrets %q", l.Secrets)
	}
	if l.Path != filepath.Join(bin, "tool") || l.Dir != "" {
		t.Errorf("path %s, dir %q", l.Path, l.Dir)
	}
}

func TestAMissingSecretIsTheWorkersFaultAndNamesTheKey(t *testing.T) {
	c := parse(t, "engines: {tool: {command: [tool], secrets: [ABSENT]}}")
	_, err := c.Launch(&execution.Spec{Engine: "tool"}, worker(program(t, "tool")))
	if execution.CodeOf(err) != execution.Internal || !strings.Contains(err.Error(), "ABSENT") || !strings.Contains(err.Error(), "engines.tool.secrets") {
		t.Errorf("got %v", err)
	}
}

func TestParamsBecomeArguments(t *testing.T) {
	c := parse(t, `
engines:
  tool:
    command: [tool, run]
    args:
      - "--name={name}"
      - "{{literal}}"
      - "{count}"
      - {if: deep, args: ["--deep"]}
      - {if: shallow, args: ["--shallow"]}
      - {if: note, args: ["--note", "{note}"]}
      - {each: tags, args: ["--tag", "{item}={name}"]}
    allow_args: ['--more']
    params:
      required: [name]
      properties:
        name: {type: string}
        count: {type: integer, default: 3}
        deep: {type: boolean}
        shallow: {type: boolean}
        note: {type: [string, "null"]}
        tags: {type: array, items: {type: [string, number]}}
`)
	bin := program(t, "tool")
	l := launch(t, c, &execution.Spec{Engine: "tool", Args: []string{"--more"}, Params: json.RawMessage(
		`{"name":"$(rm -rf /) {count}","deep":true,"shallow":false,"note":null,"tags":["a b",1.50]}`)}, bin)
	want := []string{
		"run", "--name=$(rm -rf /) {count}", "{literal}", "3", "--deep",
		"--tag", "a b=$(rm -rf /) {count}", "--tag", "1.50=$(rm -rf /) {count}", "--more",
	}
	if !slices.Equal(l.Args, want) {
		t.Errorf("arguments\n%q\nwant\n%q", l.Args, want)
	}
	l = launch(t, c, &execution.Spec{Engine: "tool", Params: json.RawMessage(`{"name":"<&>","note":"hi"}`)}, bin)
	if want := []string{"run", "--name=<&>", "{literal}", "3", "--note", "hi"}; !slices.Equal(l.Args, want) {
		t.Errorf("arguments %q, want %q", l.Args, want)
	}
	_, err := c.Launch(&execution.Spec{Engine: "tool", Params: json.RawMessage(`{"name":"a\u0000b"}`)}, worker(bin))
	if execution.CodeOf(err) != execution.Invalid {
		t.Errorf("a NUL byte in an argument: %v", err)
	}
}

func TestParamsMayGoToStdinOrOneVariable(t *testing.T) {
	c := parse(t, `
engines:
  in: {command: [tool], params_to: stdin, params: {properties: {a: {type: integer, default: 1}}}}
  var: {command: [tool], params_to: env, params: {properties: {a: {type: integer, default: 1}}}}
`)
	bin := program(t, "tool")
	if l := launch(t, c, &execution.Spec{Engine: "in"}, bin); string(l.Stdin) != `{"a":1}` {
		t.Errorf("stdin is %q", l.Stdin)
	}
	l := launch(t, c, &execution.Spec{Engine: "var", Input: json.RawMessage(`"in"`)}, bin)
	if !slices.Contains(l.Env, `PARAMS={"a":1}`) || string(l.Stdin) != `"in"` {
		t.Errorf("env %q, stdin %q", l.Env, l.Stdin)
	}
}

func TestProgramsAreFoundWhereTheEngineWouldFindThem(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "run.sh"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	only3, bothOf := program(t, "python3"), program(t, "python", "python3")
	c, err := Parse([]byte(`
commands:
  python: {args: any}
  ./run.sh: {cwd: .}
  ./data.txt: {cwd: .}
  absent: {env: {PATH: /nowhere}}
  lost: {cwd: gone}
`), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct{ command, path, want string }{
		{"python", only3, filepath.Join(only3, "python3")},
		{"python", bothOf, filepath.Join(bothOf, "python")},
		{"python", "relative::" + only3, filepath.Join(only3, "python3")},
		{"./run.sh", "", filepath.Join(dir, "run.sh")},
		{"./data.txt", "", ""},
		{"absent", bothOf, ""},
		{"lost", bothOf, ""},
	} {
		l, err := c.Launch(&execution.Spec{Command: one.command}, worker(one.path))
		if one.want == "" {
			if execution.CodeOf(err) != execution.Internal || !strings.Contains(err.Error(), "engines.yaml") {
				t.Errorf("%s: got %v", one.command, err)
			}
			continue
		}
		if err != nil || l.Path != one.want {
			t.Errorf("%s on %s: got %v, %v", one.command, one.path, l, err)
		}
	}
}

func TestTheWorkerChecksAgainWithItsOwnCatalog(t *testing.T) {
	c := parse(t, "commands: {tool: {args: ['a']}}")
	_, err := c.Launch(&execution.Spec{Command: "gone"}, nothing)
	if !errors.Is(err, ErrUnknown) || execution.CodeOf(err) != execution.NotFound {
		t.Errorf("an unknown command: %v", err)
	}
	_, err = c.Launch(&execution.Spec{Command: "tool", Args: []string{"b"}}, nothing)
	if execution.CodeOf(err) != execution.Invalid {
		t.Errorf("an argument that is not allowed: %v", err)
	}
	_, err = c.Launch(&execution.Spec{}, nothing)
	if execution.CodeOf(err) != execution.Invalid {
		t.Errorf("nothing asked for: %v", err)
	}
}

func TestAProgramIsWhereItsPathFindsItNow(t *testing.T) {
	first, second := program(t, "tool"), program(t, "tool")
	c := parse(t, "commands:\n  tool: {args: any}\n")
	want := func(path, folder string) {
		t.Helper()
		for range 2 {
			if l := launch(t, c, &execution.Spec{Command: "tool"}, path); l.Path != filepath.Join(folder, "tool") {
				t.Errorf("PATH=%s finds %s", path, l.Path)
			}
		}
	}
	want(first+":"+second, first)
	want(second, second)
	want(first+":"+second, first)
	if err := os.Remove(filepath.Join(first, "tool")); err != nil {
		t.Fatal(err)
	}
	want(first+":"+second, second)
}
