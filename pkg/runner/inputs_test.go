package runner_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/runner"
)

// bring submits a script with files, each a path and its content, as the API does.
func (w *worker) bring(st artifact.Store, script string, files ...string) execution.ID {
	w.t.Helper()
	s := &execution.Spec{Command: "sh", Args: []string{script}}
	s.Normalize(execution.DefaultLimits())
	id, err := w.store.NewID(w.t.Context(), "", "")
	for i := 0; i < len(files) && err == nil; i += 2 {
		var f execution.File
		f, err = artifact.PutInput(w.t.Context(), st, id, files[i], strings.NewReader(files[i+1]))
		s.Files = append(s.Files, f)
	}
	if err == nil {
		_, err = w.store.CreateAs(w.t.Context(), id, s, "", "", execution.Script{})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func withInputs(s artifact.Store) func(*runner.Options) {
	return func(o *runner.Options) { o.Checkpoints = s }
}

func TestFilesOfARequestAreThereBeforeTheEngineStarts(t *testing.T) {
	st := newShared(t)
	w := newWorker(t, withInputs(st))
	id := w.bring(st, `cat "$EXECUTION_INPUT_DIR/data/week.csv" note.txt; ls -la data/week.csv | cut -c1-10; pwd -P; cd "$EXECUTION_INPUT_DIR"; pwd -P`,
		"data/week.csv", "1,2\n", "note.txt", "a note\n")
	r := wait(t, w, id)
	check(t, r, execution.Completed, execution.ReasonExited, "")
	lines := strings.Split(strings.TrimSpace(w.log(id, execution.Stdout)), "\n")
	if len(lines) != 5 || lines[0] != "1,2" || lines[1] != "a note" || lines[2] != "-rw-------" || lines[3] != lines[4] {
		t.Errorf("the engine saw %q", lines)
	}
	// The next one, without files, is told of no folder and finds nothing of these.
	r = w.run(`ls; echo "[$EXECUTION_INPUT_DIR]"`, nil)
	if got := w.log(r.ID, execution.Stdout); got != "[]\n" {
		t.Errorf("without files: %q", got)
	}
}

// wait carries id to its end.
func wait(t *testing.T, w *worker, id execution.ID) *execution.Record {
	t.Helper()
	return w.start(id)()
}

func TestAStoreThatIsAwayIsWaitedForBeforeTheEngineStarts(t *testing.T) {
	st := newShared(t)
	w := newWorker(t, withInputs(st))
	id := w.bring(st, `cat a`, "a", "here")
	tries := 0
	st.set(func() {
		st.open = func() error {
			if tries++; tries < 4 {
				return errors.New("connection refused")
			}
			return nil
		}
	})
	check(t, wait(t, w, id), execution.Completed, execution.ReasonExited, "")
	if got := w.log(id, execution.Stdout); got != "here" || tries != 4 {
		t.Errorf("%q after %d tries", got, tries)
	}
}

func TestFilesThatAreNotAsTheyWereBroughtStartNothing(t *testing.T) {
	dir := t.TempDir()
	st, err := artifact.Open("file://"+dir, artifact.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, withInputs(st))
	of := func(id execution.ID) string { return filepath.Join(dir, string(id), "inputs", "a") }
	for name, damage := range map[string]func(id execution.ID) error{
		"changed": func(id execution.ID) error { return os.WriteFile(of(id), []byte("b23"), 0o600) },
		"cut":     func(id execution.ID) error { return os.Truncate(of(id), 2) },
		"grown":   func(id execution.ID) error { return os.WriteFile(of(id), []byte("1234"), 0o600) },
		"gone":    func(id execution.ID) error { return os.Remove(of(id)) },
	} {
		t.Run(name, func(t *testing.T) {
			id := w.bring(st, `echo ran`, "a", "123")
			if err := damage(id); err != nil {
				t.Fatal(err)
			}
			r := wait(t, w, id)
			check(t, r, execution.Errored, execution.ReasonStartFailed, "ARTIFACTS_URL the same for API and workers")
			if got := w.log(id, execution.Stdout); got != "" || strings.Contains(r.Outcome.Message, dir) {
				t.Errorf("the engine printed %q; the message is %q", got, r.Outcome.Message)
			}
		})
	}
}

func TestAWorkerWithoutAStoreSaysSo(t *testing.T) {
	w := newWorker(t, nil)
	id := w.bring(newShared(t), `echo ran`, "a", "123")
	check(t, wait(t, w, id), execution.Errored, execution.ReasonStartFailed, "this worker has no store for files (the setting ARTIFACTS_URL")
}

func TestACancelIsHeardWhileFilesAreFetched(t *testing.T) {
	st := newShared(t)
	w := newWorker(t, withInputs(st))
	id := w.bring(st, `echo ran`, "a", "123")
	asked := make(chan struct{}, 100)
	st.set(func() { st.open = func() error { asked <- struct{}{}; return errors.New("away") } })
	end := w.start(id)
	<-asked
	w.Cancel(id, false)
	check(t, end(), execution.Cancelled, execution.ReasonCancelled, "")
}

func TestADrainWhileFilesAreFetchedPutsTheExecutionBackInLine(t *testing.T) {
	st := newShared(t)
	w := newWorker(t, withInputs(st))
	id := w.bring(st, `echo ran`, "a", "123") // on_interrupt is fail: that is for engines that have started
	asked := make(chan struct{}, 100)
	st.set(func() { st.open = func() error { asked <- struct{}{}; return errors.New("away") } })
	end := w.start(id)
	<-asked
	w.Drain()
	r := end()
	if r.Status != execution.Queued || len(r.Past) != 1 || r.Past[0].Outcome.Reason != execution.ReasonInterrupted {
		t.Errorf("%s, %+v, %+v: no engine was started, so the next worker may", r.Status, r.Outcome, r.Past)
	}
}
