package warm_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/longhaul/longhaul/pkg/engine"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/process/processtest"
	"github.com/longhaul/longhaul/pkg/warm"
)

func TestMain(m *testing.M) {
	process.Main()
	helperMain()
	goleak.VerifyTestMain(m)
}

var executions atomic.Int64

// stand is a keeper with one engine, "e", whose folder is dir.
type stand struct {
	t             testing.TB
	keeper        *warm.Keeper
	pool          *process.Pool
	catalog       *engine.Catalog
	dir, launcher string // of the engine, of the launcher's file
	log           *lines
	seen          *observed
	end           func() // of Run
}

// open makes a stand whose engine is "python3 main.py" with main and the module heavy as given; keys are more lines of the key warm.
func open(t testing.TB, main, heavy string, keys ...string) *stand {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "main.py", main)
	write(t, dir, "heavy.py", heavy)
	return openCatalog(t, dir, catalogFor("main.py", keys...))
}

func catalogFor(command string, keys ...string) string {
	return "engines:\n  e:\n    command: [python3, " + command + "]\n    cwd: .\n    env: {FROM_CATALOG: c, PYTHONDONTWRITEBYTECODE: '1'}\n" +
		"    allow_args: any\n    env_from_request: [FROM_REQUEST, LC_ALL]\n    secrets: {SECRET: {optional: true}}\n" +
		"    warm: {processes: 1, import: [heavy]" + strings.Join(append([]string{""}, keys...), ", ") + "}\n"
}

func openCatalog(t testing.TB, dir, text string) *stand {
	t.Helper()
	s, err := newStand(t, dir, text, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { defer close(ran); _ = s.keeper.Run(ctx, s.launcher) }()
	s.end = func() {
		cancel()
		processtest.Within(t, ran, "the keeper's end")
	}
	t.Cleanup(func() {
		s.end()
		closing, cancel := context.WithTimeout(context.Background(), processtest.Patience)
		defer cancel()
		if err := s.keeper.Close(closing); err != nil {
			t.Error(err)
		}
		if err := s.pool.Close(closing); err != nil {
			t.Error(err)
		}
	})
	return s
}

// newStand makes one whose keeper does not run yet; launcher is the folder for its file.
func newStand(t testing.TB, dir, text, launcher string) (*stand, error) {
	catalog, err := engine.Parse([]byte(text), dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(launcher, 0o700); err != nil {
		return nil, err
	}
	s := &stand{t: t, catalog: catalog, dir: dir, launcher: launcher, log: &lines{}, seen: &observed{starts: map[string]int{}, recycled: map[string]int{}}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	s.pool = process.NewPool(process.PoolConfig{Slots: 8, Logger: log})
	s.keeper = warm.New(catalog, s.pool, warm.Options{Lookup: lookup, Logger: log, Observer: s.seen})
	return s, nil
}

func lookup(name string) (string, bool) {
	switch name {
	case "PATH":
		return os.LookupEnv(name)
	case "SECRET":
		return "hush", true
	}
	return "", false
}

// warm waits until so many are ready.
func (s *stand) warm(n int) *stand {
	s.t.Helper()
	processtest.Eventually(s.t, fmt.Sprintf("%d ready; log:\n%s", n, s.log), func() bool { return s.seen.stock() == n })
	return s
}

// command is what the runner would make of a request.
func (s *stand) command(args ...string) process.Command {
	s.t.Helper()
	return s.commandOf(&execution.Spec{Engine: "e", Args: args})
}

func (s *stand) commandOf(spec *execution.Spec) process.Command {
	s.t.Helper()
	l, err := s.catalog.Launch(spec, lookup)
	if err != nil {
		s.t.Fatal(err)
	}
	id := fmt.Sprintf("exec_warm_%d_%d", os.Getpid(), executions.Add(1))
	return process.Command{
		ExecutionID: id, Path: l.Path, Args: l.Args, Dir: l.Dir, Stdin: l.Stdin, Warm: l.Warm,
		Env: append(l.Env, "EXECUTION_ID="+id, "EXECUTION_EVENTS_FD=3"),
	}
}

// run is one execution, whose pipes are read all the time.
type run struct {
	*process.Process
	t              testing.TB
	id             string
	out            *bufio.Reader
	stderr, events *lines
	readers        sync.WaitGroup
}

func (s *stand) start(c process.Command) *run {
	s.t.Helper()
	p, err := s.keeper.Start(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = p.Stdout().SetDeadline(time.Now().Add(processtest.Patience))
	r := &run{Process: p, t: s.t, id: c.ExecutionID, out: bufio.NewReader(p.Stdout()), stderr: &lines{}, events: &lines{}}
	r.readers.Go(func() { _, _ = io.Copy(r.stderr, p.Stderr()) })
	r.readers.Go(func() { _, _ = io.Copy(r.events, p.Events()) })
	s.t.Cleanup(func() {
		p.Terminate(0)
		<-p.Gone()
		r.readers.Wait()
		for _, f := range []*os.File{p.Stdout(), p.Stderr(), p.Events()} {
			_ = f.Close()
		}
	})
	return r
}

// startWarm fails where it was not.
func (s *stand) startWarm(c process.Command) *run {
	s.t.Helper()
	r := s.warm(1).start(c)
	if !r.Warm() {
		s.t.Fatalf("started cold: %s; log:\n%s", r.Cold(), s.log)
	}
	return r
}

// startCold starts the same past the keeper.
func (s *stand) startCold(c process.Command) *run {
	s.t.Helper()
	c.Warm = ""
	return s.start(c)
}

func (r *run) line() string {
	r.t.Helper()
	line, err := r.out.ReadString('\n')
	if err != nil {
		r.t.Fatalf("no line: %v, got %q, stderr %s", err, line, r.stderr)
	}
	return strings.TrimSuffix(line, "\n")
}

func (r *run) number() int {
	r.t.Helper()
	n, err := strconv.Atoi(r.line())
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *run) rest() string {
	r.t.Helper()
	all, err := io.ReadAll(r.out)
	if err != nil {
		r.t.Fatalf("stdout: %v, stderr %s", err, r.stderr)
	}
	return string(all)
}

// wait checks what Gone claims: nothing of the execution lives, and its pipes have an end.
func (r *run) wait() process.Exit {
	r.t.Helper()
	processtest.Within(r.t, r.Gone(), "the end of the execution")
	if left := processtest.Survivors(r.id); len(left) > 0 {
		r.t.Errorf("gone, but alive: %v", left)
	}
	read := make(chan struct{})
	go func() { r.readers.Wait(); close(read) }()
	processtest.Within(r.t, read, "the end of stderr and events")
	r.rest()
	return r.Exit()
}

// whole runs a command to its end.
func (r *run) whole() (out string, exit process.Exit) {
	r.t.Helper()
	out = r.rest()
	return out, r.wait()
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lines is a buffer that several may use.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func (l *lines) count(what string) int { return strings.Count(l.String(), what) }

// observed is what the metrics would show.
type observed struct {
	mu       sync.Mutex
	ready    int
	bytes    int64
	starts   map[string]int
	recycled map[string]int
}

func (o *observed) WarmStock(_ string, ready int, bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ready, o.bytes = ready, bytes
}

func (o *observed) WarmStart(_, how string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.starts[how]++
}

func (o *observed) WarmRecycled(_, why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.recycled[why]++
}

func (o *observed) stock() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ready
}

func (o *observed) memory() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

func (o *observed) of(m map[string]int, what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return m[what]
}
