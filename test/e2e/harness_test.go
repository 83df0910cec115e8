// Package e2e drives the built binaries as a user would: two API replicas, two
// workers, one Redis, over HTTP. What it proves, no unit test can.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redistest"
	"github.com/longhaul/longhaul/test/rig"
)

const token = rig.Token

// bin holds the built binaries: api, worker, longhaul, badchild.
var bin string

func TestMain(m *testing.M) {
	os.Exit(rig.Main(m, &bin, "./cmd/...", "./pkg/process/processtest/cmd/..."))
}

// stage is a system of one test.
type stage struct{ *rig.System }

// proc is one running binary, and the calls of an API's client that must succeed.
type proc struct{ *rig.Proc }

func newSystem(t *testing.T, env ...string) stage {
	t.Helper()
	return stage{rig.New(t, bin, enginesYAML, append([]string{"TEST_SECRET=correct-horse-battery"}, env...)...)}
}

func systemOn(t *testing.T, redis *redistest.Server, env ...string) stage {
	t.Helper()
	return stage{rig.On(t, redis, bin, enginesYAML, append([]string{"TEST_SECRET=correct-horse-battery"}, env...)...)}
}

func (s stage) start(name string, env ...string) proc { return proc{s.Start(name, env...)} }
func (s stage) api(env ...string) proc                { return proc{s.API(env...)} }
func (s stage) worker(env ...string) proc             { return proc{s.Worker(env...)} }

const enginesYAML = `
engines:
  agent:
    command: [python3, agent.py]
    cwd: $ROOT/examples/agent
    env: {AGENT_TOKEN_DELAY: "0"}
  voice-of-customer:
    command: [python3, src/main.py, voice-of-customer]
    cwd: $ROOT/examples/voice-of-customer
    params:
      properties:
        time_period: {enum: [week, month], default: week}
        input: {type: string}
    args: ["--time-period={time_period}", {if: input, args: ["--input={input}"]}]
  disk-report:
    command: [sh, disk-report.sh]
    cwd: $ROOT/examples/shell
  word-count:
    command: [node, word-count.mjs]
    cwd: $ROOT/examples/node
commands:
  sh: {args: any, secrets: [TEST_SECRET]}
  badchild: {args: any, env: {PATH: "$BIN:/usr/bin:/bin"}}
  python: {args: any, cwd: $ROOT/examples/voice-of-customer}
`

// run starts an execution.
func (p proc) run(req api.StartRequest) execution.ID {
	p.T.Helper()
	started, err := p.Client().Start(p.T.Context(), req, "")
	if err != nil {
		p.T.Fatalf("start: %v", err)
	}
	return started.ID
}

// script starts a shell script.
func (p proc) script(text string) execution.ID {
	p.T.Helper()
	return p.run(api.StartRequest{Command: "sh", Args: []string{"-c", text}})
}

func (p proc) status(id execution.ID) *api.Execution {
	p.T.Helper()
	e, err := p.Client().Status(p.T.Context(), id)
	if err != nil {
		p.T.Fatalf("status: %v", err)
	}
	return e
}

// wait gives the status at the end.
func (p proc) wait(id execution.ID) *api.Execution {
	p.T.Helper()
	ctx, cancel := context.WithTimeout(p.T.Context(), 90*time.Second)
	defer cancel()
	e, err := p.Client().Wait(ctx, id)
	if err != nil {
		p.T.Fatalf("wait for %s: %v", id, err)
	}
	return e
}

func (p proc) text(id execution.ID) string {
	p.T.Helper()
	var b bytes.Buffer
	if _, err := p.Client().OutputText(p.T.Context(), id, &b, client.TextQuery{}); err != nil {
		p.T.Fatalf("output: %v", err)
	}
	return b.String()
}

// do sends a request by hand.
func (p proc) do(method, path, body string, header ...string) (*http.Response, string) {
	p.T.Helper()
	req, err := http.NewRequestWithContext(p.T.Context(), method, p.URL+path, strings.NewReader(body))
	if err != nil {
		p.T.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.T.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		p.T.Fatalf("%s %s: %v", method, path, err)
	}
	return res, string(data)
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

// processesOf finds what carries the execution's id in its environment.
func processesOf(t *testing.T, id execution.ID) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err == nil && strings.Contains(string(env), "EXECUTION_ID="+string(id)) {
			found = append(found, e.Name())
		}
	}
	return found
}

// runCLI runs bin/longhaul to its end.
func runCLI(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "longhaul"), args...)
	cmd.Env = env
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}
