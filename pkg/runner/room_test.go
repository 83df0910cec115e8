package runner_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/runner"
)

// rootOf is the folder of the only worker process below a WORKDIR.
func rootOf(t *testing.T, workdir string) string {
	t.Helper()
	roots, err := filepath.Glob(filepath.Join(workdir, "worker-*"))
	if err != nil || len(roots) != 1 {
		t.Fatalf("%v %v", roots, err)
	}
	return roots[0]
}

func TestAWorkerWithoutRoomClaimsNothing(t *testing.T) {
	w := newWorker(t, func(o *runner.Options) { o.MinFree = 1 << 62 })
	if w.Full() != nil {
		t.Error("it is full before anybody has looked")
	}
	id := w.submit("echo hi", nil)
	w.Handle(context.Background(), id)
	if r := w.get(id); r.Status != execution.Queued || r.Attempt != 0 {
		t.Errorf("%s, attempt %d", r.Status, r.Attempt)
	}
	if err := w.Room(); err == nil || !strings.Contains(err.Error(), "WORKDIR_MIN_FREE") {
		t.Errorf("Room says %v", err)
	}
	if w.Full() == nil {
		t.Error("it still wants tasks")
	}
}

func TestAWorkerGoesOnWhenThereIsRoomAgain(t *testing.T) {
	var workdir string
	w := newWorker(t, func(o *runner.Options) { workdir = o.Workdir })
	root := rootOf(t, workdir)
	if err := os.Remove(root); err != nil { // nothing can be written below it now
		t.Fatal(err)
	}
	if err := w.Room(); err == nil || !strings.Contains(err.Error(), "WORKDIR") {
		t.Errorf("Room says %v", err)
	}
	full := w.Full()
	if full == nil {
		t.Fatal("it still wants tasks")
	}
	if err := w.Room(); err == nil || w.Full() != full {
		t.Error("a second look says something else")
	}
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := w.Room(); err != nil || w.Full() != nil {
		t.Errorf("Room says %v", err)
	}
	<-full
	check(t, w.run("echo hi", nil), execution.Completed, execution.ReasonExited, "")
	if left, _ := filepath.Glob(filepath.Join(root, "exec_*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// due ends an execution's pause before its next attempt.
func (w *worker) due(id execution.ID) {
	w.t.Helper()
	rdb, err := redisstore.Dial(w.srv.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rdb.Close()
	record := "lh:{p0}:x:" + string(id)
	if err := rdb.HSet(w.t.Context(), record, "eligible", rdb.HGet(w.t.Context(), record, "created").Val()).Err(); err != nil {
		w.t.Fatal(err)
	}
}

// The disk fills up between the look and the attempt: a file is where its
// folder must be made.
func TestAnAttemptThatFindsNoRoomGoesBackInLineAndRunsOnce(t *testing.T) {
	var workdir string
	w := newWorker(t, func(o *runner.Options) { workdir = o.Workdir })
	root := rootOf(t, workdir)
	id := w.submit("echo hi", nil) // on_interrupt: fail
	blocked := filepath.Join(root, string(id)+".1")
	if err := os.Symlink("/proc/no-such-place", blocked); err != nil {
		t.Fatal(err)
	}
	w.Handle(context.Background(), id)
	r := w.get(id)
	if r.Status != execution.Queued || r.Attempt != 1 || len(w.line.tickets) != 1 || w.line.tickets[0].Delay <= 0 {
		t.Fatalf("%s, attempt %d, tickets %v", r.Status, r.Attempt, w.line.tickets)
	}
	w.due(id)
	w.Handle(context.Background(), id)
	r = w.get(id)
	check(t, r, execution.Completed, execution.ReasonExited, "")
	if r.Attempt != 2 || w.log(id, execution.Stdout) != "hi\n" {
		t.Errorf("attempt %d printed %q", r.Attempt, w.log(id, execution.Stdout))
	}
}

func TestAnExecutionThatNeverFindsRoomEnds(t *testing.T) {
	var workdir string
	w := newWorker(t, func(o *runner.Options) { workdir = o.Workdir })
	root := rootOf(t, workdir)
	id := w.submit("echo hi", nil)
	for tries := 1; tries <= 11; tries++ {
		if r := w.get(id); r.Status != execution.Queued {
			t.Fatalf("%s before try %d", r.Status, tries)
		}
		if err := os.Symlink("/proc/no-such-place", filepath.Join(root, string(id)+"."+strconv.Itoa(tries))); err != nil {
			t.Fatal(err)
		}
		w.due(id)
		w.Handle(context.Background(), id)
	}
	check(t, w.get(id), execution.Errored, execution.ReasonStartFailed, "WORKDIR")
}
