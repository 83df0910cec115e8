// Package sdk runs the test suites of sdk/python and sdk/typescript against the
// built binaries and a real Redis, through a proxy that cuts lines in the
// middle, and the commands of the tutorial.
package sdk

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/redistest"
)

const token = "sdk-suite-test-token"

// bin holds the built binaries: api, worker, longhaul.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "longhaul-sdk-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(bin)
		build := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-o", bin+"/", "./cmd/api", "./cmd/worker", "./cmd/longhaul")
		build.Dir, build.Env = root(), append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the binaries: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// root is the repository's folder.
func root() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

// system is Redis, an API, a worker, and the proxy before the API.
type system struct {
	t           *testing.T
	dir         string
	env         []string
	url, cutURL string
	cutter      *cutter
}

const enginesYAML = `
engines:
  speak:
    command: [python3, speak.py]
    cwd: $ROOT/test/sdk/testdata
    env: {PYTHONPATH: $ROOT/sdk/python}
  count:
    command: [sh, count.sh]
    cwd: $ROOT/test/sdk/testdata
    params: {properties: {to: {type: integer, default: 10}}}
    args: ["{to}"]
    env_from_request: [GREETING]
commands:
  sh: {args: any}
`

func newSystem(t *testing.T, env ...string) *system {
	t.Helper()
	redis := redistest.Start(t)
	dir := t.TempDir()
	catalog := filepath.Join(dir, "engines.yaml")
	if err := os.WriteFile(catalog, []byte(strings.ReplaceAll(enginesYAML, "$ROOT", root())), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, dir: dir, env: append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "REDIS_URL=" + redis.URL, "API_TOKENS=" + token, "HOST=127.0.0.1",
		"ENGINES_FILE=" + catalog, "ARTIFACTS_URL=file://" + filepath.Join(dir, "outputs"), "WORKDIR=" + filepath.Join(dir, "work"),
		"CANCEL_GRACE=2s", "CORS_ORIGINS=*",
	}, env...)}
	port := redistest.FreePort(t)
	s.url = "http://127.0.0.1:" + strconv.Itoa(port)
	s.start("api", "PORT="+strconv.Itoa(port))
	s.await(s.url + "/ready")
	workerPort := redistest.FreePort(t)
	s.start("worker", "WORKER_PORT="+strconv.Itoa(workerPort))
	s.await("http://127.0.0.1:" + strconv.Itoa(workerPort) + "/ready")
	s.cutter = newCutter(t, "127.0.0.1:"+strconv.Itoa(port))
	s.cutURL = "http://" + s.cutter.addr
	return s
}

// start runs a binary until the test ends.
func (s *system) start(name string, env ...string) {
	s.t.Helper()
	log := &safeBuffer{}
	cmd := exec.Command(filepath.Join(bin, name))
	cmd.Env, cmd.Dir = append(append([]string{}, s.env...), env...), s.dir
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("start %s: %v", name, err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("log of %s:\n%s", name, log.tail(6000))
		}
	})
}

// await asks url until it answers 200.
func (s *system) await(url string) {
	s.t.Helper()
	deadline := time.After(40 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if res, err := http.Get(url); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-deadline:
			s.t.Fatalf("%s does not answer 200", url)
		case <-tick.C:
		}
	}
}

// suite runs one SDK's own tests with the address of the system.
func (s *system) suite(folder, program string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), program, args...)
	cmd.Dir = filepath.Join(root(), folder)
	cmd.Env = append(os.Environ(), "LONGHAUL_TEST_URL="+s.url, "LONGHAUL_TEST_CUT_URL="+s.cutURL, "LONGHAUL_TEST_TOKEN="+token)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %v in %s: %v\n%s", program, args, folder, err, out)
	}
	s.t.Logf("%s", tail(string(out), 1500))
	return string(out)
}

// need skips loudly where a program is missing, and fails where the variable says that it must be there.
func need(t *testing.T, require string, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv(require) != "" {
			t.Fatalf("%s is missing, and %s is set", program, require)
		}
		t.Skipf("SKIPPED, NOT PASSED: %s is missing", program)
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// safeBuffer takes what a binary writes while a test reads.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) tail(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return tail(b.b.String(), n)
}
