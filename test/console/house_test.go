package console

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redistest"
)

// house is Redis, an API and a worker of one test.
type house struct {
	t      *testing.T
	url    string
	client *client.Client
	redis  *redistest.Server
	dir    string
	env    []string
	api    *proc
}

const catalog = `
engines:
  report:
    description: Writes a report about a topic, step by step
    command: [sh, -c, 'for i in 1 2 3; do echo "step $i of $PARAMS"; sleep 0.1; done; echo "<h1>Report</h1>" > $EXECUTION_OUTPUT_DIR/report.html']
    cwd: $ROOT/examples/shell
    params:
      required: [topic]
      properties:
        topic: {type: string, description: What the report is about, minLength: 3}
        length: {enum: [short, long], default: short, description: How much to write}
        pages: {type: integer, minimum: 1, maximum: 50, default: 10}
        draft: {type: boolean, description: Mark it as a draft}
        sources: {type: array, items: {type: string}, description: Where to look}
    params_to: env
  voice-of-customer:
    description: Reads what customers wrote in a week, and sums it up
    command: [python3, -c, "import json,os,sys,time; do=json.load(sys.stdin); os.write(int(os.environ['EXECUTION_EVENTS_FD']), json.dumps({'type':'progress','percent':do['percent']}).encode()+b'\\n'); time.sleep(do['seconds']); sys.exit(do['exit'])"]
    cwd: $ROOT/examples/shell
    allow_args: ["--week=[0-9]+"]
  agent:
    description: Answers in words, one by one
    command: [python3, agent.py]
    cwd: $ROOT/examples/agent
    env: {AGENT_TOKEN_DELAY: "0"}
commands:
  sh: {args: any}
  sleep: {args: any}
`

// newHouse starts Redis, one API and one worker with four slots.
func newHouse(t *testing.T, env ...string) *house {
	t.Helper()
	if _, err := chromium(); err != nil {
		missing(t, "LONGHAUL_REQUIRE_CHROMIUM", err.Error())
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
	redis := redistest.Start(t)
	h := &house{t: t, redis: redis, dir: t.TempDir()}
	engines := filepath.Join(h.dir, "engines.yaml")
	if err := os.WriteFile(engines, []byte(strings.ReplaceAll(catalog, "$ROOT", root())), 0o600); err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(redistest.FreePort(t))
	h.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "REDIS_URL=" + redis.URL, "API_TOKENS=" + token, "HOST=127.0.0.1", "PORT=" + port,
		"ENGINES_FILE=" + engines, "ARTIFACTS_URL=file://" + filepath.Join(h.dir, "outputs"), "WORKDIR=" + filepath.Join(h.dir, "work"),
		"DRAIN_TIMEOUT=2s", "CANCEL_GRACE=1s",
	}, env...)
	h.url = "http://127.0.0.1:" + port
	var err error
	if h.client, err = client.New(h.url, token, client.Options{}); err != nil {
		t.Fatal(err)
	}
	h.startAPI()
	h.worker("worker-1", "MAX_CONCURRENT=4")
	return h
}

// startAPI starts the API, for the first time or again.
func (h *house) startAPI() {
	h.t.Helper()
	h.api = h.start("api")
	h.eventually("the API listens", func() bool {
		h.api.mustLive(h.t)
		res, err := http.Get(h.url + "/health")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// worker starts one more.
func (h *house) worker(name string, env ...string) *proc {
	h.t.Helper()
	p := h.start("worker", append([]string{"WORKER_NAME=" + name, "PORT=0", "WORKER_PORT=" + strconv.Itoa(redistest.FreePort(h.t))}, env...)...)
	h.eventually(name+" has started", func() bool { return p.logged("worker started") })
	return p
}

// run starts an execution.
func (h *house) run(req api.StartRequest) execution.ID {
	h.t.Helper()
	started, err := h.client.Start(h.t.Context(), req, "")
	if err != nil {
		h.t.Fatal(err)
	}
	return started.ID
}

// sh starts a line of shell.
func (h *house) sh(line string) execution.ID {
	h.t.Helper()
	return h.run(api.StartRequest{Command: "sh", Args: []string{"-c", line}})
}

// await waits until an execution has a status.
func (h *house) await(id execution.ID, want execution.Status) {
	h.t.Helper()
	h.eventually(string(id)+" is "+string(want), func() bool {
		e, err := h.client.Status(h.t.Context(), id)
		return err == nil && e.Status == want
	})
}

func (h *house) eventually(what string, cond func() bool) {
	h.t.Helper()
	deadline := time.After(40 * time.Second)
	for !cond() {
		select {
		case <-deadline:
			h.t.Fatalf("it never came to be that %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// proc is one running binary.
type proc struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

func (h *house) start(name string, env ...string) *proc {
	h.t.Helper()
	p := &proc{done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(bin, name))
	p.cmd.Env, p.cmd.Dir = append(append([]string{}, h.env...), env...), h.dir
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		h.t.Fatalf("start %s: %v", name, err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	h.t.Cleanup(func() {
		p.kill()
		if h.t.Failed() {
			h.t.Logf("log of %s:\n%s", name, p.tail(4000))
		}
	})
	return p
}

func (p *proc) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *proc) tail(n int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.log.String()
	return s[max(0, len(s)-n):]
}

func (p *proc) logged(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(p.log.String(), text)
}

// mustLive ends the test when the binary has ended by itself.
func (p *proc) mustLive(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
		t.Fatalf("it ended: %v", p.cmd.ProcessState)
	default:
	}
}

func (p *proc) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}
