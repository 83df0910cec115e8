package faults

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
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
	s.apis[0].becomes("ready") // full before its first use is another story
	if err := s.rdb.ConfigSet(s.ctx, "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
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
