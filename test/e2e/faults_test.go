package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
)

// numbered prints n lines with their numbers, a pause after each.
func numbered(n int, pause string) string {
	return fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); echo line $i; sleep %s; done", n, pause)
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i+1)
	}
	return b.String()
}

func TestFiveRunAtOnceAndTheRestStandInLine(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	var ids []execution.ID
	for range 8 {
		ids = append(ids, a.script("sleep 60"))
	}
	for i, id := range ids {
		if got := a.status(id).QueuePosition; got == nil || *got > i {
			t.Errorf("place %d in line is %v", i, got)
		}
	}
	s.worker()
	running := func() (n int) {
		for _, id := range ids {
			if a.status(id).Status == execution.Running {
				n++
			}
		}
		return n
	}
	s.Eventually("five run", func() bool { return running() == 5 })
	list, err := a.Client().List(t.Context(), client.ListQuery{Status: []execution.Status{execution.Queued}})
	if err != nil || len(list.Executions) != 3 {
		t.Fatalf("%d queued, %v", len(list.Executions), err)
	}
	for i, e := range slices.Backward(list.Executions) { // newest first: the last is next in line
		if want := len(list.Executions) - 1 - i; e.QueuePosition == nil || *e.QueuePosition != want {
			t.Errorf("%s is at %v, want %d", e.ID, e.QueuePosition, want)
		}
	}
	for _, id := range ids {
		if _, err := a.Client().Cancel(t.Context(), id, 20*time.Second); err != nil {
			t.Errorf("cancel: %v", err)
		}
		if e := a.status(id); e.Status != execution.Cancelled {
			t.Errorf("%s is %s", id, e.Status)
		}
	}
}

func TestCancelProvesThatNothingIsLeft(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	s.worker()
	id := a.run(api.StartRequest{Command: "badchild", Args: []string{"stubborn"}})
	s.Eventually("it is ready", func() bool { return strings.Contains(a.text(id), "ready") })
	got, err := a.Client().Cancel(t.Context(), id, 30*time.Second)
	if err != nil || got.Status != execution.Cancelled || got.GroupEmptyAt == nil || got.SignalSentAt == nil {
		t.Fatalf("%+v, %v", got, err)
	}
	if left := processesOf(t, id); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	e := a.status(id)
	if value(e.Signal) != "SIGKILL" || value(e.ReturnCode) != 137 || e.ExitCode != nil {
		t.Errorf("status is %+v", e)
	}
	// Again is harmless; of one that ended otherwise it is refused.
	if again, err := a.Client().Cancel(t.Context(), id, 0); err != nil || again.Status != execution.Cancelled {
		t.Errorf("again: %+v, %v", again, err)
	}
	done := a.script("true")
	a.wait(done)
	if _, err := a.Client().Cancel(t.Context(), done, 0); execution.CodeOf(err) != execution.Conflict {
		t.Errorf("cancel of a completed one: %v", err)
	}
}

func TestAKilledWorkerIsNoticedAndItsEnginesDieWithIt(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	doomed := s.worker()
	id := a.script("setsid sleep 300 & echo ready; sleep 300")
	again := a.run(api.StartRequest{Command: "sh", Args: []string{"-c", "echo attempt $EXECUTION_ATTEMPT; [ $EXECUTION_ATTEMPT = 2 ] || sleep 300"}, OnInterrupt: "requeue"})
	s.Eventually("both run", func() bool {
		return strings.Contains(a.text(id), "ready") && strings.Contains(a.text(again), "attempt 1")
	})
	doomed.Signal(syscall.SIGKILL)
	killed := time.Now()
	<-doomed.Done
	s.Eventually("their processes are gone", func() bool { return len(processesOf(t, id)) == 0 && len(processesOf(t, again)) == 0 })
	t.Logf("processes gone after %v", time.Since(killed))
	s.worker()
	e := a.wait(id)
	t.Logf("noticed after %v", time.Since(killed))
	if e.Status != execution.Errored || value(e.Reason) != execution.ReasonWorkerLost {
		t.Errorf("%s, %s", e.Status, value(e.Reason))
	}
	if e := a.wait(again); e.Status != execution.Completed || e.Attempt != 2 || a.text(again) != "attempt 1\nattempt 2\n" ||
		len(e.PastAttempts) != 1 || e.PastAttempts[0].Reason != execution.ReasonWorkerLost {
		t.Errorf("%s, attempt %d, %q", e.Status, e.Attempt, a.text(again))
	}
}

func TestADeployOfWorkersLeavesNothingRunning(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	old := s.worker()
	fail := a.script("echo ready; sleep 300")
	again := a.run(api.StartRequest{Command: "sh", Args: []string{"-c", "echo attempt $EXECUTION_ATTEMPT; [ $EXECUTION_ATTEMPT = 2 ] || sleep 300"}, OnInterrupt: "requeue"})
	waiting := a.run(api.StartRequest{Command: "sh", Args: []string{"-c", "echo hello"}, DelaySeconds: 2})
	s.Eventually("both run", func() bool {
		return strings.Contains(a.text(fail), "ready") && strings.Contains(a.text(again), "attempt 1")
	})
	fresh := s.worker() // as platforms do: the new one first
	old.Stop(15 * time.Second)
	if e := a.status(fail); e.Status != execution.Errored || value(e.Reason) != execution.ReasonInterrupted {
		t.Errorf("after the worker's end: %s, %s", e.Status, value(e.Reason))
	}
	if e := a.wait(again); e.Status != execution.Completed || e.Attempt != 2 {
		t.Errorf("%s, attempt %d", e.Status, e.Attempt)
	}
	if e := a.wait(waiting); e.Status != execution.Completed {
		t.Errorf("%s", e.Status)
	}
	fresh.Stop(15 * time.Second)
}

func TestAStreamGoesOnThroughADeployOfTheAPI(t *testing.T) {
	s := newSystem(t)
	a, b := s.api(), s.api()
	s.worker()
	// A client behind a balancer: it is sent to whichever replica lives.
	var mu sync.Mutex
	target := a.URL
	balancer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		url := target
		mu.Unlock()
		http.Redirect(w, r, url+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	defer balancer.Close()
	http1 := &http.Client{CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		req.Header.Set("Authorization", "Bearer "+token) // dropped by default, since the port differs
		return nil
	}}
	c, err := client.New(balancer.URL, token, client.Options{HTTP: http1})
	if err != nil {
		t.Fatal(err)
	}
	id := a.script(numbered(100, "0.03"))
	var got strings.Builder
	rolled := false
	for e, err := range c.Stream(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == execution.EventLog {
			d := decode[api.LogData](t, string(e.Data))
			got.Write(d.Bytes())
		}
		if !rolled && strings.Contains(got.String(), "line 20\n") {
			rolled = true
			mu.Lock()
			target = b.URL
			mu.Unlock()
			a.Stop(10 * time.Second)
		}
	}
	if got.String() != lines(100) {
		t.Errorf("the client saw %q", got.String())
	}
}

func TestRedisDownAtStartIsWaitedOutAndTold(t *testing.T) {
	redis := redistest.Start(t, "--appendonly", "yes")
	redis.Stop()
	s := systemOn(t, redis)
	a := s.api()
	w := s.start("worker")
	res, body := a.do("GET", "/ready", "")
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "redis") {
		t.Errorf("/ready: %d %s", res.StatusCode, body)
	}
	if res, body := a.do("GET", "/health", ""); res.StatusCode != http.StatusOK || strings.TrimSpace(body) != `{"status":"ok"}` {
		t.Errorf("/health: %d %s", res.StatusCode, body)
	}
	res, body = a.do("POST", "/execute/start", `{"command":"sh","args":["-c","echo hi"]}`)
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "REDIS_URL") || res.Header.Get("Retry-After") == "" {
		t.Errorf("start: %d %s", res.StatusCode, body)
	}
	redis.Start()
	s.Eventually("it is ready", func() bool {
		res, _ := a.do("GET", "/ready", "")
		return res.StatusCode == http.StatusOK
	})
	s.Eventually("the worker has started", func() bool { w.MustLive(); return w.Logged("worker started") })
	if e := a.wait(a.script("echo hi")); e.Status != execution.Completed {
		t.Errorf("%s", e.Status)
	}
}

func TestEnginesGoOnThroughAnOutageOfRedis(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	w := s.worker()
	id := a.script(numbered(60, "0.1"))
	s.Eventually("it has begun", func() bool { return strings.Contains(a.text(id), "line 5\n") })
	s.Redis.Kill()
	<-time.After(3 * time.Second)
	s.Redis.Start()
	w.MustLive()
	e := a.wait(id)
	if e.Status != execution.Completed || a.text(id) != lines(60) {
		t.Errorf("%s, %s, %q", e.Status, value(e.ErrorMessage), a.text(id))
	}
}

func TestATaskThatAsynqLosesIsFoundAgain(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	id := a.script("echo found")
	rdb, err := redisstore.Dial(s.Redis.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	for _, key := range rdb.Keys(t.Context(), "asynq:*").Val() {
		rdb.Del(t.Context(), key)
	}
	s.worker()
	if e := a.wait(id); e.Status != execution.Completed || a.text(id) != "found\n" {
		t.Errorf("%s", e.Status)
	}
}

func TestAWordWithoutItsNewlineIsHeardBeforeTheNext(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	s.worker()
	if err := syscall.Mkfifo(s.Dir+"/go", 0o600); err != nil {
		t.Fatal(err)
	}
	id := a.script(`printf once; read line < "$HOME/go"; printf ' more'`)
	var heard strings.Builder
	for e, err := range a.Client().Stream(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type != execution.EventLog {
			continue
		}
		d := decode[api.LogData](t, string(e.Data))
		if heard.Len() == 0 { // the engine goes on only now that a client has heard it
			if err := os.WriteFile(s.Dir+"/go", []byte("go\n"), 0); err != nil {
				t.Fatal(err)
			}
		}
		heard.Write(d.Bytes())
	}
	if heard.String() != "once more" {
		t.Errorf("heard %q", heard.String())
	}
}

func TestTheDisconnectOfAStarterCancelsOnlyWhenAsked(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	s.worker()
	for query, want := range map[string]execution.Status{"": execution.Completed, "&on_disconnect=cancel": execution.Cancelled} {
		ctx, hangUp := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+"/execute?command=sh&args=-c&args=echo+ready%3Bsleep+3"+query, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		id := execution.ID(res.Header.Get("X-Execution-Id"))
		for sc := bufio.NewScanner(res.Body); sc.Scan() && !strings.Contains(sc.Text(), "ready"); {
		}
		hangUp()
		res.Body.Close()
		if e := a.wait(id); e.Status != want {
			t.Errorf("%q: %s, want %s", query, e.Status, want)
		}
	}
}

func TestSecretsStayInside(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	s.worker()
	id := a.script(`echo "$TEST_SECRET"; printf %s "$TEST_SECRET" | base64; printf correct-; sleep 0.2; echo horse-battery
		echo "{\"type\":\"note\",\"text\":\"$TEST_SECRET\"}" >&3; echo "{\"k\":\"$TEST_SECRET\"}" > "$EXECUTION_RESULT_FILE"
		env | grep -c 'REDIS_URL\|API_TOKENS'; echo "$TEST_SECRET" >&2; exit 3`)
	e := a.wait(id)
	_, all := a.do("GET", "/execute/output/"+string(id), "")
	told := all + value(e.ErrorMessage)
	for _, leak := range []string{"horse", "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"} {
		if strings.Contains(told, leak) {
			t.Errorf("%q is in %s", leak, told)
		}
	}
	if text := a.text(id); !strings.Contains(text, "\n0\n") {
		t.Errorf("the worker's own environment reached the engine: %q", text)
	}
	if e.Status != execution.Failed || value(e.ExitCode) != 3 {
		t.Errorf("%s", e.Status)
	}
}

func TestAPIAndWorkerShareArtifactsThroughABucket(t *testing.T) {
	fake := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithAutoBucket(true)).Server())
	defer fake.Close()
	s := newSystem(t, "ARTIFACTS_URL=s3://outputs/prefix?endpoint="+fake.URL+"&region=us-east-1&style=path",
		"ARTIFACTS_ACCESS_KEY_ID=key", "ARTIFACTS_SECRET_ACCESS_KEY=secret")
	a := s.api()
	s.worker()
	id := a.script(`mkdir -p "$EXECUTION_OUTPUT_DIR/a b"; printf 0123456789 > "$EXECUTION_OUTPUT_DIR/a b/ü.txt"; exit 1`)
	if e := a.wait(id); e.Status != execution.Failed {
		t.Fatalf("%s", e.Status)
	}
	files, err := a.Client().Artifacts(t.Context(), id)
	if err != nil || len(files.Artifacts) != 1 {
		t.Fatalf("%+v, %v", files, err)
	}
	res, body := a.do("GET", files.Artifacts[0].URL, "", "Range", "bytes=2-4")
	if res.StatusCode != http.StatusPartialContent || body != "234" {
		t.Errorf("%d %q", res.StatusCode, body)
	}
}

func TestTheRealSizeOfTheWorldIsSurvived(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	s.worker()
	for _, args := range [][]string{{"flood", "20000000"}, {"long-line", "10000000"}, {"binary"}, {"hold-pipe"}, {"daemon"}, {"close-stdout"}} {
		req := api.StartRequest{Command: "badchild", Args: args, TimeoutSeconds: 20}
		if args[0] == "close-stdout" {
			req.TimeoutSeconds = 1
		}
		id := a.run(req)
		e := a.wait(id)
		if want := map[bool]execution.Status{true: execution.Timeout, false: execution.Completed}[args[0] == "close-stdout"]; e.Status != want {
			t.Errorf("%v: %s, %s", args, e.Status, value(e.ErrorMessage))
		}
		if n := len(a.text(id)); args[0] == "flood" && n != 20_000_000 || args[0] == "long-line" && n != 10_000_000 {
			t.Errorf("%v: %d bytes", args, n)
		}
		if left := processesOf(t, id); len(left) > 0 {
			t.Errorf("%v left %v", args, left)
		}
	}
	if e := a.wait(a.run(api.StartRequest{Command: "badchild", Args: []string{"exit", "137"}})); value(e.ExitCode) != 137 || e.Signal != nil {
		t.Errorf("exit 137 by itself: %+v", e)
	}
}

func TestTheCommandLinePassesOutputAndExitCodeThrough(t *testing.T) {
	s := newSystem(t)
	a := s.api()
	s.worker()
	env := []string{"LONGHAUL_URL=" + a.URL, "LONGHAUL_TOKEN=" + token, "PATH=" + os.Getenv("PATH")}
	for _, c := range []struct {
		args        []string
		out, errOut string
		code        int
	}{
		{[]string{"run", "--", "sh", "-c", "echo out; echo err >&2"}, "out\n", "err\n", 0},
		{[]string{"run", "--", "sh", "-c", "exit 42"}, "", "exited with code 42", 42},
		{[]string{"run", "--timeout", "1s", "--", "sh", "-c", "sleep 60"}, "", "timeout", 124},
		{[]string{"run", "--", "sh", "-c", "kill -TERM $$"}, "", "SIGTERM", 143},
		{[]string{"run", "--", "rm", "-rf", "/"}, "", "catalog allows", 126},
		{[]string{"logs", "exec_1_aaaaaaaaa"}, "", "RETENTION", 125},
	} {
		out, errOut, code := runCLI(t, env, c.args...)
		if out != c.out || !strings.Contains(errOut, c.errOut) || code != c.code {
			t.Errorf("longhaul %v: %d, %q, %q", c.args, code, out, errOut)
		}
	}
}
