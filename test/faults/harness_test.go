// Package faults causes faults, one by one and at random, and checks the whole
// history against the promises: two API replicas, three workers and a real
// Redis with AOF, all of them the built binaries, with a proxy of our own
// between each of them and Redis.
//
//	make faults   every fault in a test of its own (LONGHAUL_FAULTS=1)
//	make chaos    all of them mixed at random (LONGHAUL_CHAOS=1, DURATION, SEED)
//
// Without these variables only a few quick tests run.
package faults

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redisstore"
	"github.com/longhaul/longhaul/pkg/redistest"
	"github.com/longhaul/longhaul/test/rig"
)

const token = "fault-suite-test-token"

// bin holds the built binaries: api, worker, engine.
var bin string

func TestMain(m *testing.M) {
	if !allFaults() {
		fmt.Println("test/faults: SKIPPED, NOT PASSED: all but a few quick tests; make faults runs them")
	}
	os.Exit(rig.Main(m, &bin, "./cmd/api", "./cmd/worker", "./test/faults/engine"))
}

func allFaults() bool { return os.Getenv("LONGHAUL_FAULTS") != "" || os.Getenv("LONGHAUL_CHAOS") != "" }

// long says that faults may take as long as they do in the field.
func long() bool { return os.Getenv("LONGHAUL_FAULTS") == "long" }

// single begins the test of a single fault. Most of each is waiting, so they
// run side by side, a few at a time.
func single(t *testing.T) {
	t.Helper()
	alone(t)
	quick(t)
}

// alone begins a single one that takes the whole machine: it has gone before
// those that run side by side begin.
func alone(t *testing.T) {
	t.Helper()
	if os.Getenv("LONGHAUL_FAULTS") == "" {
		t.Skip("make faults runs it")
	}
}

// onlyLong begins one that takes minutes.
func onlyLong(t *testing.T) {
	t.Helper()
	if !long() {
		t.Skip("make faults FAULTS=long runs it")
	}
	quick(t)
}

// quick begins a test that always runs.
func quick(t *testing.T) {
	t.Helper()
	t.Parallel()
}

// system is Redis, the binaries, and all that their clients see.
type system struct {
	*history
	t       testing.TB
	redis   *redistest.Server
	url     string                // in place of the proxies, if any
	rdb     redis.UniversalClient // past all proxies
	dir     string
	aof     string // where Redis keeps its data
	env     []string
	apis    []*proc
	workers []*proc
	client  *client.Client // of all APIs, as behind a balancer
}

// patience is how long clients try where nobody answers: beyond any outage
// here, and chaos may put some of 40 s one behind the other.
func patience() time.Duration {
	if long() || os.Getenv("LONGHAUL_CHAOS") != "" {
		return 15 * time.Minute
	}
	return 2 * time.Minute
}

// grace is between SIGTERM and SIGKILL of engines.
const grace = time.Second

// newSystem starts everything. env goes to all processes.
func newSystem(t testing.TB, env ...string) *system {
	t.Helper()
	return newSystemOf(t, 2, 3, env...)
}

func newSystemOf(t testing.TB, apis, workers int, env ...string) *system {
	t.Helper()
	return newSystemOn(t, redistest.Start(t, durable...), "", apis, workers, env...)
}

// durable are the arguments of a Redis that forgets nothing.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}

// newSystemOn starts everything on r. With a url the processes get that, past
// all proxies: clients of a Cluster and of Sentinel find their way themselves.
func newSystemOn(t testing.TB, r *redistest.Server, url string, apis, workers int, env ...string) *system {
	t.Helper()
	rdb, err := redisstore.Dial(cmp.Or(url, r.URL))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	s := &system{t: t, redis: r, url: url, rdb: rdb, dir: t.TempDir()}
	where, err := rdb.ConfigGet(t.Context(), "dir").Result()
	if err != nil {
		t.Fatal(err)
	}
	s.aof = filepath.Join(where["dir"], "appendonlydir")
	for _, name := range []string{"journal", "work", "outputs", "logs"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	catalog := filepath.Join(s.dir, "engines.yaml")
	if err := os.WriteFile(catalog, []byte(strings.NewReplacer("$BIN", bin, "$DIR", s.dir).Replace(enginesYAML)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "API_TOKENS=" + token, "HOST=127.0.0.1", "ENGINES_FILE=" + catalog,
		"ARTIFACTS_URL=file://" + filepath.Join(s.dir, "outputs"), "LOG_FORMAT=json", "LOG_LEVEL=info",
		"DRAIN_TIMEOUT=6s", "CANCEL_GRACE=" + grace.String(), "GOMEMLIMIT=400MiB", "FOLD_AFTER=1s",
	}, env...)
	for i := range apis {
		s.apis = append(s.apis, s.newProc("api", "api-"+strconv.Itoa(i+1)))
	}
	for i := range workers {
		s.workers = append(s.workers, s.newProc("worker", "worker-"+strconv.Itoa(i+1)))
	}
	if s.client, err = client.New("http://balancer.test", token, client.Options{HTTP: s.balancer(), GiveUpAfter: patience(), Silence: 40 * time.Second}); err != nil {
		t.Fatal(err)
	}
	for _, p := range s.procs() {
		p.start()
	}
	for _, p := range s.procs() {
		p.awaitStarted()
	}
	s.history = newHistory(s)
	return s
}

const enginesYAML = `
commands:
  engine: {args: any, env: {PATH: "$BIN:/usr/bin:/bin", FAULTS_JOURNAL: "$DIR/journal"}}
  sh: {args: any, env: {PATH: "/usr/bin:/bin"}}
`

func (s *system) procs() []*proc { return append(append([]*proc{}, s.apis...), s.workers...) }

// eventually waits for a condition that comes by itself.
func (s *system) eventually(what string, within time.Duration, cond func() bool) {
	s.t.Helper()
	if !comes(within, cond) {
		s.t.Fatalf("it did not come to be within %v that %s", within, what)
	}
}

func comes(within time.Duration, cond func() bool) bool {
	deadline := time.After(within)
	for !cond() {
		select {
		case <-deadline:
			return cond()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return true
}

// outage is a fault's deliberate length: nothing is waited for but time.
func outage(d time.Duration) { <-time.After(d) }

// engine asks for a run of the suite's engine.
func engine(args ...string) api.StartRequest {
	return api.StartRequest{Command: "engine", Args: args, TimeoutSeconds: 300}
}

// requeued is engine, to be run again when its worker is lost.
func requeued(args ...string) api.StartRequest {
	r := engine(args...)
	r.OnInterrupt, r.MaxAttempts = "requeue", 5
	return r
}

// start starts an execution, which must be accepted.
func (s *system) start(r api.StartRequest) execution.ID {
	s.t.Helper()
	id, err := s.try(r)
	if err != nil {
		s.t.Fatalf("start: %v", err)
	}
	return id
}

// startAll starts n alike.
func (s *system) startAll(n int, r api.StartRequest) []execution.ID {
	s.t.Helper()
	ids := make([]execution.ID, n)
	for i := range ids {
		ids[i] = s.start(r)
	}
	return ids
}

// prints waits until the subscriber has seen so many lines of an execution's newest attempt.
func (s *system) prints(id execution.ID, n int) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s has printed %d lines", id, n), 40*time.Second, func() bool { return s.seenLines(id) >= n })
}

// runnerOf is the worker that runs an execution.
func (s *system) runnerOf(id execution.ID) *proc {
	s.t.Helper()
	var name string
	s.eventually(string(id)+" runs", 40*time.Second, func() bool {
		e := s.status(id)
		if e == nil || e.Status != execution.Running || e.Worker == nil {
			return false
		}
		name = *e.Worker
		return true
	})
	for _, w := range s.workers {
		if w.name == name {
			return w
		}
	}
	s.t.Fatalf("no worker is called %s", name)
	return nil
}

// wants checks how an execution has ended, waiting for the end.
func (s *system) wants(id execution.ID, within time.Duration, status execution.Status, reason execution.Reason) *api.Execution {
	s.t.Helper()
	e := s.end(id, within)
	if e.Status != status || (reason != "" && value(e.Reason) != reason) {
		s.t.Errorf("%s ended as %s (%s: %s), want %s (%s)", id, e.Status, value(e.Reason), value(e.ErrorMessage), status, reason)
	}
	return e
}

func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}
