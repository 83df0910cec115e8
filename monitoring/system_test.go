package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/client"
	"github.com/longhaul/longhaul/pkg/config"
	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/redistest"
)

const (
	apiToken = "a-token-of-the-api-itself"
	patience = time.Minute // no promise: it bounds what would never end
)

// system is Redis, an API and a worker as they are built, and dashboards.
type system struct {
	t      *testing.T
	redis  *redistest.Server
	apiURL string
	client *client.Client
}

// bin holds the built binaries.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "longhaul-monitoring-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(bin)
		build := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", bin+"/", "./cmd/api", "./cmd/worker")
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the binaries: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

func newSystem(t *testing.T) *system {
	t.Helper()
	s := &system{t: t, redis: redistest.Start(t)}
	catalog := filepath.Join(t.TempDir(), "engines.yaml")
	if err := os.WriteFile(catalog, []byte("commands:\n  sleep: {args: any}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	s.apiURL = "http://127.0.0.1:" + strconv.Itoa(port)
	env := append(os.Environ(), "REDIS_URL="+s.redis.URL, "ENGINES_FILE="+catalog, "WORKDIR="+t.TempDir(), "HOST=127.0.0.1",
		"PORT="+strconv.Itoa(port), "API_TOKENS="+apiToken, "MONITORING_URL=http://127.0.0.1:1/there", "CANCEL_GRACE=1s")
	for _, name := range []string{"api", "worker"} {
		s.process(filepath.Join(bin, name), env)
	}
	await(t, "the API", func() bool { return get(s.apiURL+"/ready") == http.StatusOK })
	var err error
	if s.client, err = client.New(s.apiURL, apiToken, client.Options{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// process runs until the test ends, and is told to stop then.
func (s *system) process(path string, env []string) {
	s.t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(path)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", filepath.Base(path), out.String())
		}
	})
}

// dashboard serves one, and gives its address.
func (s *system) dashboard(actions bool) string {
	s.t.Helper()
	cfg := &config.Config{
		Host: "127.0.0.1", Port: freePort(s.t), RedisURL: s.redis.URL, OperatorTokens: []string{operator},
		MonitoringActions: actions, LonghaulURL: s.apiURL, LonghaulToken: apiToken,
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(s.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, cfg, slog.New(slog.DiscardHandler)) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	url := "http://127.0.0.1:" + strconv.Itoa(cfg.Port)
	await(s.t, "the dashboard", func() bool { return get(url+"/health") == http.StatusOK })
	if err := health(s.t.Context(), cfg); err != nil {
		s.t.Error(err)
	}
	return url
}

// run starts an execution and waits until it runs.
func (s *system) run() execution.ID {
	s.t.Helper()
	started, err := s.client.Start(s.t.Context(), api.StartRequest{Command: "sleep", Args: []string{"600"}}, "")
	if err != nil {
		s.t.Fatal(err)
	}
	s.becomes(started.ID, execution.Running)
	return started.ID
}

func (s *system) becomes(id execution.ID, want execution.Status) {
	s.t.Helper()
	await(s.t, fmt.Sprintf("%s to be %s", id, want), func() bool {
		e, err := s.client.Status(s.t.Context(), id)
		return err == nil && e.Status == want
	})
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick, end := time.NewTicker(50*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

func get(url string) int {
	res, err := http.Get(url)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
