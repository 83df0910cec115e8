package faults

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/rig"
)

// Clocks of workers that differ by a minute. Asynq compares one replica's clock
// with instants that another has written; ours must not care.

// shiftedNow is what time.Now begins with, and what it begins with in a worker
// whose clock is wrong. The shift comes from the linker, so that one build of
// the standard library serves all of them; a shim is the same binary and so has
// its worker's clock.
const (
	realNow    = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	shiftedNow = realNow + "\tsec += faultsShift()\n"
	shiftFile  = `package time

var faultsSeconds string // by the linker: digits, with a sign

func faultsShift() (n int64) {
	for i := 1; i < len(faultsSeconds); i++ {
		n = 10*n + int64(faultsSeconds[i]-'0')
	}
	if faultsSeconds[0] == '-' {
		return -n
	}
	return n
}
`
)

// building lets one test at a time compile the standard library; the others
// find it in Go's build cache.
var building sync.Mutex

// workerWithClock builds a worker whose wall clock is off by so many seconds,
// such as "+60". Its timers are right, as they are where only the date is wrong.
func workerWithClock(t *testing.T, seconds string) string {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	dir := t.TempDir()
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	original := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), realNow); n != 1 {
		t.Fatalf("%s begins time.Now %d times as this test expects, not once: Go has changed it, so change realNow in clock_test.go too", original, n)
	}
	overlay := map[string]string{}
	for path, text := range map[string]string{
		original: strings.Replace(string(source), realNow, shiftedNow, 1),
		filepath.Join(filepath.Dir(original), "faults_shift.go"): shiftFile,
	} {
		overlay[path] = filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(overlay[path], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := rig.BuildIn(rig.Root(), "-overlay", list, "-ldflags", "-X time.faultsSeconds="+seconds, "-o", filepath.Join(dir, "worker"), "./cmd/worker"); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "worker")
}

// addWorker starts one more, from a binary of its own if path is not "".
func (s *system) addWorker(name, path string) *proc {
	s.t.Helper()
	w := s.newProc("worker", name)
	if path != "" {
		w.path = path
	}
	s.workers = append(s.workers, w)
	w.restart()
	return w
}

// clockIs proves that a process' wall clock is off by about so much.
func (p *proc) clockIs(off time.Duration) {
	p.s.t.Helper()
	var line struct {
		Time time.Time `json:"time"`
	}
	first, _, _ := strings.Cut(p.read(), "\n")
	info, err := os.Stat(p.log) // written just after
	if err == nil {
		err = json.Unmarshal([]byte(first), &line)
	}
	if err != nil {
		p.s.t.Fatalf("the log of %s: %v", p.name, err)
	}
	if d := line.Time.Sub(info.ModTime()) - off; d.Abs() > 20*time.Second {
		p.s.t.Fatalf("the clock of %s is off by %v, not by %v: the fault is not caused", p.name, line.Time.Sub(info.ModTime()), off)
	}
}

func TestAWorkerWhoseClockIsAMinuteAhead(t *testing.T)  { single(t); clocksApart(t, "+60") }
func TestAWorkerWhoseClockIsAMinuteBehind(t *testing.T) { single(t); clocksApart(t, "-60") }

func clocksApart(t *testing.T, seconds string) {
	path := workerWithClock(t, seconds)
	off, err := time.ParseDuration(seconds + "s")
	if err != nil {
		t.Fatal(err)
	}
	s := newSystemOf(t, 2, 1, "MAX_CONCURRENT=12")
	right, wrong := s.workers[0], s.addWorker("worker-off", path)
	right.clockIs(0)
	wrong.clockIs(off)

	// Load all the time: each worker's Asynq looks once a minute for tasks that it takes for lost.
	stop := s.steadily(400*time.Millisecond, engine("-lines", "20", "-pause", "50ms", "-both"))
	began := time.Now()
	s.delayed(3, 10)
	s.sameKeyTwice()
	s.waitsTooLong(4)

	// The right clock's worker dies, and the other must notice nothing but its
	// own work; then the other way round.
	twice := s.startOn(right, requeued("-lines", "20", "-pause", "20ms", "-succeed-at", "3"))
	runs := map[*proc][]execution.ID{}
	for _, w := range []*proc{right, wrong, right, wrong} {
		runs[w] = append(runs[w], s.startOn(w, engine("-lines", "-1", "-pause", "100ms")))
	}
	outage(time.Until(began.Add(62 * time.Second)))
	killed := map[string]time.Time{}
	for n, doomed := range []*proc{right, wrong} {
		doomed.kill()
		killed[doomed.name] = time.Now()
		for _, id := range runs[doomed] {
			s.wants(id, time.Until(killed[doomed.name].Add(noticed)), execution.Errored, execution.ReasonWorkerLost)
		}
		s.delayed(2, 3) // with one worker, and one clock
		s.eventually("it runs again elsewhere", 20*time.Second, func() bool {
			e := s.status(twice)
			return e != nil && e.Attempt == n+2 && e.Status != execution.Queued
		})
		doomed.restart()
	}
	stop()
	s.keepsBackoffs(twice)
	s.lostOnlyWith(killed)
	s.check(20 * time.Second)
}

// steadily starts executions until the returned function is called.
func (s *system) steadily(every time.Duration, r api.StartRequest) (stop func()) {
	over := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-time.After(every):
				if _, err := s.try(r); err != nil {
					s.t.Errorf("start: %v", err)
				}
			}
		}
	})
	stop = sync.OnceFunc(func() { close(over); load.Wait() })
	s.t.Cleanup(stop)
	return stop
}

// startOn starts one that happens to run on w.
func (s *system) startOn(w *proc, r api.StartRequest) execution.ID {
	s.t.Helper()
	for range 40 {
		id := s.start(r)
		if s.runnerOf(id) == w {
			return id
		}
		if _, err := s.client.Cancel(s.ctx, id, 20*time.Second); err != nil {
			s.t.Errorf("cancel: %v", err)
		}
	}
	s.t.Fatalf("%s gets nothing to run", w.name)
	return ""
}

// early is by how much a start may come before its time, and late by how much
// after it: the reaper's patience with a missing task, its round and the pick-up,
// on a busy machine.
const early, late = time.Second, 12 * time.Second

// delayed starts n after so many seconds, and not before.
func (s *system) delayed(n int, seconds int64) {
	s.t.Helper()
	r := engine()
	r.DelaySeconds = seconds
	for _, id := range s.startAll(n, r) {
		e := s.wants(id, time.Duration(seconds)*time.Second+late+5*time.Second, execution.Completed, "")
		waited := e.StartedAt.Sub(e.CreatedAt.Time)
		if d := time.Duration(seconds) * time.Second; waited < d-early || waited > d+late {
			s.t.Errorf("%s was to start %v after its creation, and did after %v", id, d, waited)
		}
	}
}

// sameKeyTwice starts one execution twice.
func (s *system) sameKeyTwice() {
	s.t.Helper()
	r := engine()
	r.Labels = map[string]string{serialLabel: "same"}
	var ids []execution.ID
	for range 2 * len(s.apis) {
		started, err := s.client.Start(s.ctx, r, "one-key")
		if err != nil {
			s.t.Fatalf("start: %v", err)
		}
		ids = append(ids, started.ID)
		if started.ID != ids[0] {
			s.t.Errorf("one key, two executions: %v", ids)
		}
	}
	s.accept(ids[0], "same", r)
}

// waitsTooLong starts one that nobody takes, to be ended after so many seconds.
func (s *system) waitsTooLong(seconds int64) {
	s.t.Helper()
	i := s.dashboard()
	r := engine()
	r.Queue, r.QueueTimeoutSeconds = "low", 1
	s.complete(s.startAll(1, r), 20*time.Second) // so that Asynq knows the queue
	if err := i.PauseQueue("low"); err != nil {
		s.t.Fatal(err)
	}
	r.QueueTimeoutSeconds = seconds
	e := s.wants(s.start(r), 20*time.Second, execution.Timeout, execution.ReasonQueueWait)
	if waited, d := e.CompletedAt.Sub(e.CreatedAt.Time), time.Duration(seconds)*time.Second; waited < d || waited > d+late {
		s.t.Errorf("it waited for %v, and not for about %v", waited, d)
	}
	if err := i.UnpauseQueue("low"); err != nil {
		s.t.Fatal(err)
	}
}

// keepsBackoffs wants each attempt to come its pause after the one before: 1 s, 2 s, …
func (s *system) keepsBackoffs(id execution.ID) {
	s.t.Helper()
	e := s.wants(id, 30*time.Second, execution.Completed, "")
	if len(e.PastAttempts) != 2 {
		s.t.Errorf("%d attempts before the last, not 2", len(e.PastAttempts))
		return
	}
	starts := []api.Time{e.PastAttempts[1].StartedAt, *e.StartedAt}
	for n, p := range e.PastAttempts {
		if pause, d := starts[n].Sub(p.EndedAt.Time), time.Second<<n; p.Reason != execution.ReasonWorkerLost || pause < d-early || pause > d+late {
			s.t.Errorf("attempt %d ended as %s; the next began %v later, and not about %v", p.Attempt, p.Reason, pause, d)
		}
	}
}

// lostOnlyWith wants no other executions taken for lost than those of workers
// that were killed, in the time it takes to notice it.
func (s *system) lostOnlyWith(killed map[string]time.Time) {
	s.t.Helper()
	lost := 0
	for _, st := range s.all() {
		e := s.end(st.id, 30*time.Second)
		if value(e.Reason) != execution.ReasonWorkerLost {
			if e.Status == execution.Errored {
				s.t.Errorf("%s ended as %s: %s", st.id, value(e.Reason), value(e.ErrorMessage))
			}
			continue
		}
		lost++
		at, was := killed[value(e.Worker)]
		if after := e.CompletedAt.Sub(at); !was || after < 0 || after > noticed+5*time.Second {
			s.t.Errorf("%s was taken for lost %v after the kill of its worker, %s", st.id, after, value(e.Worker))
		}
	}
	s.t.Logf("%d executions, %d of them lost with their worker", len(s.all()), lost)
}

// What is kept for a minute is there for a minute, whatever a worker's clock says, and goes then.
func TestRetentionIsKeptByRedisClock(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 0, "RETENTION=1m")
	s.forgotten = true
	s.addWorker("worker-ahead", workerWithClock(t, "+60"))
	s.addWorker("worker-behind", workerWithClock(t, "-60"))
	ids := s.startAll(4, engine())
	s.complete(ids, 20*time.Second)
	ended := time.Now()
	there := func() (n int) {
		for _, id := range ids {
			if _, err := s.client.Status(s.ctx, id); execution.CodeOf(err) != execution.NotFound {
				n++
			}
		}
		return n
	}
	for time.Since(ended) < 45*time.Second {
		if n := there(); n < len(ids) {
			t.Fatalf("after %v only %d of %d are kept", time.Since(ended), n, len(ids))
		}
		outage(time.Second)
	}
	s.eventually("they are gone", 40*time.Second, func() bool { return there() == 0 })
}
