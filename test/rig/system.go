// Package rig runs the built binaries for tests, as a user would: one Redis,
// any number of API and worker replicas, over HTTP. The suites below test/ build
// on it; what they do with a system is theirs.
//
// A test's processes end with it, and when it has failed, what they logged is shown.
package rig

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/redistest"
)

// Token opens the APIs of a system.
const Token = "test-token-of-the-rig"

// Root is the repository's folder, for tests in a folder two levels below it.
func Root() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

// Build puts the binaries of packages into a folder, the way make build makes
// them, and so finds much of it built.
func Build(into string, packages ...string) error {
	return BuildIn(Root(), append([]string{"-o", into + "/"}, packages...)...)
}

// BuildIn runs go build in another checkout.
func BuildIn(dir string, args ...string) error {
	cmd := exec.Command("go", append([]string{"build", "-trimpath", "-buildvcs=false", "-tags", "grpcnotrace"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Main builds the packages, runs the tests with the folder of the binaries in
// *bin, and gives the exit code for TestMain.
func Main(m *testing.M, bin *string, packages ...string) int {
	dir, err := os.MkdirTemp("", "longhaul-test-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = Build(dir, packages...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	*bin = dir
	return m.Run()
}

// System is a Redis and what the binaries of one test share.
type System struct {
	T     testing.TB
	Redis *redistest.Server
	Bin   string   // folder of the binaries
	Dir   string   // of this test: WORKDIR, outputs, engines.yaml
	Env   []string // of every process
}

// New prepares a system with a Redis of its own, and starts nothing else. In the
// catalog $ROOT is the repository and $BIN the folder of the binaries. env comes
// after our own settings, and so wins.
func New(t testing.TB, bin, catalog string, env ...string) *System {
	t.Helper()
	return On(t, redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always"), bin, catalog, env...)
}

// On is New on a Redis that is there.
func On(t testing.TB, redis *redistest.Server, bin, catalog string, env ...string) *System {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "engines.yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer("$ROOT", Root(), "$BIN", bin).Replace(catalog)), 0o600); err != nil {
		t.Fatal(err)
	}
	return &System{T: t, Redis: redis, Bin: bin, Dir: dir, Env: append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "REDIS_URL=" + redis.URL, "API_TOKENS=" + Token, "HOST=127.0.0.1",
		"ENGINES_FILE=" + file, "ARTIFACTS_URL=file://" + filepath.Join(dir, "outputs"), "WORKDIR=" + filepath.Join(dir, "work"),
		"LOG_FORMAT=json", "LOG_LEVEL=debug", "DRAIN_TIMEOUT=5s", "CANCEL_GRACE=1s",
	}, env...)}
}

// API starts a replica on a free port and waits until it listens.
func (s *System) API(env ...string) *Proc {
	s.T.Helper()
	return s.APIOn(redistest.FreePort(s.T), env...)
}

// APIOn starts a replica on a port, where another may have been.
func (s *System) APIOn(port int, env ...string) *Proc {
	s.T.Helper()
	p := s.Start("api", append(env, "PORT="+strconv.Itoa(port))...)
	p.URL = "http://127.0.0.1:" + strconv.Itoa(port)
	s.Eventually("the API listens", func() bool {
		p.MustLive()
		res, err := http.Get(p.URL + "/health")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return p
}

// Worker starts a replica and waits until it takes tasks.
func (s *System) Worker(env ...string) *Proc {
	s.T.Helper()
	p := s.Start("worker", env...)
	s.Eventually("the worker has started", func() bool { p.MustLive(); return p.Logged("worker started") })
	return p
}

// Eventually waits for what comes by itself.
func (s *System) Eventually(what string, cond func() bool) {
	s.T.Helper()
	deadline := time.After(40 * time.Second)
	for !cond() {
		select {
		case <-deadline:
			s.T.Fatalf("it never came to be that %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
