package container

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	longhaul "github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/rig"
)

// compose is docker-compose.yml, running as a project of its own.
type compose struct {
	*system // what starts executions and waits for them
	env     []string
}

// composeToken is the token that docker-compose.yml has where nobody sets one.
const composeToken = "longhaul-on-this-machine"

func upCompose(t *testing.T) *compose {
	t.Helper()
	if os.Getenv("LONGHAUL_COMPOSE") == "" {
		t.Skip("SKIPPED, NOT PASSED: docker-compose.yml is tested by make compose-test")
	}
	c := &compose{system: &system{t: t, docker: docker(t)}}
	if out, err := exec.CommandContext(t.Context(), "docker", "compose", "version").CombinedOutput(); err != nil {
		rig.Missing(t, "LONGHAUL_REQUIRE_DOCKER", fmt.Sprintf("there is no docker compose: %v %s", err, out))
	}
	for _, service := range []string{"api", "worker"} {
		c.command("docker", "build", "-q", "-t", "longhaul-test-own-"+service, "-f", "testdata/own/Dockerfile."+service, "testdata/own")
	}
	port, dashboard := free(t), free(t)
	c.env = append(os.Environ(), "API_IMAGE=longhaul-test-own-api", "WORKER_IMAGE=longhaul-test-own-worker",
		"LONGHAUL_PORT="+port, "MONITORING_PORT="+dashboard, "MAX_CONCURRENT=2",
		"COMPOSE_PROJECT_NAME=longhaul-test", "COMPOSE_FILE=../../docker-compose.yml")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", c.out("logs", "--tail", "60", "--no-color"))
		}
		c.out("down", "--volumes", "--timeout", "2")
	})
	c.compose("up", "--detach", "--no-build", "--wait")
	c.url = "http://127.0.0.1:" + port
	var err error
	if c.client, err = longhaul.New(c.url, composeToken, longhaul.Options{}); err != nil {
		t.Fatal(err)
	}
	c.dashboard("http://127.0.0.1:" + dashboard)
	return c
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// compose runs docker compose, which must succeed, and gives its output.
func (c *compose) compose(args ...string) string {
	c.t.Helper()
	return c.command("docker", append([]string{"compose"}, args...)...)
}

// out is for the end of a test, when its context is over and nothing must succeed any more.
func (c *compose) out(args ...string) string {
	cmd := exec.CommandContext(context.Background(), "docker", append([]string{"compose"}, args...)...)
	cmd.Env = c.env
	text, _ := cmd.CombinedOutput()
	return string(text)
}

func (c *compose) command(name string, args ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), name, args...)
	cmd.Env = c.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		c.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(out.String())
}

// containers are the ids of a service's.
func (c *compose) containers(service string) []string {
	c.t.Helper()
	return strings.Fields(c.compose("ps", "--quiet", service))
}

func (c *compose) wantAnswer(url, with string) {
	c.t.Helper()
	var last string
	for end := time.Now().Add(patience); time.Now().Before(end); pass(c.t, 200*time.Millisecond) {
		res, err := http.Get(url)
		if err != nil {
			last = err.Error()
			continue
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if last = res.Status + " " + string(body); res.StatusCode == http.StatusOK && strings.Contains(last, with) {
			return
		}
	}
	c.t.Fatalf("%s: %s", url, last)
}

// dashboard shows its queues to operators, and to nobody else.
func (c *compose) dashboard(url string) {
	c.t.Helper()
	c.wantAnswer(url+"/monitoring/login", "OPERATOR_TOKENS")
	for token, want := range map[string]int{composeToken: http.StatusOK, "somebody-else-who-guesses": http.StatusUnauthorized} {
		req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, url+"/monitoring/api/queues", nil)
		if err != nil {
			c.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			c.t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			c.t.Errorf("the dashboard's queues with %s: %s", token, res.Status)
		}
	}
}

func TestComposeRunsTheMainJobThroughADeadWorkerARollAndMoreWorkers(t *testing.T) {
	c := upCompose(t)
	if apis, workers := c.containers("api"), c.containers("worker"); len(apis) != 2 || len(workers) != 3 {
		t.Fatalf("%d APIs, %d workers", len(apis), len(workers))
	}
	t.Logf("idle:\n%s", c.command("docker", append([]string{"stats", "--no-stream", "--format", "{{.Name}}\t{{.MemUsage}}"}, strings.Fields(c.compose("ps", "--quiet"))...)...))

	c.mainJob()
	c.streamsAreNotHeldBack()
	c.killAWorker()
	c.rollTheAPI()
	c.moreWorkers()
	c.loseRedis()
}

// mainJob is README's: its files are in the S3 store, whichever worker made them.
func (c *compose) mainJob() {
	c.t.Helper()
	id := c.startCommand("python", "src/main.py", "voice-of-customer", "--analysis-type", "topic-based",
		"--multi-agent", "--time-period", "week", "--ai-model", "openai", "--generate-gamma")
	c.ends(id, patience, execution.Completed, execution.ReasonExited)
	var report bytes.Buffer
	if _, err := c.client.Download(c.t.Context(), id, "report.html", &report); err != nil || !strings.Contains(report.String(), "<html") {
		c.t.Errorf("report.html: %v, %d bytes", err, report.Len())
	}
}

// streamsAreNotHeldBack: while the engine still runs, its lines are here.
func (c *compose) streamsAreNotHeldBack() {
	c.t.Helper()
	id := c.start("tick", `{"lines": 600, "pause_ms": 100}`, "")
	c.prints(id, "line 5")
	if e, err := c.client.Status(c.t.Context(), id); err != nil || e.Status != execution.Running {
		c.t.Errorf("the proxy gave line 5 away when the execution was %+v (%v)", e, err)
	}
	if _, err := c.client.Cancel(c.t.Context(), id, 10*time.Second); err != nil {
		c.t.Error(err)
	}
	c.ends(id, patience, execution.Cancelled, execution.ReasonCancelled)
}

func (c *compose) killAWorker() {
	c.t.Helper()
	var ids []execution.ID
	for range 6 { // all slots of three workers
		ids = append(ids, c.start("tick", `{"lines": 80, "pause_ms": 100}`, "requeue"))
	}
	for _, id := range ids {
		c.prints(id, "line 3")
	}
	doomed := c.containers("worker")[0]
	c.command("docker", "kill", doomed)
	second := 0
	for _, id := range ids {
		if e := c.ends(id, patience, execution.Completed, execution.ReasonExited); e.Attempt == 2 {
			second++
		}
	}
	if second == 0 || second > 2 {
		c.t.Errorf("%d executions ran twice; the dead worker had two at most", second)
	}
	c.command("docker", "start", doomed)
}

// rollTheAPI replaces one replica after the other under requests, and under a
// stream that is read to its end.
func (c *compose) rollTheAPI() {
	c.t.Helper()
	id := c.start("tick", `{"lines": 300, "pause_ms": 100}`, "fail")
	ctx, stop := context.WithCancel(c.t.Context())
	defer stop()
	var asking sync.WaitGroup
	asked, refused := 0, []string{}
	asking.Go(func() {
		for ; ctx.Err() == nil; pass(c.t, 20*time.Millisecond) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/execute/status/"+string(id), nil)
			if err != nil {
				refused = append(refused, err.Error())
				return
			}
			req.Header.Set("Authorization", "Bearer "+composeToken)
			res, err := http.DefaultClient.Do(req)
			if ctx.Err() != nil {
				return
			}
			asked++
			if err != nil {
				refused = append(refused, err.Error())
				continue
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				refused = append(refused, res.Status)
			}
		}
	})
	var text strings.Builder
	var last execution.Cursor
	asking.Go(func() {
		for e, err := range c.client.Stream(c.t.Context(), id, 0) {
			if err != nil {
				c.t.Errorf("stream: %v", err)
				return
			}
			if e.Seq != last+1 {
				c.t.Errorf("event %d after %d", e.Seq, last)
			}
			last = e.Seq
			if e.Type == execution.EventLog {
				var l struct{ Text string }
				if json.Unmarshal(e.Data, &l) == nil {
					text.WriteString(l.Text)
				}
			}
		}
		stop()
	})
	before := c.containers("api")
	c.command("../../deploy/compose/roll.sh")
	for _, replica := range c.containers("api") {
		if slices.Contains(before, replica) {
			c.t.Errorf("%s is still there", replica)
		}
	}
	asking.Wait()
	if len(refused) > 0 || asked < 50 {
		c.t.Errorf("%d of %d requests failed during the roll: %v", len(refused), asked, refused[:min(len(refused), 5)])
	}
	c.t.Logf("%d requests during the roll", asked)
	c.ends(id, patience, execution.Completed, execution.ReasonExited)
	c.lines(id, 300)
}

func (c *compose) moreWorkers() {
	c.t.Helper()
	c.compose("up", "--detach", "--no-build", "--no-deps", "--no-recreate", "--wait", "--scale", "worker=5", "worker")
	var ids []execution.ID
	for i := range 10 {
		ids = append(ids, c.start("tick", fmt.Sprintf(`{"lines": %d, "pause_ms": 100}`, 100+i), "fail"))
	}
	workers := map[any]bool{}
	for i, id := range ids {
		workers[value(c.ends(id, patience, execution.Completed, execution.ReasonExited).Worker)] = true
		c.lines(id, 100+i)
	}
	if len(workers) != 5 {
		c.t.Errorf("ten executions on ten slots ran on %d workers: %v", len(workers), workers)
	}
}

// loseRedis loses what Redis has on disk too, and restores a backup.
func (c *compose) loseRedis() {
	c.t.Helper()
	before := c.start("tick", `{"lines": 20}`, "fail")
	c.ends(before, patience, execution.Completed, execution.ReasonExited)
	running := c.start("tick", `{"lines": 900, "pause_ms": 100}`, "fail")
	c.prints(running, "line 3")
	file := filepath.Join(c.t.TempDir(), "longhaul.rdb")
	c.command("../../deploy/compose/redis-backup.sh", "save", file)
	after := c.start("tick", `{"lines": 1}`, "fail")
	c.ends(after, patience, execution.Completed, execution.ReasonExited)

	c.command("../../deploy/compose/redis-backup.sh", "restore", file)
	c.ends(before, patience, execution.Completed, execution.ReasonExited)
	c.lines(before, 20)
	if _, err := c.client.Status(c.t.Context(), after); execution.CodeOf(err) != execution.NotFound {
		c.t.Errorf("what came after the backup: %v", err)
	}
	c.ends(running, patience, execution.Errored, execution.ReasonWorkerLost) // the backup says it runs; its worker is another now
	id := c.start("tick", `{"lines": 3}`, "fail")
	c.ends(id, patience, execution.Completed, execution.ReasonExited)
}
