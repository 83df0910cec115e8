// Package e2e drives the built binaries as a user would: two API replicas, two
// workers, one Redis, over HTTP. What it proves, no unit test can.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redistest"
)

const token = "end-to-end-test-token"

// bin holds the built binaries: api, worker, longhaul, badchild.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "longhaul-e2e-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(bin)
		build := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", bin+"/", "./cmd/...", "./pkg/process/processtest/cmd/...")
		build.Dir = root()
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the binaries: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// root is the repository's folder.
func root() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

// system is Redis and the binaries of one test.
type system struct {
	t     *testing.T
	redis *redistest.Server
	env   []string
	dir   string
}

// proc is one running binary.
type proc struct {
	t    *testing.T
	name string
	url  string // of an API
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

func newSystem(t *testing.T, env ...string) *system {
	t.Helper()
	return systemOn(t, redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always"), env...)
}

func systemOn(t *testing.T, redis *redistest.Server, env ...string) *system {
	t.Helper()
	dir := t.TempDir()
	catalog := filepath.Join(dir, "engines.yaml")
	if err := os.WriteFile(catalog, []byte(strings.NewReplacer("$ROOT", root(), "$BIN", bin).Replace(enginesYAML)), 0o600); err != nil {
		t.Fatal(err)
	}
	return &system{t: t, redis: redis, dir: dir, env: append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "REDIS_URL=" + redis.URL, "API_TOKENS=" + token, "HOST=127.0.0.1",
		"ENGINES_FILE=" + catalog, "ARTIFACTS_URL=file://" + filepath.Join(dir, "outputs"), "WORKDIR=" + filepath.Join(dir, "work"),
		"LOG_FORMAT=json", "LOG_LEVEL=debug", "TEST_SECRET=correct-horse-battery", "DRAIN_TIMEOUT=5s", "CANCEL_GRACE=1s",
	}, env...)}
}

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

// start runs a binary until the test ends.
func (s *system) start(name string, env ...string) *proc {
	s.t.Helper()
	p := &proc{t: s.t, name: name, done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(bin, name))
	p.cmd.Env = append(append([]string{}, s.env...), env...)
	p.cmd.Dir = s.dir
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		s.t.Fatalf("start %s: %v", name, err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	s.t.Cleanup(func() {
		p.kill()
		if s.t.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			s.t.Logf("log of %s:\n%s", name, tail(p.log.String(), 8000))
		}
	})
	return p
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// api starts a replica and waits until it listens.
func (s *system) api(env ...string) *proc {
	s.t.Helper()
	port := redistest.FreePort(s.t)
	p := s.start("api", append(env, "PORT="+strconv.Itoa(port))...)
	p.url = "http://127.0.0.1:" + strconv.Itoa(port)
	s.eventually("the API listens", func() bool {
		p.mustLive()
		res, err := http.Get(p.url + "/health")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return p
}

func (s *system) worker(env ...string) *proc {
	s.t.Helper()
	p := s.start("worker", env...)
	s.eventually("the worker has started", func() bool { p.mustLive(); return p.logged("worker started") })
	return p
}

// mustLive ends the test when the binary has ended by itself.
func (p *proc) mustLive() {
	p.t.Helper()
	select {
	case <-p.done:
		p.t.Fatalf("%s ended: %v", p.name, p.cmd.ProcessState)
	default:
	}
}

func (p *proc) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *proc) logged(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(p.log.String(), text)
}

func (p *proc) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

func (p *proc) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop sends SIGTERM and waits for the end, which must come in time and be clean.
func (p *proc) stop(within time.Duration) {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(within):
		p.t.Fatalf("%s did not stop within %v", p.name, within)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("%s exited with %d", p.name, code)
	}
}

func (s *system) eventually(what string, cond func() bool) {
	s.t.Helper()
	deadline := time.After(40 * time.Second)
	for !cond() {
		select {
		case <-deadline:
			s.t.Fatalf("it never came to be that %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (p *proc) client() *client.Client {
	p.t.Helper()
	c, err := client.New(p.url, token, client.Options{GiveUpAfter: 30 * time.Second})
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// run starts an execution.
func (p *proc) run(req api.StartRequest) execution.ID {
	p.t.Helper()
	started, err := p.client().Start(p.t.Context(), req, "")
	if err != nil {
		p.t.Fatalf("start: %v", err)
	}
	return started.ID
}

// script starts a shell script.
func (p *proc) script(text string) execution.ID {
	p.t.Helper()
	return p.run(api.StartRequest{Command: "sh", Args: []string{"-c", text}})
}

func (p *proc) status(id execution.ID) *api.Execution {
	p.t.Helper()
	e, err := p.client().Status(p.t.Context(), id)
	if err != nil {
		p.t.Fatalf("status: %v", err)
	}
	return e
}

// wait gives the status at the end.
func (p *proc) wait(id execution.ID) *api.Execution {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 90*time.Second)
	defer cancel()
	e, err := p.client().Wait(ctx, id)
	if err != nil {
		p.t.Fatalf("wait for %s: %v", id, err)
	}
	return e
}

func (p *proc) text(id execution.ID) string {
	p.t.Helper()
	var b bytes.Buffer
	if _, err := p.client().OutputText(p.t.Context(), id, &b, client.TextQuery{}); err != nil {
		p.t.Fatalf("output: %v", err)
	}
	return b.String()
}

// do sends a request by hand.
func (p *proc) do(method, path, body string, header ...string) (*http.Response, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
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
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
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
