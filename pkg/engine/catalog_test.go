package engine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

// nothing is a worker's environment with a PATH alone.
func nothing(name string) (string, bool) {
	if name == "PATH" {
		return os.Getenv("PATH"), true
	}
	return "", false
}

func parse(t *testing.T, text string) *Catalog {
	t.Helper()
	c, err := Parse([]byte(text), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func shipped(t *testing.T) *Catalog {
	t.Helper()
	c, err := Load("../../engines.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheShippedCatalogTakesTheSeedsCommand(t *testing.T) {
	spec := &execution.Spec{Command: "python", Args: []string{
		"src/main.py", "voice-of-customer", "--analysis-type", "topic-based", "--multi-agent",
		"--time-period", "week", "--ai-model", "openai", "--generate-gamma",
	}}
	if err := shipped(t).Complete(spec); err != nil {
		t.Fatal(err)
	}
	spec.Normalize(execution.DefaultLimits())
	if err := spec.Validate(execution.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	if spec.TimeoutSeconds != 7200 || spec.Queue != "default" || spec.MaxAttempts != 1 {
		t.Errorf("defaults not filled in: %+v", spec)
	}
}

func TestTheShippedCatalogLetsNobodyBringCode(t *testing.T) {
	err := shipped(t).Complete(&execution.Spec{Command: "python", Args: []string{"-c", "print(1)"}})
	if execution.CodeOf(err) != execution.Invalid {
		t.Errorf("python -c was taken: %v", err)
	}
}

func TestTheShippedEngineUsesOptionsThatTheExampleHas(t *testing.T) {
	source, err := os.ReadFile("../../examples/voice-of-customer/src/voc/options.py")
	if err != nil {
		t.Skip("the example is not in this tree")
	}
	e := shipped(t).engines["voice-of-customer"]
	args := render(nil, e.template, map[string]any{
		"analysis_type": "x", "time_period": "x", "ai_model": "x", "multi_agent": true,
		"generate_gamma": true, "test_mode": true, "input": "x",
	})
	for _, a := range args {
		if option, _, _ := strings.Cut(a, "="); !strings.Contains(string(source), `"`+option+`"`) {
			t.Errorf("the example has no option %s", option)
		}
	}
	for _, name := range []string{"topic-based", "sentiment", "full", "quarter", "year", "none", "openai"} {
		if !strings.Contains(string(source), `"`+name+`"`) || !strings.Contains(string(e.params.raw), name) {
			t.Errorf("engines.yaml and the example do not agree on %s", name)
		}
	}
}

func TestAMissingFileNamesTheSetting(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"))
	if err == nil || !strings.Contains(err.Error(), "ENGINES_FILE") {
		t.Errorf("got %v", err)
	}
	if _, err = Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "ENGINES_FILE") {
		t.Errorf("a folder: got %v", err)
	}
}

func TestAnUnknownNameIsToldWhatThereIs(t *testing.T) {
	c := parse(t, "engines: {b: {command: [x]}, a: {command: [x]}}")
	err := c.Complete(&execution.Spec{Engine: "secret-name"})
	if execution.CodeOf(err) != execution.Invalid || !strings.Contains(err.Error(), "a, b") || strings.Contains(err.Error(), "secret-name") {
		t.Errorf("got %v", err)
	}
	err = c.Complete(&execution.Spec{Command: "rm"})
	if execution.CodeOf(err) != execution.Invalid || !strings.Contains(err.Error(), "it has none") {
		t.Errorf("got %v", err)
	}
}

func TestPublicTellsHowToAskAndNothingOfTheWorker(t *testing.T) {
	c := parse(t, `
engines:
  one:
    description: First.
    command: [/opt/private/tool]
    cwd: /srv/private
    env: {INNER: hush}
    secrets: [SECRET_NAME]
    env_from_request: [TOPIC]
    params: {properties: {zebra: {type: string, default: z}, apple: {type: string, default: a}}}
    args: ["{zebra}", "{apple}"]
commands:
  sh: {args: any}
`)
	list := c.Public()
	if len(list) != 2 || list[0].Kind != "engine" || list[1].Kind != "command" || !list[1].AllowsArgs || list[0].AllowsArgs {
		t.Fatalf("got %+v", list)
	}
	schema := string(list[0].Params)
	if strings.Index(schema, "zebra") > strings.Index(schema, "apple") {
		t.Errorf("the properties lost their order: %s", schema)
	}
	if !slices.Equal(list[0].Env, []string{"TOPIC"}) {
		t.Errorf("env is %v", list[0].Env)
	}
	for _, word := range []string{"private", "hush", "SECRET_NAME"} {
		if strings.Contains(schema+list[0].Description, word) {
			t.Errorf("%s is told to callers", word)
		}
	}
}
