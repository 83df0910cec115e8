package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/longhaul/longhaul/pkg/client"
)

const token = "benchmark-token-of-this-run"

// system is what is measured: redis-server, one API, one worker.
type system struct {
	dir      string
	redisURL string
	url      string
	client   *client.Client
	procs    []*exec.Cmd // in the order of their start
	api      *exec.Cmd
	worker   *exec.Cmd
}

// start starts it; env is for both processes.
func start(ctx context.Context, env ...string) (s *system, err error) {
	s = &system{}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "longhaul-bench-"); err != nil {
		return s, err
	}
	if err := build(ctx, s.dir); err != nil {
		return s, err
	}
	catalog := filepath.Join(s.dir, "engines.yaml")
	if err := os.WriteFile(catalog, []byte("commands:\n  probe: {args: any, env: {PATH: \""+s.dir+":/usr/bin:/bin\"}}\n"), 0o600); err != nil {
		return s, err
	}
	redisPort, port := freePort(), freePort()
	s.redisURL = "redis://127.0.0.1:" + redisPort + "/0"
	s.url = "http://127.0.0.1:" + port
	if _, err = s.run(nil, "redis-server", "--port", redisPort, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no"); err != nil {
		return s, fmt.Errorf("%w (apt-get install redis-server)", err)
	}
	env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOST=127.0.0.1", "PORT=" + port, "REDIS_URL=" + s.redisURL, "API_TOKENS=" + token,
		"ENGINES_FILE=" + catalog, "WORKDIR=" + filepath.Join(s.dir, "work"), "LOG_LEVEL=error", "MAX_QUEUE_SIZE=1000000",
	}, env...)
	if s.api, err = s.run(env, filepath.Join(s.dir, "api")); err != nil {
		return s, err
	}
	if s.worker, err = s.run(env, filepath.Join(s.dir, "worker")); err != nil {
		return s, err
	}
	if s.client, err = client.New(s.url, token, client.Options{}); err != nil {
		return s, err
	}
	return s, s.await(ctx)
}

func (s *system) run(env []string, name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = env
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s.procs = append(s.procs, cmd)
	return cmd, nil
}

// await returns when the API is ready.
func (s *system) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/ready", nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the API did not become ready")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// probe is the path of the engine.
func (s *system) probe() string { return filepath.Join(s.dir, "probe") }

// stop ends what was started, last first.
func (s *system) stop() {
	for i := len(s.procs) - 1; i >= 0; i-- {
		_ = s.procs[i].Process.Signal(syscall.SIGTERM)
		_ = s.procs[i].Wait()
	}
	_ = os.RemoveAll(s.dir)
}

// rss is a process's resident memory in bytes.
func rss(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for text := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(text, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("no VmRSS")
}

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "0"
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
