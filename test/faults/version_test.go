package faults

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/rig"
)

// oldCommit is what the present version must get along with; LONGHAUL_OLD names another.
const oldCommit = "8e2b4be"

// lacking skips a test for what this machine has not, so that it is seen even
// where go test hides the reasons of skips.
func lacking(t *testing.T, format string, args ...any) {
	t.Helper()
	why := "SKIPPED, NOT PASSED: " + fmt.Sprintf(format, args...)
	fmt.Fprintln(os.Stderr, "test/faults: "+t.Name()+": "+why)
	t.Skip(why)
}

// buildOld builds API and worker of an older commit, and gives their folder.
func buildOld(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil && os.Getenv("CI") != "" {
		t.Fatal("git is missing: apt-get install git")
	}
	commit := cmp.Or(os.Getenv("LONGHAUL_OLD"), oldCommit)
	if out, err := exec.Command("git", "-C", rig.Root(), "cat-file", "-e", commit+"^{commit}").CombinedOutput(); err != nil {
		lacking(t, "there is no commit %s here to build the old version from, perhaps because the clone is shallow (git fetch --unshallow): %v %s", commit, err, out)
	}
	dir := t.TempDir()
	for _, args := range [][]string{
		{"git", "-C", rig.Root(), "archive", "--output", filepath.Join(dir, "old.tar"), commit},
		{"tar", "-x", "-C", dir, "-f", filepath.Join(dir, "old.tar")},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("get commit %s: %s: %v\n%s", commit, strings.Join(args, " "), err, out)
		}
	}
	const mark = "-X github.com/longhaul/longhaul/pkg/app.version=the-old-one"
	if err := rig.BuildIn(dir, "-ldflags", mark, "-o", filepath.Join(dir, "old")+"/", "./cmd/api", "./cmd/worker"); err != nil {
		t.Fatalf("build commit %s: %v", commit, err)
	}
	return filepath.Join(dir, "old")
}

// roll replaces processes one by one, as a deploy does, by those of another folder.
func (s *system) roll(from string, procs ...*proc) {
	s.t.Helper()
	for _, p := range procs {
		p.term(12 * time.Second)
		p.path = filepath.Join(from, p.kind)
		p.restart()
		if old := p.logged(`"version":"the-old-one"`); old == (from == bin) {
			s.t.Fatalf("%s is not of the version that it should be", p.name)
		}
	}
}

// Every deploy has a while in which two versions run beside each other, and
// sometimes it is taken back.
func TestOldAndNewRunSideBySide(t *testing.T) {
	single(t)
	old := buildOld(t)
	s := newSystemOf(t, 0, 0, "ARTIFACTS_URL=", "DRAIN_TIMEOUT=8s")
	for n := range 2 {
		s.apis = append(s.apis, s.newProc("api", fmt.Sprintf("api-%d", n+1)))
		s.workers = append(s.workers, s.newProc("worker", fmt.Sprintf("worker-%d", n+1)))
	}
	for _, p := range s.procs() {
		p.path = filepath.Join(old, p.kind)
		p.restart()
	}
	stop := s.steadily(200*time.Millisecond, engine("-lines", "30", "-pause", "25ms", "-both"))
	through := requeued("-lines", "-1", "-pause", "50ms")
	through.MaxAttempts, through.TimeoutSeconds = 10, 600
	endless := s.start(through) // its stream is open all the time
	later := engine()
	later.DelaySeconds = 20
	done := s.startAll(3, later)

	for _, step := range []struct {
		what string
		from string
		who  []*proc
	}{
		{"an old API and new workers", bin, s.workers},
		{"all new", bin, s.apis},
		{"a new API and old workers", old, s.workers},
		{"all new again", bin, s.workers},
		{"one old API", old, s.apis[1:]},
		{"one old worker too", old, s.workers[1:]},
	} {
		t.Log(step.what)
		again := s.startAll(3, requeued("-lines", "30", "-pause", "50ms", "-both", "-succeed-at", "2"))
		for _, id := range again {
			s.prints(id, 2)
		}
		s.roll(step.from, step.who...)
		if len(step.who) == 2 && step.who[0].kind == "worker" { // each of them has been interrupted
			done = append(done, again...)
		} else {
			s.cancelAll(again)
		}
		done = append(done, s.everyVerb())
	}
	stop()
	s.complete(done, 40*time.Second)
	if _, err := s.client.Cancel(s.ctx, endless, 20*time.Second); err != nil {
		t.Errorf("cancel: %v", err)
	}
	if e := s.wants(endless, 10*time.Second, execution.Cancelled, execution.ReasonCancelled); e.Attempt < 4 {
		t.Errorf("it was to live through all of it, and ran %d times", e.Attempt)
	}
	for _, st := range s.all() {
		if e := s.end(st.id, 20*time.Second); e.Status != execution.Completed && e.Status != execution.Cancelled {
			t.Errorf("%s ended as %s (%s): %s", st.id, e.Status, value(e.Reason), value(e.ErrorMessage))
		}
	}
	s.check(20 * time.Second)
}

// What this version has folded, an older one that comes back for good cannot
// read: it says so, and starts nothing twice.
func TestAnOlderReleaseStartsNothingTwiceThatIsFolded(t *testing.T) {
	single(t)
	old := buildOld(t)
	s := newSystemOf(t, 1, 1, "ARTIFACTS_URL=")
	r := engine("-lines", "5", "-both")
	r.Labels = map[string]string{serialLabel: "one-key"}
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	start := func() (int, string) { return s.ask(http.MethodPost, "/execute/start", "one-key", string(body)) }
	code, answer := start()
	var made struct {
		ID execution.ID `json:"execution_id"`
	}
	if err := json.Unmarshal([]byte(answer), &made); err != nil || code != http.StatusAccepted {
		t.Fatalf("start: %d %s", code, answer)
	}
	s.accept(made.ID, "one-key", r)
	s.complete([]execution.ID{made.ID}, 20*time.Second)
	status := "/execute/status/" + string(made.ID)
	_, before := s.ask(http.MethodGet, status, "", "")
	s.eventually("it is folded", 20*time.Second, func() bool {
		return s.rdb.Type(s.ctx, "lh:{p0}:x:"+string(made.ID)).Val() == "string"
	})
	s.roll(old, s.apis...)
	if code, answer := start(); code != http.StatusServiceUnavailable {
		t.Errorf("the old version started: %d %s", code, answer)
	}
	if code, answer := s.ask(http.MethodGet, status, "", ""); code != http.StatusServiceUnavailable {
		t.Errorf("the old version's status: %d %s", code, answer)
	}
	if code, answer := s.ask(http.MethodPost, "/execute/cancel/"+string(made.ID), "", ""); code != http.StatusServiceUnavailable {
		t.Errorf("the old version's cancel: %d %s", code, answer)
	}
	if code, answer := s.ask(http.MethodGet, "/execute/list", "", ""); code != http.StatusOK {
		t.Errorf("the old version's list: %d %s", code, answer)
	}
	s.roll(bin, s.apis...)
	if code, answer := s.ask(http.MethodGet, status, "", ""); code != http.StatusOK || answer != before {
		t.Errorf("its status is %d %s, was %s", code, answer, before)
	}
	if code, answer := start(); code >= 300 || !strings.Contains(answer, string(made.ID)) {
		t.Errorf("the same key gives %d %s", code, answer)
	}
	s.check(20 * time.Second)
}

// ask asks the first API replica, once.
func (s *system) ask(method, path, key, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.ctx, method, s.apis[0].url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(answer)
}

// everyVerb uses each API replica by itself, and one against the other.
func (s *system) everyVerb() execution.ID {
	s.t.Helper()
	key := fmt.Sprint("key-", time.Now().UnixNano())
	same := engine()
	same.Labels = map[string]string{serialLabel: key}
	var first execution.ID
	var running []execution.ID
	for _, a := range s.apis {
		c, err := client.New(a.url, token, client.Options{GiveUpAfter: 20 * time.Second})
		if err != nil {
			s.t.Fatal(err)
		}
		started, err := c.Start(s.ctx, same, key)
		if err != nil {
			s.t.Fatalf("start by %s: %v", a.name, err)
		}
		if first = cmp.Or(first, started.ID); started.ID != first {
			s.t.Errorf("one key, two executions: %s and %s", first, started.ID)
		}
		s.accept(first, key, same)
		id := s.start(engine("-lines", "-1", "-pause", "20ms"))
		s.follow(id, "by "+a.name, 0, c)
		s.prints(id, 3)
		running = append(running, id)
	}
	s.cancelAll(running)
	return first
}

func (s *system) cancelAll(ids []execution.ID) {
	s.t.Helper()
	for _, id := range ids {
		if _, err := s.client.Cancel(s.ctx, id, 20*time.Second); err != nil && execution.CodeOf(err) != execution.Conflict {
			s.t.Errorf("cancel: %v", err)
		}
	}
}
