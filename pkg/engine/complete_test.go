package engine

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
)

const strict = `
engines:
  tool:
    command: [tool]
    max_timeout: 10m
    allow_args: ['--days=[0-9]+', 'x']
    env_from_request: [TOPIC]
    params:
      required: [name]
      properties:
        name: {type: string, maxLength: 4, pattern: '^[a-z]+$'}
        kind: {enum: [one, two]}
        count: {type: integer, minimum: 1, maximum: 9}
        tags: {type: array, uniqueItems: true, maxItems: 2, items: {type: string}}
        when: {type: string, format: date}
        either: {anyOf: [{type: string}, {type: number}]}
        big: {type: integer, default: 9007199254740993}
    params_to: stdin
  bare:
    command: [tool]
`

func TestEveryProblemOfARequestHasItsPlaceAndRepeatsNoValue(t *testing.T) {
	err := parse(t, strict).Complete(&execution.Spec{
		Engine:         "tool",
		Args:           []string{"x", "--days=7 hush", "xx"},
		Env:            map[string]string{"TOPIC": "fine", "PATH": "/hush", "PYTHONUNBUFFERED": "0"},
		Params:         json.RawMessage(`{"name":"HUSHHUSH","kind":"hush","count":77,"tags":["hush","hush","hush"],"when":"hush","either":[],"hush!!":1,"` + strings.Repeat("hush", 17) + `":1,"extra":2}`),
		Input:          json.RawMessage(`"hush"`),
		TimeoutSeconds: 601,
	})
	var e *execution.Error
	if !errors.As(err, &e) || e.Code != execution.Invalid {
		t.Fatalf("got %v", err)
	}
	got := map[string]string{}
	for _, f := range e.Fields {
		got[f.Location] += f.Message + ";"
	}
	for location, want := range map[string]string{
		"args[1]":         "engines.tool.allow_args",
		"args[2]":         "engines.tool.allow_args",
		"env.PATH":        "engines.tool.env_from_request",
		"timeout_seconds": "at most 600",
		"input":           "engines.tool.params_to",
		"params.name":     "at most 4 characters",
		"params.kind":     "one of one, two",
		"params.count":    "at most 9",
		"params.tags":     "at most 2 items",
		"params.when":     "format date",
		"params.either":   "does not satisfy the schema's anyOf",
		"params.extra":    "is not a param",
		"params":          "is not a param", // a name that is not plain, or is long, is not repeated
	} {
		if !strings.Contains(got[location], want) {
			t.Errorf("%s: %q, want %q", location, got[location], want)
		}
	}
	if len(got) != 13 || strings.Contains(strings.ToLower(err.Error()), "hush") {
		t.Errorf("%d places: %v", len(got), err)
	}
}

func TestMissingAndMisshapenParamsAreFound(t *testing.T) {
	c := parse(t, strict)
	for raw, want := range map[string]string{
		``:                         "params.name is missing",
		`{}`:                       "params.name is missing",
		`null`:                     "params.name is missing",
		`[1]`:                      "params must be a JSON object",
		`{"name":1}`:               "params.name must be of type string",
		`{"name":"a","tags":[1]}`:  "params.tags[0] must be of type string",
		`{"name":"a","count":1.5}`: "params.count must be of type integer",
	} {
		err := c.Complete(&execution.Spec{Engine: "tool", Params: json.RawMessage(raw)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", raw, err, want)
		}
	}
	if err := c.Complete(&execution.Spec{Engine: "bare", Params: json.RawMessage(`{"a":1}`)}); err == nil {
		t.Error("an engine without params took some")
	}
	if err := c.Complete(&execution.Spec{Engine: "bare", Args: []string{"a"}}); err == nil {
		t.Error("an engine without allow_args took some")
	}
	if err := c.Complete(&execution.Spec{Engine: "bare", Params: json.RawMessage(`{}`)}); err != nil {
		t.Errorf("no params are not some: %v", err)
	}
}

func TestDefaultsOfTheSchemaAreFilledInExactly(t *testing.T) {
	spec := &execution.Spec{Engine: "tool", Params: json.RawMessage(`{"name":"a"}`)}
	if err := parse(t, strict).Complete(spec); err != nil {
		t.Fatal(err)
	}
	if want := `{"big":9007199254740993,"name":"a"}`; string(spec.Params) != want {
		t.Errorf("params are %s, want %s", spec.Params, want)
	}
	if spec.TimeoutSeconds != 600 {
		t.Errorf("max_timeout is the default where there is no timeout; got %d", spec.TimeoutSeconds)
	}
}

func TestASpecWithoutANameIsLeftToValidate(t *testing.T) {
	c := parse(t, strict)
	for _, spec := range []*execution.Spec{{}, {Engine: "tool", Command: "x"}} {
		if err := c.Complete(spec); err != nil {
			t.Errorf("got %v", err)
		}
	}
}
