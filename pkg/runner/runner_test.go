package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/engine"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/process/processtest"
	"github.com/longhaul/longhaul/pkg/queue"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
	"github.com/longhaul/longhaul/pkg/runner"
	"github.com/longhaul/longhaul/pkg/telemetry"
)

func TestMain(m *testing.M) {
	process.Main()
	goleak.VerifyTestMain(m)
}

// scripts is a catalog whose every command is a shell script given as the only argument.
type scripts struct {
	secrets           []string
	stalled, progress time.Duration
}

func (c scripts) Launch(s *execution.Spec, _ func(string) (string, bool)) (*engine.Launch, error) {
	if s.Command == "missing" {
		return &engine.Launch{Path: "/no/such/program", Env: []string{"PATH=/usr/bin:/bin"}}, nil
	}
	return &engine.Launch{
		Path: "/bin/sh", Args: append([]string{"-c"}, s.Args...), Stdin: s.Input, Secrets: c.secrets,
		Env: []string{"PATH=/usr/bin:/bin"}, Grace: 500 * time.Millisecond,
		StalledAfter: c.stalled, ProgressTimeout: c.progress, Warm: s.Labels["warm"],
	}, nil
}

// unready is a pool of processes for engines of which none is ready.
type unready struct{ *process.Pool }

func (u unready) Start(ctx context.Context, c process.Command) (*process.Process, error) {
	if c.Warm != "" {
		c.Cold = "its launcher fails: no module hunter2-very-secret"
	}
	return u.Pool.Start(ctx, c)
}

// line keeps the tickets of requeued executions.
type line struct {
	mu      sync.Mutex
	tickets []execution.Ticket
	dropped []execution.Ticket // by Delete or Drop
	states  map[execution.ID]queue.State
}

func (l *line) Enqueue(_ context.Context, tickets ...execution.Ticket) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tickets = append(l.tickets, tickets...)
	return nil
}

func (l *line) Delete(ctx context.Context, t execution.Ticket) error { return l.Drop(ctx, t) }

func (l *line) Drop(_ context.Context, t execution.Ticket) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped = append(l.dropped, t)
	return nil
}

func (l *line) State(_ context.Context, t execution.Ticket) (queue.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.states[t.ID], nil
}

// worker is a runner with everything real but Asynq.
type worker struct {
	*runner.Runner
	close func()
	t     *testing.T
	store *redisstore.Store
	srv   *redistest.Server
	line  *line
	files artifact.Store
}

func newWorker(t *testing.T, change func(*runner.Options)) *worker {
	t.Helper()
	store, srv := redistest.Store(t, redisstore.Options{LeaseTicks: 3})
	return workerOn(t, store, srv, change)
}

func workerOn(t *testing.T, store *redisstore.Store, srv *redistest.Server, change func(*runner.Options)) *worker {
	t.Helper()
	return workerWith(t, store, store, srv, change)
}

// workerWith writes through to, and reads what it wrote from store.
func workerWith(t *testing.T, to runner.Store, store *redisstore.Store, srv *redistest.Server, change func(*runner.Options)) *worker {
	t.Helper()
	files, err := artifact.Open("file://"+t.TempDir(), artifact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := runner.Options{
		Worker: "test-worker", Slots: 4, Workdir: t.TempDir(), Grace: time.Second, DrainTimeout: 10 * time.Second,
		RenewEvery: 50 * time.Millisecond, ArtifactLimits: artifact.DefaultLimits(), Lookup: os.LookupEnv,
		Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	pool := process.NewPool(process.PoolConfig{Slots: o.Slots})
	l := &line{states: map[execution.ID]queue.State{}}
	r, err := runner.New(to, idleScripts, unready{pool}, files, l, o)
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{Runner: r, close: sync.OnceFunc(func() {
		if err := r.Close(); err != nil {
			t.Errorf("close runner: %v", err)
		}
	}), t: t, store: store, srv: srv, line: l, files: files}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := pool.Close(context.Background()); err != nil {
			t.Errorf("close pool: %v", err)
		}
		w.close()
	})
	return w
}

func (w *worker) submit(script string, change func(*execution.Spec)) execution.ID {
	w.t.Helper()
	s := &execution.Spec{Command: "sh", Args: []string{script}}
	if change != nil {
		change(s)
	}
	s.Normalize(execution.DefaultLimits())
	c, err := w.store.Create(w.t.Context(), s, "", "")
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Record.ID
}

// run carries a script to its end.
func (w *worker) run(script string, change func(*execution.Spec)) *execution.Record {
	w.t.Helper()
	id := w.submit(script, change)
	w.Handle(context.Background(), id)
	return w.get(id)
}

func (w *worker) get(id execution.ID) *execution.Record {
	w.t.Helper()
	r, err := w.store.Get(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *worker) events(id execution.ID) []execution.Event {
	w.t.Helper()
	var all []execution.Event
	for after := execution.Cursor(0); ; {
		events, err := w.store.Read(context.Background(), id, after, 1<<20)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(events) == 0 {
			return all
		}
		all = append(all, events...)
		after = events[len(events)-1].Seq
	}
}

func (w *worker) log(id execution.ID, s execution.Stream) string {
	var b strings.Builder
	for _, e := range w.events(id) {
		if e.Stream == s {
			b.Write(e.Bytes)
		}
	}
	return b.String()
}

// awaitLog waits until an execution has printed text.
func (w *worker) awaitLog(id execution.ID, text string) {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	for !strings.Contains(w.log(id, execution.Stdout), text) {
		select {
		case <-deadline:
			w.t.Fatalf("never printed %q", text)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// start handles an execution in the background; wait gives its record at the end.
func (w *worker) start(id execution.ID) (wait func() *execution.Record) {
	done := make(chan struct{})
	go func() { w.Handle(context.Background(), id); close(done) }()
	return func() *execution.Record { <-done; return w.get(id) }
}

func check(t *testing.T, r *execution.Record, status execution.Status, reason execution.Reason, message string) {
	t.Helper()
	if r.Status != status || r.Outcome == nil || r.Outcome.Reason != reason {
		t.Fatalf("ended as %s, %+v; want %s, %s", r.Status, r.Outcome, status, reason)
	}
	if !strings.Contains(r.Outcome.Message, message) {
		t.Errorf("message is %q, want %q in it", r.Outcome.Message, message)
	}
}

func TestAnEngineThatSucceedsLeavesOutputResultAndArtifacts(t *testing.T) {
	w := newWorker(t, nil)
	r := w.run(`
		cat; echo out; echo err >&2
		echo '{"type":"progress","percent":40,"message":"working"}' >&3
		mkdir "$EXECUTION_OUTPUT_DIR/sub"; echo hello > "$EXECUTION_OUTPUT_DIR/sub/a.txt"
		echo '{"answer": 42, "secret": "hunter2-very-secret"}' > "$EXECUTION_RESULT_FILE"
		echo "hunter2-very-secret"; pwd >&2`,
		func(s *execution.Spec) { s.Input = json.RawMessage(`{"q":1}`) })
	check(t, r, execution.Completed, execution.ReasonExited, "")
	if got := w.log(r.ID, execution.Stdout); got != `{"q":1}out`+"\n***\n" {
		t.Errorf("stdout is %q", got)
	}
	if got := string(r.Result); strings.Contains(got, "hunter2") || !strings.Contains(got, "42") {
		t.Errorf("result is %s", got)
	}
	if string(r.Progress) == "" || !strings.Contains(string(r.Progress), "working") {
		t.Errorf("progress is %s", r.Progress)
	}
	files, err := w.files.List(t.Context(), r.ID)
	if err != nil || len(files) != 1 || files[0].Path != "sub/a.txt" || r.Outcome.Artifacts != 1 {
		t.Errorf("artifacts are %+v, %v", files, err)
	}
	var types []string
	for _, e := range w.events(r.ID) {
		types = append(types, string(e.Type))
	}
	if !slices.Contains(types, "artifact") || types[len(types)-1] != "end" {
		t.Errorf("events are %v", types)
	}
	if r.Outcome.GroupEmptyAt == nil || *r.Outcome.ExitCode != 0 || r.Worker != "test-worker" {
		t.Errorf("outcome is %+v", r.Outcome)
	}
}

func TestEachLineOfTheLogHasIdAndAttemptOnceAndNoSecret(t *testing.T) {
	var log bytes.Buffer
	w := newWorker(t, func(o *runner.Options) { o.Logger = telemetry.NewLogger(&log, "json", slog.LevelDebug) })
	ids := map[string]bool{}
	for _, r := range []*execution.Record{
		w.run(`echo s3cr3t-value; echo s3cr3t-value >&2; exit 3`, nil),
		w.run("", func(s *execution.Spec) { s.Command = "missing" }),
	} {
		ids[string(r.ID)] = true
	}
	n := 0
	for line := range strings.Lines(log.String()) {
		n++
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if id, _ := fields["execution_id"].(string); !ids[id] || fields["attempt"] != 1.0 {
			t.Errorf("whose line is it? %s", line)
		}
		for key := range fields {
			if strings.Count(line, `"`+key+`":`) != 1 {
				t.Errorf("%s stands there twice: %s", key, line)
			}
		}
		if strings.Contains(line, "s3cr3t") {
			t.Errorf("a secret: %s", line)
		}
	}
	if n < 4 {
		t.Errorf("%d lines say little: %s", n, log.String())
	}
}

func TestStatsSayWhatAWorkerHas(t *testing.T) {
	w := newWorker(t, func(o *runner.Options) { o.DrainTimeout = 4 * time.Second })
	if s := w.Stats(); s.Slots == 0 || s.Busy != 0 || s.Draining || s.SpoolBytes != 0 {
		t.Errorf("idle: %+v", s)
	}
	id := w.submit("echo on; sleep 60", nil)
	wait := w.start(id)
	w.awaitLog(id, "on")
	if s := w.Stats(); s.Busy != 1 {
		t.Errorf("with one engine: %+v", s)
	}
	w.Drain()
	if s := w.Stats(); !s.Draining {
		t.Errorf("draining: %+v", s)
	}
	wait()
	if s := w.Stats(); s.Busy != 0 {
		t.Errorf("after it: %+v", s)
	}
}

func TestEachWayToEndHasItsStatusAndReason(t *testing.T) {
	w := newWorker(t, nil)
	t.Run("non-zero exit", func(t *testing.T) {
		r := w.run(`echo "cannot read data.csv" >&2; exit 3`, nil)
		check(t, r, execution.Failed, execution.ReasonExitCode, "cannot read data.csv")
		if *r.Outcome.ExitCode != 3 || r.Outcome.Signal != "" {
			t.Errorf("outcome is %+v", r.Outcome)
		}
	})
	t.Run("exit 137 by itself", func(t *testing.T) {
		r := w.run(`exit 137`, nil)
		check(t, r, execution.Failed, execution.ReasonExitCode, "137")
	})
	t.Run("a signal", func(t *testing.T) {
		r := w.run(`kill -9 $$`, nil)
		check(t, r, execution.Failed, execution.ReasonSignal, "SIGKILL")
		if r.Outcome.ExitCode != nil || r.Outcome.Signal != "SIGKILL" || *r.Outcome.ReturnCode() != 137 {
			t.Errorf("outcome is %+v", r.Outcome)
		}
	})
	t.Run("cannot be started", func(t *testing.T) {
		r := w.run(``, func(s *execution.Spec) { s.Command = "missing" })
		check(t, r, execution.Errored, execution.ReasonStartFailed, "could not be started")
	})
	t.Run("timeout, with what it left kept", func(t *testing.T) {
		r := w.run(`echo partial > "$EXECUTION_OUTPUT_DIR/p.txt"; trap 'echo asked; exit 0' TERM; sleep 60 & wait`, func(s *execution.Spec) { s.TimeoutSeconds = 1 })
		check(t, r, execution.Timeout, execution.ReasonTimeout, "timeout_seconds")
		if r.Outcome.Artifacts != 1 || r.Outcome.SignalSentAt == nil {
			t.Errorf("outcome is %+v", r.Outcome)
		}
	})
	t.Run("a result that is no JSON", func(t *testing.T) {
		r := w.run(`echo '{' > "$EXECUTION_RESULT_FILE"`, nil)
		check(t, r, execution.Completed, execution.ReasonExited, "EXECUTION_RESULT_FILE holds no valid JSON")
	})
}

func TestAColdStartOfAWarmEngineIsToldBeforeItsFirstLine(t *testing.T) {
	w := newWorker(t, nil)
	told := func(warm string) (types []string, data string) {
		r := w.run("echo x", func(s *execution.Spec) { s.Labels = map[string]string{"warm": warm} })
		check(t, r, execution.Completed, execution.ReasonExited, "")
		for _, e := range w.events(r.ID) {
			types = append(types, string(e.Type))
			if e.Type == execution.EventColdStart {
				data = string(e.Data)
			}
		}
		return types, data
	}
	types, data := told("agent")
	if at := slices.Index(types, "cold_start"); at < 0 || at > slices.Index(types, "log") {
		t.Errorf("events are %v", types)
	}
	if data != `{"message":"its launcher fails: no module ***"}` {
		t.Errorf("it says %s", data)
	}
	if types, _ := told(""); slices.Contains(types, "cold_start") {
		t.Errorf("an engine that is never warm: %v", types)
	}
}

// The idle clocks are long enough for every other test never to meet them.
var idleScripts = scripts{secrets: []string{"hunter2-very-secret"}, stalled: 700 * time.Millisecond, progress: 8 * time.Second}

func TestASilentEngineIsToldOfAndOneWithoutProgressIsEnded(t *testing.T) {
	t.Parallel()
	w := newWorker(t, func(o *runner.Options) { o.MetricsEvery = 150 * time.Millisecond }) // which no clock hears
	id := w.submit(`echo '{"type":"progress","percent":1}' >&3; echo once; while :; do sleep 0.1; done`, nil)
	r := w.start(id)()
	check(t, r, execution.Timeout, execution.ReasonNoProgress, "progress_timeout")
	var stalled []string
	for _, e := range w.events(id) {
		if e.Type == execution.EventStalled {
			stalled = append(stalled, string(e.Data))
		}
	}
	if len(stalled) != 1 { // one silence is told once
		t.Errorf("stalled events: %v", stalled)
	}
	if len(w.metrics(id)) < 5 {
		t.Errorf("it was measured %d times in eight seconds", len(w.metrics(id)))
	}
}

func TestCancelEndsTheWholeTree(t *testing.T) {
	w := newWorker(t, nil)
	id := w.submit(`setsid sh -c 'trap "" TERM; echo escaped; sleep 300' & trap '' TERM; echo ready; while :; do sleep 1; done`, nil)
	wait := w.start(id)
	w.awaitLog(id, "ready")
	w.awaitLog(id, "escaped")
	if _, err := w.store.Cancel(t.Context(), id); err != nil { // heard by the next renewal
		t.Fatal(err)
	}
	r := wait()
	check(t, r, execution.Cancelled, execution.ReasonCancelled, "")
	if left := processesOf(t, id); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAKillTakesTheGraceOfACancel(t *testing.T) {
	w := newWorker(t, func(o *runner.Options) { o.Grace = 5 * time.Minute })
	id := w.submit(`trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done`, nil)
	wait := w.start(id)
	w.awaitLog(id, "ready")
	w.Cancel(id, false)
	w.awaitLog(id, "asked")
	if _, err := w.store.Kill(t.Context(), id); err != nil { // heard by the next renewal
		t.Fatal(err)
	}
	r := wait()
	check(t, r, execution.Cancelled, execution.ReasonCancelled, "")
	if r.Outcome.Signal != "SIGKILL" {
		t.Errorf("it died of %q", r.Outcome.Signal)
	}
}

func TestTheFirstCauseCounts(t *testing.T) {
	w := newWorker(t, nil)
	id := w.submit(`trap 'echo asked; sleep 0.3; exit 5' TERM; echo ready; while :; do sleep 0.05; done`, nil)
	wait := w.start(id)
	w.awaitLog(id, "ready")
	w.Cancel(id, false)
	w.awaitLog(id, "asked")
	w.Drain()
	check(t, wait(), execution.Cancelled, execution.ReasonCancelled, "")
}

func TestAFencedAttemptIsKilledAndWritesNothingMore(t *testing.T) {
	w := newWorker(t, nil)
	id := w.submit(`trap '' TERM; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done`, nil)
	wait := w.start(id)
	w.awaitLog(id, "line 3")
	// Another worker's claim, as after a lease that ran out.
	for ticks := 0; ticks <= 3; {
		if tick, err := w.store.Tick(t.Context()); err != nil {
			t.Fatal(err)
		} else if tick.Mine {
			ticks++
		}
		w.steal(id)
		if w.get(id).Status != execution.Running {
			break
		}
	}
	r := wait()
	check(t, r, execution.Errored, execution.ReasonWorkerLost, "")
	if left := processesOf(t, id); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if last := w.events(id); last[len(last)-1].Type != execution.EventEnd {
		t.Errorf("an event follows the end: %+v", last[len(last)-1])
	}
}

func TestANewAttemptOnTheSameWorkerWaitsForTheOldOneToBeGone(t *testing.T) {
	w := newWorker(t, func(o *runner.Options) { o.RenewEvery = time.Hour }) // it hears of nothing by itself
	pid := t.TempDir() + "/pid"
	id := w.submit(`if [ $EXECUTION_ATTEMPT = 1 ]; then echo $$ > `+pid+`; trap '' TERM; echo ready; while :; do sleep 1; done
		elif kill -0 $(cat `+pid+`) 2>/dev/null; then echo overlap; else echo alone; fi`,
		func(s *execution.Spec) { s.OnInterrupt = execution.Requeue })
	first := w.start(id)
	w.awaitLog(id, "ready")
	w.settleFromOutside(id, redisstore.Settlement{Requeue: true, Outcome: execution.Outcome{Status: execution.Errored, Reason: execution.ReasonWorkerLost}})
	w.Handle(context.Background(), id)
	r := first()
	check(t, r, execution.Completed, execution.ReasonExited, "")
	if got := w.log(id, execution.Stdout); got != "ready\nalone\n" || r.Attempt != 2 {
		t.Errorf("attempt %d, log %q", r.Attempt, got)
	}
}

// steal ends the attempt from outside, as the reaper does with a lost one.
func (w *worker) steal(id execution.ID) {
	w.t.Helper()
	w.settleFromOutside(id, redisstore.Settlement{Outcome: execution.Outcome{Status: execution.Errored, Reason: execution.ReasonWorkerLost}})
}

func (w *worker) settleFromOutside(id execution.ID, s redisstore.Settlement) {
	w.t.Helper()
	rdb, err := redisstore.Dial(w.srv.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rdb.Close()
	token := rdb.HGet(context.Background(), "lh:{p0}:x:"+string(id), "token").Val()
	if _, err := w.store.Settle(context.Background(), execution.Lease{ID: id, Token: token, Attempt: 1}, s); err != nil {
		w.t.Fatal(err)
	}
}

func TestADrainInterruptsAndSettles(t *testing.T) {
	w := newWorker(t, func(o *runner.Options) { o.DrainTimeout = 4 * time.Second })
	fail := w.submit(`echo ready; sleep 60`, nil)
	again := w.submit(`echo ready; sleep 60`, func(s *execution.Spec) { s.OnInterrupt = execution.Requeue })
	quick := w.submit(`echo ready; sleep 0.2; echo done`, nil)
	waits := []func() *execution.Record{w.start(fail), w.start(again), w.start(quick)}
	for _, id := range []execution.ID{fail, again, quick} {
		w.awaitLog(id, "ready")
	}
	w.Drain()
	check(t, waits[2](), execution.Completed, execution.ReasonExited, "")
	check(t, waits[0](), execution.Errored, execution.ReasonInterrupted, "deploy")
	if r := waits[1](); r.Status != execution.Queued || r.Attempt != 1 {
		t.Errorf("on_interrupt requeue: %s, attempt %d", r.Status, r.Attempt)
	}
	if len(w.line.tickets) != 1 || w.line.tickets[0].ID != again || w.line.tickets[0].Dispatch != 2 {
		t.Errorf("tickets are %+v", w.line.tickets)
	}
	w.Handle(context.Background(), w.submit("true", nil)) // takes nothing new
}

func TestAnOutageOfRedisKillsNobodyAndLosesNothing(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	w := workerOn(t, redistest.Open(t, srv, redisstore.Options{LeaseTicks: 3}), srv, nil)
	id := w.submit(`for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 0.1; done`, nil)
	wait := w.start(id)
	w.awaitLog(id, "line 2")
	srv.Kill()
	<-time.After(1500 * time.Millisecond) // the engine ends within the outage
	srv.Start()
	r := wait()
	check(t, r, execution.Completed, execution.ReasonExited, "")
	want := "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\nline 9\nline 10\n"
	if got := w.log(id, execution.Stdout); got != want {
		t.Errorf("log is %q", got)
	}
}

func TestAnOutcomeThatRedisDidNotTakeInTimeIsSettledByTheNextWorkerOnTheDisk(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	store := redistest.Open(t, srv, redisstore.Options{LeaseTicks: 30})
	folder := t.TempDir()
	onDisk := func(o *runner.Options) { o.Workdir, o.DrainTimeout = folder, 5*time.Second }
	first := workerOn(t, store, srv, onDisk)
	last := filepath.Join(t.TempDir(), "last")
	id := first.submit(`for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 0.05; done; echo '{"n":10}' > "$EXECUTION_RESULT_FILE"; touch `+last, nil)
	handled := make(chan struct{})
	go func() { first.Handle(context.Background(), id); close(handled) }()
	first.awaitLog(id, "line 2")
	srv.Kill()
	processtest.Eventually(t, "the engine's last step", func() bool { _, err := os.Stat(last); return err == nil })
	first.Drain()
	<-handled // although Redis never answered
	first.close()
	srv.Start()
	// The client's pool asks again only after a moment.
	for r, err := store.Get(t.Context(), id); err != nil || r.Status != execution.Running; r, err = store.Get(t.Context(), id) {
		if err == nil {
			t.Fatalf("before the recovery it is %s", r.Status)
		}
	}
	second := workerOn(t, store, srv, onDisk)
	if err := second.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := second.get(id)
	check(t, r, execution.Completed, execution.ReasonExited, "")
	if got := second.log(id, execution.Stdout); got != "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\nline 9\nline 10\n" || string(r.Result) != `{"n":10}` {
		t.Errorf("log is %q, result %s", got, r.Result)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 { // its own
		t.Errorf("left on disk: %v, %v", entries, err)
	}
}

// silent takes everything but the outcome, of which it says nothing.
type silent struct {
	*redisstore.Store
	asked chan struct{}
	over  <-chan struct{}
}

func (s silent) Settle(context.Context, execution.Lease, redisstore.Settlement) (int, error) {
	close(s.asked)
	<-s.over
	return 0, &execution.Error{Code: execution.Unavailable, Message: "it was too late"}
}

func TestADrainDoesNotWaitForARedisThatSaysNothing(t *testing.T) {
	t.Parallel()
	store, srv := redistest.Store(t, redisstore.Options{LeaseTicks: 30})
	folder := t.TempDir()
	onDisk := func(o *runner.Options) { o.Workdir, o.DrainTimeout = folder, 3*time.Second }
	over := make(chan struct{})
	to := silent{store, make(chan struct{}), over}
	first := workerWith(t, to, store, srv, onDisk)
	id := first.submit(`echo ready; sleep 60`, nil)
	wait := make(chan struct{})
	go func() { first.Handle(context.Background(), id); close(wait) }()
	first.awaitLog(id, "ready")
	first.Drain()
	<-to.asked
	select {
	case <-wait:
	case <-time.After(processtest.Patience):
		t.Error("it still waits for an answer")
	}
	if r := first.get(id); r.Status != execution.Running {
		t.Errorf("it is %s", r.Status)
	}
	close(over)
	<-wait
	first.close()
	second := workerOn(t, store, srv, onDisk)
	if err := second.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, second.get(id), execution.Errored, execution.ReasonInterrupted, "")
}

func TestALivingWorkersFolderIsLeftAlone(t *testing.T) {
	folder := t.TempDir()
	onDisk := func(o *runner.Options) { o.Workdir = folder }
	first := newWorker(t, onDisk)
	id := first.submit(`echo ready; sleep 60`, nil)
	wait := first.start(id)
	first.awaitLog(id, "ready")
	second := workerOn(t, first.store, first.srv, onDisk)
	if err := second.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := first.get(id); r.Status != execution.Running {
		t.Errorf("it is %s", r.Status)
	}
	first.Cancel(id, false)
	wait()
}

// processesOf finds what still carries the execution's id in its environment.
func processesOf(t *testing.T, id execution.ID) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err == nil && strings.Contains(string(env), "EXECUTION_ID="+string(id)) {
			found = append(found, e.Name())
		}
	}
	return found
}
