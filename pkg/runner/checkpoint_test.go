package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/artifact"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
	"github.com/longhaul/longhaul/pkg/runner"
)

// shared is a store of checkpoints that several workers have. put and open, if
// set, come first.
type shared struct {
	artifact.Store
	mu   sync.Mutex
	put  func(ctx context.Context) error
	open func() error
	puts int
}

func newShared(t *testing.T) *shared {
	t.Helper()
	st, err := artifact.Open("file://"+t.TempDir(), artifact.Options{Area: ".internal"})
	if err != nil {
		t.Fatal(err)
	}
	return &shared{Store: st}
}

func (s *shared) Put(ctx context.Context, id execution.ID, path string, r io.Reader, size int64, contentType string) error {
	s.mu.Lock()
	put := s.put
	s.mu.Unlock()
	if put != nil {
		if err := put(ctx); err != nil {
			return err
		}
	}
	err := s.Store.Put(ctx, id, path, r, size, contentType)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.puts++
	}
	return err
}

func (s *shared) Open(ctx context.Context, id execution.ID, path string) (artifact.Object, error) {
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	if open != nil {
		if err := open(); err != nil {
			return nil, err
		}
	}
	return s.Store.Open(ctx, id, path)
}

func (s *shared) set(change func()) { s.mu.Lock(); defer s.mu.Unlock(); change() }
func (s *shared) count() int        { s.mu.Lock(); defer s.mu.Unlock(); return s.puts }

// every makes workers that save there.
func (s *shared) every(d time.Duration) func(*runner.Options) {
	return func(o *runner.Options) { o.Checkpoints, o.CheckpointEvery, o.DrainTimeout = s, d, 6*time.Second }
}

func requeue(s *execution.Spec) { s.OnInterrupt, s.MaxAttempts = execution.Requeue, 4 }

// steps counts in its checkpoint, up to the number given, and is asked to end
// between two steps only.
func steps(n int) string {
	return fmt.Sprintf(`trap stop=1 TERM
		step=$EXECUTION_CHECKPOINT_DIR/step
		n=$(cat "$step" 2>/dev/null || echo 0)
		while [ "$n" -lt %d ] && [ -z "$stop" ]; do
			n=$((n+1)); echo "step $n"; echo '{"type":"progress","percent":1}' >&3
			echo $n > "$step" # no program that the signal would end
			sleep 0.05
		done`, n)
}

// checkpointEvents are those of an execution, as action and attempt.
func (w *worker) checkpointEvents(id execution.ID) (all []string, messages string) {
	w.t.Helper()
	for _, e := range w.events(id) {
		if e.Type != execution.EventCheckpoint {
			continue
		}
		var d struct {
			Action, Message string
			Attempt         int
		}
		if err := json.Unmarshal(e.Data, &d); err != nil {
			w.t.Error(err)
		}
		all, messages = append(all, fmt.Sprintf("%d: %s %d", e.Attempt, d.Action, d.Attempt)), messages+d.Message+"\n"
	}
	return all, messages
}

func (w *worker) wantEvents(id execution.ID, want ...string) string {
	w.t.Helper()
	got, messages := w.checkpointEvents(id)
	if !slices.Equal(got, want) {
		w.t.Errorf("checkpoint events are %q, want %q; %s", got, want, messages)
	}
	return messages
}

// interrupted runs an attempt of a fresh worker until it has printed text, and drains it.
func interrupted(t *testing.T, w *worker, id execution.ID, text string) {
	t.Helper()
	wait := w.start(id)
	w.awaitLog(id, text)
	w.Drain()
	if r := wait(); r.Status != execution.Queued {
		t.Fatalf("after the drain it is %s, %+v", r.Status, r.Outcome)
	}
}

func TestAnInterruptedEngineGoesOnWhereItStoppedOnAnotherWorker(t *testing.T) {
	t.Parallel()
	files := newShared(t)
	first := newWorker(t, files.every(0))
	id := first.submit(steps(100), requeue)
	interrupted(t, first, id, "step 5\n")
	second := workerOn(t, first.store, first.srv, files.every(0))
	second.Handle(context.Background(), id)
	check(t, second.get(id), execution.Completed, execution.ReasonExited, "")
	var want strings.Builder
	for i := range 100 {
		fmt.Fprintf(&want, "step %d\n", i+1)
	}
	if got := second.log(id, execution.Stdout); got != want.String() { // no step lost, none done again
		t.Errorf("log is %q", got)
	}
	second.wantEvents(id, "1: saved 1", "2: restored 1")
	if n := files.count(); n != 1 {
		t.Errorf("saved %d times", n)
	}
	if listed, err := second.files.List(t.Context(), id); err != nil || len(listed) != 0 {
		t.Errorf("among the artifacts: %v, %v", listed, err)
	}
}

// The example that the documentation shows, as it stands there.
func TestTheExampleOfACheckpointRunsAsShown(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/engines.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)## Going on where it stopped.*?```sh\n(.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatal("docs/engines.md has no example of a checkpoint")
	}
	files := newShared(t)
	first := newWorker(t, files.every(0))
	id := first.submit(string(m[1]), requeue)
	interrupted(t, first, id, "step 3\n")
	second := workerOn(t, first.store, first.srv, files.every(0))
	wait := second.start(id)
	second.awaitLog(id, "step 5\n")
	second.Cancel(id, false)
	wait()
	if log := second.log(id, execution.Stdout); strings.Count(log, "step 1\n") != 1 || strings.Count(log, "step 2\n") != 1 {
		t.Errorf("log is %q", log)
	}
}

func TestALostWorkerTakesOneIntervalWithIt(t *testing.T) {
	files := newShared(t)
	w := newWorker(t, files.every(50*time.Millisecond))
	id := w.submit(`if [ $EXECUTION_ATTEMPT = 1 ]; then echo kept > "$EXECUTION_CHECKPOINT_DIR/f"; echo ready; while :; do sleep 1; done; fi
		cat "$EXECUTION_CHECKPOINT_DIR/f"`, requeue)
	wait := w.start(id)
	w.awaitLog(id, "ready")
	for deadline := time.Now().Add(20 * time.Second); files.count() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("never saved")
		}
		<-time.After(5 * time.Millisecond)
	}
	w.settleFromOutside(id, redisstore.Settlement{Requeue: true, Outcome: execution.Outcome{Status: execution.Errored, Reason: execution.ReasonWorkerLost}})
	w.Handle(context.Background(), id)
	check(t, wait(), execution.Completed, execution.ReasonExited, "")
	if log := w.log(id, execution.Stdout); log != "ready\nkept\n" {
		t.Errorf("log is %q", log)
	}
	w.wantEvents(id, "2: restored 1") // what is saved on the way is not told
	if n := files.count(); n > 3 {
		t.Errorf("saved %d times, though nothing changed", n)
	}
}

func TestACheckpointLeftOnDiskIsSavedByTheNextWorkerThere(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	store := redistest.Open(t, srv, redisstore.Options{LeaseTicks: 30})
	files, folder := newShared(t), t.TempDir()
	onDisk := func(o *runner.Options) { files.every(0)(o); o.Workdir = folder }
	first := workerOn(t, store, srv, onDisk)
	id := first.submit(steps(100), requeue)
	handled := make(chan struct{})
	go func() { first.Handle(context.Background(), id); close(handled) }()
	first.awaitLog(id, "step 5\n")
	files.set(func() { files.put = func(context.Context) error { return errors.New("away") } })
	srv.Kill() // neither Redis nor the store takes anything
	first.Drain()
	<-handled
	first.close()
	srv.Start()
	files.set(func() { files.put = nil })
	for r, err := store.Get(t.Context(), id); err != nil || r.Status != execution.Running; r, err = store.Get(t.Context(), id) {
		if err == nil {
			t.Fatalf("before the recovery it is %s", r.Status)
		}
	}
	second := workerOn(t, store, srv, onDisk)
	if err := second.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	second.Handle(context.Background(), id)
	check(t, second.get(id), execution.Completed, execution.ReasonExited, "")
	if log := second.log(id, execution.Stdout); strings.Count(log, "step") != 100 || !strings.HasSuffix(log, "step 100\n") {
		t.Errorf("log is %q", log)
	}
	second.wantEvents(id, "1: failed 1", "2: restored 1")
}

func TestAStoreThatHangsDoesNotCostTheOutcome(t *testing.T) {
	t.Parallel()
	files := newShared(t)
	w := newWorker(t, files.every(0))
	free := make(chan struct{})
	files.put = func(context.Context) error { <-free; return errors.New("hung") } // it does not even hear of the context
	id := w.submit(steps(1000), requeue)
	wait := make(chan struct{})
	go func() { w.Handle(context.Background(), id); close(wait) }()
	w.awaitLog(id, "step 2\n")
	begin := time.Now()
	w.Drain()
	for r := w.get(id); r.Status != execution.Queued; r = w.get(id) {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("it is %s", r.Status)
		}
		<-time.After(10 * time.Millisecond)
	}
	if took := time.Since(begin); took > 5*time.Second { // settled before the second that is kept for the disk
		t.Errorf("settled after %v of a drain of 6 s", took)
	}
	<-wait
	close(free)
	if m := w.wantEvents(id, "1: failed 1"); !strings.Contains(m, "DRAIN_TIMEOUT") {
		t.Errorf("message is %q", m)
	}
}

func TestWithoutAnotherAttemptNothingIsSaved(t *testing.T) {
	t.Parallel()
	files := newShared(t)
	w := newWorker(t, files.every(20*time.Millisecond))
	ids := []execution.ID{
		w.submit(steps(1000), nil),
		w.submit(steps(1000), func(s *execution.Spec) { s.OnInterrupt, s.MaxAttempts = execution.Requeue, 1 }),
	}
	var waits []func() *execution.Record
	for _, id := range ids {
		waits = append(waits, w.start(id))
		w.awaitLog(id, "step 10\n")
	}
	w.Drain()
	for i, wait := range waits {
		check(t, wait(), execution.Errored, execution.ReasonInterrupted, "")
		w.wantEvents(ids[i])
	}
	if n := files.count(); n != 0 {
		t.Errorf("saved %d times", n)
	}
}

func TestWhatIsNotKeptIsToldOnce(t *testing.T) {
	fill := `head -c 5000 /dev/zero > "$EXECUTION_CHECKPOINT_DIR/f"; echo ready; for i in 1 2 3 4 5 6 7 8; do sleep 0.1; echo x >> "$EXECUTION_CHECKPOINT_DIR/f"; done`
	files := newShared(t)
	small := newWorker(t, func(o *runner.Options) { files.every(20 * time.Millisecond)(o); o.CheckpointBytes = 4999 })
	r := small.run(fill, requeue)
	check(t, r, execution.Completed, execution.ReasonExited, "")
	if m := small.wantEvents(r.ID, "1: failed 1"); !strings.Contains(m, "CHECKPOINT_MAX_BYTES") {
		t.Errorf("message is %q", m)
	}
	without := workerOn(t, small.store, small.srv, func(o *runner.Options) { o.CheckpointEvery = 20 * time.Millisecond })
	r = without.run(fill, requeue)
	check(t, r, execution.Completed, execution.ReasonExited, "")
	if m := without.wantEvents(r.ID, "1: failed 1"); !strings.Contains(m, "ARTIFACTS_URL") {
		t.Errorf("message is %q", m)
	}
	r = without.run(`ls -A "$EXECUTION_CHECKPOINT_DIR"; echo ready; sleep 0.2`, requeue) // who keeps nothing hears nothing
	without.wantEvents(r.ID)
}

// The disk fills up while a checkpoint is restored: a file is where its folder must be made.
func TestARestoreThatFindsNoRoomGoesBackInLine(t *testing.T) {
	t.Parallel()
	files := newShared(t)
	first := newWorker(t, files.every(0))
	id := first.submit(steps(100), requeue)
	interrupted(t, first, id, "step 3\n")
	var workdir string
	second := workerOn(t, first.store, first.srv, func(o *runner.Options) { files.every(0)(o); workdir = o.Workdir })
	files.set(func() {
		files.open = func() error {
			part := filepath.Join(rootOf(t, workdir), string(id)+".2", "checkpoint.part")
			if os.Remove(part) == nil { // in attempt 2 only
				return os.WriteFile(part, nil, 0o600)
			}
			return nil
		}
	})
	second.due(id)
	second.Handle(context.Background(), id)
	if r := second.get(id); r.Status != execution.Queued || r.Attempt != 2 {
		t.Fatalf("%s, attempt %d, %+v", r.Status, r.Attempt, r.Outcome)
	}
	second.due(id)
	second.Handle(context.Background(), id)
	check(t, second.get(id), execution.Completed, execution.ReasonExited, "")
	if log := second.log(id, execution.Stdout); strings.Count(log, "step ") != 100 {
		t.Errorf("log is %q", log)
	}
}

func TestADamagedCheckpointMeansAnEmptyFolder(t *testing.T) {
	files := newShared(t)
	w := newWorker(t, files.every(0))
	id := w.submit(`if [ $EXECUTION_ATTEMPT = 1 ]; then echo ready; sleep 60; fi; ls -A "$EXECUTION_CHECKPOINT_DIR" | wc -l`, requeue)
	interrupted(t, w, id, "ready")
	if err := files.Store.Put(t.Context(), id, "checkpoint/1.tar.zst", strings.NewReader("damaged"), 7, ""); err != nil {
		t.Fatal(err)
	}
	second := workerOn(t, w.store, w.srv, files.every(0))
	second.Handle(context.Background(), id)
	check(t, second.get(id), execution.Completed, execution.ReasonExited, "")
	if log := second.log(id, execution.Stdout); log != "ready\n0\n" {
		t.Errorf("log is %q", log)
	}
	if m := second.wantEvents(id, "2: failed 1"); !strings.Contains(m, "damaged") {
		t.Errorf("message is %q", m)
	}
}

func TestARestoreWaitsForAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	files := newShared(t)
	w := newWorker(t, files.every(0))
	id, ends, drains := w.submit(steps(100), requeue), w.submit(steps(100), requeue), w.submit(steps(100), requeue)
	var waits []func() *execution.Record
	for _, id := range []execution.ID{id, ends, drains} {
		waits = append(waits, w.start(id))
		w.awaitLog(id, "step 2\n")
	}
	w.Drain()
	for _, wait := range waits {
		if r := wait(); r.Status != execution.Queued {
			t.Fatalf("after the drain it is %s", r.Status)
		}
	}
	asked := make(chan struct{}, 100)
	away := 2
	files.open = func() error {
		files.mu.Lock()
		defer files.mu.Unlock()
		asked <- struct{}{}
		if away--; away >= 0 {
			return errors.New("away")
		}
		return nil
	}
	second := workerOn(t, w.store, w.srv, files.every(0))
	second.Handle(context.Background(), id)
	check(t, second.get(id), execution.Completed, execution.ReasonExited, "")
	second.wantEvents(id, "1: saved 1", "2: restored 1")

	files.set(func() { away = 1000 })
	for len(asked) > 0 {
		<-asked
	}
	wait := second.start(ends)
	<-asked
	second.Cancel(ends, false)
	check(t, wait(), execution.Cancelled, execution.ReasonCancelled, "") // no engine is started for that
	wait = second.start(drains)
	<-asked
	second.Drain()
	if r := wait(); r.Status != execution.Queued || r.Attempt != 2 {
		t.Errorf("it is %s, attempt %d", r.Status, r.Attempt)
	}
	files.set(func() { away = 0 })
	third := workerOn(t, w.store, w.srv, files.every(0))
	third.Handle(context.Background(), drains)
	third.wantEvents(drains, "1: saved 1", "3: restored 1")
}
