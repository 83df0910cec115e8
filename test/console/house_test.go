package console

import (
	"testing"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redistest"
	"github.com/longhaul/longhaul/test/rig"
)

// house is Redis, an API and a worker of one test.
type house struct {
	*rig.System
	client *client.Client
	url    string
	port   int
	api    *rig.Proc
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
  weekly-voices:
    description: Agents read what customers wrote in a week
    command: [python3, $ROOT/test/console/testdata/voices.py]
  agent:
    description: Answers in words, one by one
    command: [python3, agent.py]
    cwd: $ROOT/examples/agent
    env: {AGENT_TOKEN_DELAY: "0"}
commands:
  sh: {args: any, env_from_request: [ONE, TWO]}
  sleep: {args: any}
`

// newHouse starts Redis, one API and one worker with four slots.
func newHouse(t *testing.T, env ...string) *house {
	t.Helper()
	if _, err := chromium(); err != nil {
		rig.Missing(t, "LONGHAUL_REQUIRE_CHROMIUM", err.Error())
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
	h := &house{System: rig.On(t, redistest.Start(t), bin, catalog, append([]string{"DRAIN_TIMEOUT=2s"}, env...)...), port: redistest.FreePort(t)}
	h.startAPI()
	h.client = h.api.Client()
	h.worker("worker-1", "MAX_CONCURRENT=4")
	return h
}

// startAPI starts the API, for the first time or again.
func (h *house) startAPI() {
	h.T.Helper()
	h.api = h.APIOn(h.port)
	h.url = h.api.URL
}

// worker starts one more.
func (h *house) worker(name string, env ...string) *rig.Proc {
	h.T.Helper()
	return h.Worker(append([]string{"WORKER_NAME=" + name}, env...)...)
}

// run starts an execution.
func (h *house) run(req api.StartRequest) execution.ID {
	h.T.Helper()
	started, err := h.client.Start(h.T.Context(), req, "")
	if err != nil {
		h.T.Fatal(err)
	}
	return started.ID
}

// sh starts a line of shell.
func (h *house) sh(line string) execution.ID {
	h.T.Helper()
	return h.run(api.StartRequest{Command: "sh", Args: []string{"-c", line}})
}

// await waits until an execution has a status.
func (h *house) await(id execution.ID, want execution.Status) {
	h.T.Helper()
	h.Eventually(string(id)+" is "+string(want), func() bool {
		e, err := h.client.Status(h.T.Context(), id)
		return err == nil && e.Status == want
	})
}
