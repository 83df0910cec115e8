package faults

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/redistest"
)

// Thousands of executions of all kinds (20,000 with FAULTS=long) come and go, and
// a worker dies with some of them. When retention is over, the artifact store and
// the workers' disks are empty, and Redis holds what it holds where only one of
// each kind has come and gone.
func TestRetentionLeavesNothingOfThousandsOfExecutions(t *testing.T) {
	alone(t)
	few, s := newRetaining(t), newRetaining(t)
	newFlood(few).run(0, len(kinds))

	many := 4_000 // more than each round of the reaper takes at once, by far
	if long() {
		many = 20_000
	}
	f := newFlood(s)
	begin := time.Now()
	f.run(0, many)
	last := time.Now()
	t.Logf("in %v: %v", last.Sub(begin).Round(time.Second), f.ways)
	f.check(many)
	keys, files := len(s.keys()), len(s.artifacts())
	t.Logf("just after the last one's end: %d keys of Redis, %d files and folders of artifacts", keys, files)
	if keys < many/20 || files == 0 {
		t.Error("there is too little to be taken out")
	}

	t.Parallel() // the rest is waiting, and leaves the machine to others
	few.emptied(5 * time.Minute)
	s.emptied(5 * time.Minute)
	t.Logf("all gone %v later; a minute of it is RETENTION", time.Since(last).Round(time.Second))

	want, left := few.forms(), s.forms()
	t.Logf("keys of Redis: %v", left)
	if !maps.Equal(want, left) {
		t.Errorf("keys of Redis after one of each kind: %v\nand after %d: %v", want, many, left)
	}
	for _, p := range s.procs() {
		p.term(15 * time.Second)
	}
	if left := below(filepath.Join(s.dir, "work")); len(left) != len(s.workers) { // each WORKDIR itself
		t.Errorf("left below WORKDIR: %v", left)
	}
}

// newRetaining is a system that keeps what has ended for a minute. No worker
// serves low, and nothing goes through proxies: there is no fault to cause here
// but a worker's death.
func newRetaining(t *testing.T) *system {
	t.Helper()
	srv := redistest.Start(t)
	return newSystemOn(t, srv, srv.URL, 1, 2, "RETENTION=1m", "IDEMPOTENCY_TTL=1m", "QUEUES=critical,default",
		"MAX_CONCURRENT=16", "MAX_QUEUE_SIZE=100000",
		"WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "WEBHOOK_ALLOW_NETWORKS=127.0.0.0/8")
}

// owned are the keys that stay when no execution is left. There is a fixed
// number of each, or Asynq lets them expire.
var owned = []struct {
	form *regexp.Regexp
	ttl  bool
	why  string
}{
	{regexp.MustCompile(`^lh:meta$`), false, "schema version and partitions"},
	{regexp.MustCompile(`^lh:\{p\d+\}:tick$`), false, "the clock of leases"},
	{regexp.MustCompile(`^lh:\{p0\}:workers$`), false, "the names of the workers that live"},
	{regexp.MustCompile(`^lh:\{p0\}:worker:\S+$`), true, "what a worker that lives tells of itself"},
	{regexp.MustCompile(`^asynq:queues$`), false, "the names of the queues, three at most"},
	{regexp.MustCompile(`^asynq:\{\w+\}:(processed|failed)$`), false, "a counter per queue"},
	{regexp.MustCompile(`^asynq:\{\w+\}:(processed|failed):` + day + `$`), true, "a counter per queue and day, for 90 days"},
	{regexp.MustCompile(`^asynq:(servers|workers)$`), false, "the list of workers that live"},
	{regexp.MustCompile(`^asynq:(servers|workers):\{.*\}$`), true, "what a worker that lives does"},
}

const day = `\d{4}-\d\d-\d\d`

// leftovers are keys, files and folders that should not be there.
func (s *system) leftovers() (left []string) {
	for _, key := range s.keys() {
		why, ttl := "", false
		for _, o := range owned {
			if o.form.MatchString(key) {
				why, ttl = o.why, o.ttl
			}
		}
		switch {
		case why == "":
			left = append(left, key)
		case ttl && s.rdb.TTL(s.ctx, key).Val() == -1:
			left = append(left, key+" (no TTL)")
		}
	}
	left = append(left, s.artifacts()...)
	attempts, _ := filepath.Glob(filepath.Join(s.dir, "work", "*", "*", "*"))
	return append(left, attempts...)
}

// emptied waits until nothing is left, and tells of what is, by kind.
func (s *system) emptied(within time.Duration) {
	s.t.Helper()
	deadline := time.Now().Add(within)
	left := s.leftovers()
	for len(left) > 0 && time.Now().Before(deadline) {
		outage(time.Second)
		left = s.leftovers()
	}
	if len(left) == 0 {
		return
	}
	kinds := map[string][]string{}
	for _, one := range left {
		kinds[form(one)] = append(kinds[form(one)], one)
	}
	for kind, all := range kinds {
		s.t.Errorf("%d of %s are left after %v, such as %v", len(all), kind, within, all[:min(3, len(all))])
	}
	s.t.FailNow()
}

func (s *system) keys() (keys []string) {
	it := s.rdb.Scan(s.ctx, 0, "*", 1000).Iterator()
	for it.Next(s.ctx) {
		keys = append(keys, it.Val())
	}
	if err := it.Err(); err != nil {
		s.t.Fatalf("read the keys of Redis: %v", err)
	}
	slices.Sort(keys)
	return slices.Compact(keys) // SCAN may tell of a key twice
}

// forms counts the keys by their form. Three come and go by chance: what a busy
// worker does, what one that died told of itself, and Asynq's counters of tasks
// whose worker has died, where it looks for them before our retention.
func (s *system) forms() map[string]int {
	count := map[string]int{}
	for _, key := range s.keys() {
		switch f := form(key); {
		case strings.HasPrefix(f, "asynq:workers:"), strings.HasPrefix(f, "lh:{p0}:worker:"), strings.Contains(f, ":failed"):
		case strings.HasSuffix(f, ":processed:*"):
			count[f] = 1 // two, after midnight
		default:
			count[f]++
		}
	}
	return count
}

// varying is what differs between keys, or paths, of one kind.
var varying = regexp.MustCompile(day + `|exec_\w+(\.\d+)?|[^:]*\{[^{}]*:[^{}]*\}|(idem|label):.*`)

func form(key string) string { return varying.ReplaceAllString(key, "$2*") }

// artifacts lists the files and folders in the artifact store, but for the two
// that are its own. One must be empty too; in the other are files that a killed
// worker had half written, which a process takes out that starts a day later.
func (s *system) artifacts() []string {
	return slices.DeleteFunc(below(filepath.Join(s.dir, "outputs")), func(path string) bool {
		return filepath.Base(path) == ".internal" || strings.Contains(path, "/.tmp")
	})
}

// below lists everything in a folder.
func below(dir string) (all []string) {
	_ = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && path != dir {
			all = append(all, path)
		}
		return nil // what has gone meanwhile is not there
	})
	return all
}
