package faults

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

// ready asks a process for its health.
func (p *proc) ready() (int, api.Ready) {
	p.s.t.Helper()
	res, err := http.Get(p.url + "/ready")
	if err != nil {
		return 0, api.Ready{}
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	var r api.Ready
	if err := json.Unmarshal(body, &r); err != nil {
		p.s.t.Errorf("/ready of %s: %v: %s", p.name, err, body)
	}
	return res.StatusCode, r
}

// becomes waits until /ready says so.
func (p *proc) becomes(status string) api.Ready {
	p.s.t.Helper()
	var r api.Ready
	p.s.eventually(p.name+" is "+status, 20*time.Second, func() bool {
		_, r = p.ready()
		return r.Status == status
	})
	return r
}

// check finds one of the checks of /ready.
func check(r api.Ready, name string) api.Check {
	for _, c := range r.Checks {
		if c.Name == name {
			return c
		}
	}
	return api.Check{}
}

// troubles are the lines of a log at warn and above.
func troubles(log string) (all []string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"level":"warn"`) || strings.Contains(line, `"level":"error"`) {
			all = append(all, line)
		}
	}
	return all
}

func TestAnOutageOfRedisIsToldOnce(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 1)
	ids := s.load("12")
	marks := map[*proc]int{}
	for _, p := range s.procs() {
		marks[p] = len(p.read())
	}
	s.redis.Kill()
	r := s.apis[0].becomes("not_ready")
	if c := check(r, "redis"); c.OK || c.Detail == "" || c.Since == nil || time.Since(c.Since.Time) > time.Minute {
		t.Errorf("the check is %+v", c)
	}
	for range 20 { // requests that fail are no news either
		_, _ = s.apis[0].ready()
		outage(500 * time.Millisecond)
	}
	s.redis.Start()
	s.apis[0].becomes("ready")
	s.complete(ids, 40*time.Second)
	for _, p := range s.procs() {
		said := p.read()[marks[p]:]
		for _, line := range []string{`"Redis cannot be used"`, `"Redis can be used again"`} {
			if n := strings.Count(said, line); n != 1 {
				t.Errorf("%s logged %d times %s", p.name, n, line)
			}
		}
		// Each part may have met the outage once before it was known.
		if all := troubles(said); len(all) > 12 {
			t.Errorf("%s logged %d lines about one outage:\n%s", p.name, len(all), strings.Join(all, ""))
		} else {
			t.Logf("%s: %d lines", p.name, len(all))
		}
	}
	s.check(10 * time.Second)
}

// The store of artifacts is a folder here; a file in its place is one that is away.
func TestAnArtifactStoreThatIsAwayOnlyDegrades(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 1)
	store := s.dir + "/outputs"
	for _, err := range []error{os.RemoveAll(store), os.WriteFile(store, nil, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := s.apis[0].becomes("degraded")
	if c := check(r, "artifacts"); c.OK || c.Since == nil || !strings.Contains(c.Detail, "ARTIFACTS_URL") || strings.Contains(c.Detail, s.dir) {
		t.Errorf("the check is %+v", c)
	}
	if code, _ := s.apis[0].ready(); code != http.StatusOK {
		t.Errorf("degraded comes with %d", code)
	}
	s.complete(s.startAll(2, engine()), 20*time.Second)
	s.eventually("the log says so", 20*time.Second, func() bool {
		return s.apis[0].logged("artifacts cannot be kept") && s.workers[0].logged("artifacts cannot be kept")
	})
	s.check(10 * time.Second)
}

func TestAFullRedisDegrades(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 1)
	s.apis[0].becomes("ready")
	if err := s.rdb.ConfigSet(s.ctx, "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	s.apis[0].becomes("degraded")
	s.apis[0].kill() // also one that starts now
	s.apis[0].restart()
	r := s.apis[0].becomes("degraded")
	if c := check(r, "redis"); c.OK || !strings.Contains(c.Detail, "maxmemory") {
		t.Errorf("the check is %+v", c)
	}
	if err := s.rdb.ConfigSet(s.ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	s.apis[0].becomes("ready")
	s.check(10 * time.Second)
}

// probed starts a worker that answers probes.
func (s *system) probed(name string, env ...string) *proc {
	s.t.Helper()
	w := s.newProc("worker", name)
	w.listens("WORKER_PORT")
	w.env = append(w.env, env...)
	s.workers = append(s.workers, w)
	w.restart()
	return w
}

// metric reads one line of a worker's metrics.
func (p *proc) metric(name string) string {
	p.s.t.Helper()
	res, err := http.Get(p.url + "/metrics")
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return res.Status
}

func TestAWorkerAnswersProbes(t *testing.T) {
	quick(t)
	s := newSystemOf(t, 1, 0)
	w := s.probed("worker-1", "METRICS_TOKEN=scraper-of-the-tests")
	r := w.becomes("ready")
	for _, name := range []string{"redis", "disk", "artifacts"} {
		if !check(r, name).OK {
			t.Errorf("%s: %+v", name, check(r, name))
		}
	}
	if got := w.metric("longhaul_check_ok"); !strings.HasPrefix(got, "401") {
		t.Errorf("metrics without METRICS_TOKEN: %s", got)
	}
	other := s.newProc("worker", "worker-2") // a port that is taken stops a worker, and says why
	other.env = append(other.env, "WORKER_PORT="+w.url[strings.LastIndex(w.url, ":")+1:])
	other.start()
	s.eventually("it names the setting", 20*time.Second, func() bool { return other.logged("WORKER_PORT") })
	id := s.start(engine("-lines", "-1", "-pause", "50ms"))
	s.prints(id, 3)
	w.signal(syscall.SIGTERM)
	w.becomes("draining")
	if res, err := http.Get(w.url + "/health"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("/health while it drains: %v %v", res, err)
	}
	_, done := w.current()
	<-done
	s.wants(id, 10*time.Second, execution.Errored, execution.ReasonInterrupted)
	s.check(10 * time.Second)
}

func TestAWorkerThatCannotReachRedisTakesNothing(t *testing.T) {
	single(t)
	s := newSystemOf(t, 1, 0)
	cut := s.probed("worker-1")
	cut.becomes("ready")
	long := s.start(engine("-lines", "-1", "-pause", "50ms"))
	s.prints(long, 3)
	cut.proxy.Refuse()
	cut.becomes("not_ready")
	other := s.probed("worker-2")
	ids := s.startAll(6, engine())
	s.complete(ids, 30*time.Second)
	for _, id := range ids {
		if e := s.status(id); value(e.Worker) != other.name || e.Attempt != 1 {
			t.Errorf("%s: attempt %d on %s", id, e.Attempt, value(e.Worker))
		}
	}
	cut.proxy.Heal() // before its lease is over
	cut.becomes("ready")
	other.kill()
	s.complete(s.startAll(2, engine()), 30*time.Second)
	if c, err := s.client.Cancel(s.ctx, long, 20*time.Second); err != nil || c.Status != execution.Cancelled {
		t.Errorf("cancel: %+v, %v", c, err)
	}
	s.check(10 * time.Second)
}

func TestAWorkerWithoutRoomLeavesTheWorkToOthers(t *testing.T) {
	single(t)
	small := smallDisk(t, "size=4m")
	s := newSystemOf(t, 1, 0)
	full := s.probed("worker-1", "WORKDIR="+small, "WORKDIR_MIN_FREE=1MiB")
	full.becomes("ready")
	long := s.start(engine("-lines", "-1", "-pause", "50ms")) // what runs goes on
	s.prints(long, 3)
	free := fill(t, small)
	r := full.becomes("not_ready")
	if c := check(r, "disk"); c.OK || c.Since == nil || !strings.Contains(c.Detail, "WORKDIR_MIN_FREE") || strings.Contains(c.Detail, small) {
		t.Errorf("the check is %+v", c)
	}
	if got := full.metric(`longhaul_check_ok{check="disk"}`); got != "0" {
		t.Errorf("the metric is %s", got)
	}
	ids := s.startAll(4, engine())
	outage(5 * time.Second) // the reaper does not hand them to it either
	for _, id := range ids {
		if e := s.status(id); e.Status != execution.Queued || e.Attempt != 0 {
			t.Errorf("%s is %s, attempt %d", id, e.Status, e.Attempt)
		}
	}
	for _, p := range s.procs() { // it does not take them and let them go either
		if p.logged("task was missing") {
			t.Errorf("%s had to dispatch again", p.name)
		}
	}
	other := s.probed("worker-2")
	s.complete(ids, 30*time.Second)
	other.kill()
	waiting := s.startAll(2, engine())
	seen := s.seenLines(long)
	s.prints(long, seen+10)
	free()
	full.becomes("ready")
	s.complete(waiting, 30*time.Second)
	said := full.read()
	if gone, back := strings.Count(said, `"no room on the disk`), strings.Count(said, `"room on the disk`); gone != 1 || back != 1 {
		t.Errorf("the log tells %d times of no room, and %d times of room", gone, back)
	}
	if c, err := s.client.Cancel(s.ctx, long, 20*time.Second); err != nil || c.Status != execution.Cancelled {
		t.Errorf("cancel: %+v, %v", c, err)
	}
	s.check(10 * time.Second)
}

// smallDisk mounts one that is full soon.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, options); err != nil {
		lacking(t, "a small disk needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(small, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return small
}

// fill leaves not a byte on a small disk until free is called.
func fill(t *testing.T, disk string) (free func()) {
	t.Helper()
	ballast := filepath.Join(disk, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 16<<20), 0o600) // as much as fits
	return func() {
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
	}
}
