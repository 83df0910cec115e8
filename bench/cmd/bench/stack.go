package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/longhaul/longhaul/bench/proc"
	"github.com/longhaul/longhaul/bench/wire"
)

// contestant is a system that can be started to be measured.
type contestant struct {
	name  string
	start func(ctx context.Context, s *session, o startOptions) (*stack, error)
}

// startOptions is what a scenario may ask for.
type startOptions struct {
	catalog     string        // further entries of Longhaul's catalog
	preload     string        // the Python module that another system imports before its workers fork
	pythonPath  string        // where that is
	concurrency int           // engines at once; 5 if 0, Longhaul's default
	env         []string      // further settings, of Longhaul only
	workers     int           // of Longhaul; 1 if 0
	delay       time.Duration // to and from Redis each, of Longhaul only
	fresh       bool          // nothing has run in it yet, where that can be had
}

// stack is a running system, reached in the same way whichever it is: it runs
// child processes for POSTs, counts those that have ended, and may stream.
type stack struct {
	name    string
	version string
	redis   *redisServer
	api     []int // root pids
	workers []int
	ready   time.Duration // from the start of the API's process to its first 200; 0 where it is not known

	url    string
	header http.Header
	jobs   string                               // the path of a POST
	body   func(program) any                    // what is posted, as JSON
	id     func(answer []byte) (string, error)  // of the job that was posted
	done   func(context.Context) (count, error) // since the start
	stream func(id string) string               // the path of a stream; nil where there is none
	signal func(stopped bool) error             // stops the workers, or lets them go on
	stop   func()
	close  func() // stop, and its Redis

	ours *longhaul // nil for others
}

// program is what is to run: true(1), or bench/cmd/probe.
type program struct {
	name string
	args []string
}

func probe(args ...string) program { return program{"probe", args} }

// count is of executions that have ended.
type count struct{ Done, Failed int }

// request is a POST of a program.
func (s *stack) request(p program) (wire.Request, error) {
	body, err := json.Marshal(s.body(p))
	if err != nil {
		return wire.Request{}, err
	}
	return wire.NewRequest(http.MethodPost, s.url+s.jobs, s.header, body)
}

// post starts one program.
func (s *stack) post(p program) (id string, err error) {
	r, err := s.request(p)
	if err != nil {
		return "", err
	}
	answer, err := wire.Once(r)
	if err != nil {
		return "", fmt.Errorf("%s: post: %w", s.name, err)
	}
	return s.id(answer)
}

// postWaiting starts a probe that begins only when start is called.
func (s *stack) postWaiting(in *session, args ...string) (id string, start func() error, err error) {
	dir, err := in.folder("go")
	if err != nil {
		return "", nil, err
	}
	file := filepath.Join(dir, "go")
	id, err = s.post(probe(append([]string{"-go", file}, args...)...))
	return id, func() error { return os.WriteFile(file, nil, 0o600) }, err
}

// open is a stream of a program's output, from its beginning.
func (s *stack) open(id string) (*wire.Stream, error) { return s.openAfter(id, "") }

// openAfter goes on after the event of that id.
func (s *stack) openAfter(id, last string) (*wire.Stream, error) {
	header := s.header
	if last != "" {
		header = header.Clone()
		header.Set("Last-Event-ID", last)
	}
	r, err := wire.NewRequest(http.MethodGet, s.url+s.stream(id), header, nil)
	if err != nil {
		return nil, err
	}
	return wire.OpenStream(r)
}

// await returns when n more than before have ended, all of them well.
func (s *stack) await(ctx context.Context, before count, n int, most time.Duration) error {
	var now count
	err := until(ctx, most, 20*time.Millisecond, fmt.Sprintf("%s has ended all %d", s.name, n), func() (ok bool, err error) {
		now, err = s.done(ctx)
		return now.Done-before.Done >= n, err
	})
	if err != nil {
		return fmt.Errorf("%w (%d have)", err, now.Done-before.Done)
	}
	if now.Done-before.Done > n || now.Failed > before.Failed {
		return fmt.Errorf("%s: of %d %d have ended and %d failed", s.name, n, now.Done-before.Done, now.Failed-before.Failed)
	}
	return nil
}

// cpu is that of all its processes and its Redis.
func (s *stack) cpu() (time.Duration, error) {
	roots := append(append([]int{s.redis.pid()}, s.api...), s.workers...)
	return proc.CPU(roots...)
}

func (s *stack) apiCPU() (time.Duration, error) { return proc.CPU(s.api...) }

// rss is that of API and workers, without Redis.
func (s *stack) rss() (proc.Memory, error) {
	return proc.MemoryOf(append(append([]int{}, s.api...), s.workers...)...)
}
