package sdk

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/rig"
)

const recipesYAML = `
defaults: {timeout: 60s}
engines:
  crew.py: {command: [python3, crew.py], cwd: $RECIPES, env: {PYTHONPATH: "$ROOT/sdk/python:$ROOT/test/sdk/testdata/standins"}}
  chain.py: {command: [python3, chain.py], cwd: $RECIPES, env: {PYTHONPATH: "$ROOT/sdk/python:$ROOT/test/sdk/testdata/standins"}}
  count.sh: {command: [sh, count.sh], cwd: $RECIPES}
  count.mjs: {command: [node, count.mjs], cwd: $RECIPES}
`

// The recipes of docs/engines.md are run as engines, as they stand there.
func TestTheRecipes(t *testing.T) {
	folder := t.TempDir()
	found := 0
	for _, b := range blocks(t, "engines.md") {
		if b.word == "" {
			continue
		}
		found++
		if err := os.WriteFile(filepath.Join(folder, b.word), []byte(b.text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := rig.New(t, bin, strings.ReplaceAll(recipesYAML, "$RECIPES", folder), "LOG_LEVEL=info")
	server := s.API()
	s.Worker()
	c := server.Client()
	recipes := []struct {
		name, needs, require string
		input                string
		events               []string // as type, then data
		output, result       string
	}{
		{
			name: "crew.py", needs: "python3", require: "LONGHAUL_REQUIRE_PYTHON", input: `{"topic":"cocoa"}`,
			events: []string{
				`agent {"name":"researcher","status":"running"}`, `tool {"agent":"researcher","name":"search"}`, `agent {"name":"writer","status":"completed"}`,
				`progress {"percent":50.0}`, `progress {"percent":100.0}`, `artifact {"path":"page.md"}`,
			},
			output: "Look into cocoa\nWrite a page on cocoa\n", result: `{"page":"Write a page on cocoa"}`,
		},
		{
			name: "chain.py", needs: "python3", require: "LONGHAUL_REQUIRE_PYTHON", input: `{"q":1}`,
			events: []string{`agent {"name":"graph","status":"completed"}`, `"message":"tea","name":"search","status":"running"}`, `"message":"broken","status":"failed"}`},
			output: "tea is warm\n", result: `"{'output': 'tea is warm', 'asked': {'q': 1}}"`,
		},
		{
			name: "count.sh", needs: "sh", require: "LONGHAUL_REQUIRE_PYTHON",
			events: []string{`agent {"name":"counter","status":"completed"}`}, output: "at 900\nat 1000\n", result: `{"counted":1000}`,
		},
		{
			name: "count.mjs", needs: "node", require: "LONGHAUL_REQUIRE_NODE",
			events: []string{`progress {"percent":100}`, `agent {"name":"counter","status":"completed"}`}, output: "step 4\nstep 5\n", result: `{"counted":5}`,
		},
	}
	if found != len(recipes) {
		t.Errorf("docs/engines.md has %d recipes, and %d are tried", found, len(recipes))
	}
	for _, r := range recipes {
		t.Run(r.name, func(t *testing.T) {
			rig.Need(t, r.require, r.needs)
			started, err := c.Start(t.Context(), api.StartRequest{Engine: r.name, Input: json.RawMessage(r.input)}, "")
			if err != nil {
				t.Fatal(err)
			}
			ended, err := c.Wait(t.Context(), started.ID)
			if err != nil {
				t.Fatal(err)
			}
			out, err := c.Output(t.Context(), started.ID, client.OutputQuery{Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			if ended.Status != execution.Completed || !strings.HasSuffix(out.Output, r.output) || compact(t, out.Result) != r.result {
				t.Errorf("%s, output %q, result %s", ended.Status, out.Output, out.Result)
			}
			var events strings.Builder
			for _, e := range out.Events {
				events.WriteString(string(e.Type) + " " + compact(t, e.Data) + "\n")
			}
			for _, want := range r.events {
				if !strings.Contains(events.String(), want) {
					t.Errorf("%s did not come, but\n%s", want, events.String())
				}
			}
		})
	}
}

func compact(t *testing.T, data json.RawMessage) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
