package process_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func TestMain(m *testing.M) {
	process.Main()
	processtest.Main()
	helperMain()
	goleak.VerifyTestMain(m)
}

var executions atomic.Int64

// newID is an execution id that no other test, and no other run of the tests, has.
func newID() string { return fmt.Sprintf("exec_test_%d_%d", os.Getpid(), executions.Add(1)) }

func newPool(t testing.TB, slots int) *process.Pool {
	t.Helper()
	pool := process.NewPool(process.PoolConfig{Slots: slots})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), processtest.Patience)
		defer cancel()
		if err := pool.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return pool
}

// bad is the command for a badly behaved child. GORACE: a race-enabled child would sleep for a second when it exits.
func bad(b processtest.Behaviour, args ...string) process.Command {
	return command(processtest.Path(), processtest.Args(b, args...)...)
}

func command(path string, args ...string) process.Command {
	id := newID()
	return process.Command{
		ExecutionID: id, Path: path, Args: args,
		Env: []string{"EXECUTION_ID=" + id, "EXECUTION_EVENTS_FD=3", "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"},
	}
}

// run is a started process whose three pipes are read by the test as it wishes.
type run struct {
	*process.Process
	t      testing.TB
	id     string
	stdout *bufio.Reader
}

func start(t testing.TB, pool *process.Pool, c process.Command) *run {
	t.Helper()
	p, err := pool.Start(t.Context(), c)
	if err != nil {
		t.Fatalf("start %s: %v", c.Path, err)
	}
	t.Cleanup(func() {
		p.Terminate(0)
		_ = p.Stdout().Close()
		_ = p.Stderr().Close()
		_ = p.Events().Close()
	})
	deadline := time.Now().Add(processtest.Patience)
	_ = p.Stdout().SetDeadline(deadline)
	_ = p.Stderr().SetDeadline(deadline)
	_ = p.Events().SetDeadline(deadline)
	return &run{Process: p, t: t, id: c.ExecutionID, stdout: bufio.NewReader(p.Stdout())}
}

// line reads the next line of stdout.
func (r *run) line() string {
	r.t.Helper()
	line, err := r.stdout.ReadString('\n')
	if err != nil {
		complaint, _ := io.ReadAll(r.Stderr())
		r.t.Fatalf("no line on stdout: %v (got %q, stderr %q)", err, line, complaint)
	}
	return strings.TrimSuffix(line, "\n")
}

func (r *run) ready() *run {
	r.t.Helper()
	if line := r.line(); line != "ready" {
		r.t.Fatalf("got %q, want ready", line)
	}
	return r
}

// printedPID reads a pid that the child prints.
func (r *run) printedPID() int {
	r.t.Helper()
	pid, err := strconv.Atoi(r.line())
	if err != nil {
		r.t.Fatal(err)
	}
	return pid
}

func (r *run) rest() string {
	r.t.Helper()
	all, err := io.ReadAll(r.stdout)
	if err != nil {
		r.t.Fatalf("stdout: %v", err)
	}
	return string(all)
}

// wait waits for Gone, and checks what Gone claims: nothing of the execution lives, and readers find the end.
func (r *run) wait() process.Exit {
	r.t.Helper()
	processtest.Within(r.t, r.Gone(), "gone")
	processtest.Within(r.t, r.Exited(), "exited")
	if left := processtest.Survivors(r.id); len(left) > 0 {
		r.t.Errorf("gone, but alive: %v", left)
	}
	for _, f := range []*os.File{r.Stdout(), r.Stderr(), r.Events()} {
		if _, err := io.Copy(io.Discard, f); err != nil {
			r.t.Errorf("%s has no end: %v", f.Name(), err)
		}
	}
	return r.Exit()
}

func writeFile(t testing.TB, content string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return file
}
