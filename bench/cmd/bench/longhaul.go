package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/longhaul/longhaul/bench/wire"
	"github.com/longhaul/longhaul/pkg/api"
	"github.com/longhaul/longhaul/pkg/execution"
)

const token = "benchmark-token-of-this-run"

// longhaul is Longhaul as it is measured: the built binaries with their default
// settings, but for those that say where things are.
type longhaul struct {
	dir    string
	bin    string
	url    string
	env    []string
	redis  *redisServer
	relay  net.Listener // nil where Redis is near
	api    *child
	worker []*child
}

// ours is Longhaul as the contestant of that name; bin is "" for what was built from here.
func ours(name, bin string) contestant {
	return contestant{name, func(ctx context.Context, s *session, o startOptions) (*stack, error) {
		l, ready, err := startLonghaul(ctx, s, bin, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		st := l.stack(s, name)
		st.ready = ready
		if !o.fresh {
			err = l.probe(ctx, st)
		}
		if err != nil {
			st.close()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return st, nil
	}}
}

func startLonghaul(ctx context.Context, s *session, bin string, o startOptions) (l *longhaul, ready time.Duration, err error) {
	l = &longhaul{bin: bin}
	if bin == "" {
		l.bin = s.bin
	}
	if l.dir, err = s.folder("longhaul"); err != nil {
		return nil, 0, err
	}
	catalog := filepath.Join(l.dir, "engines.yaml")
	text := fmt.Sprintf("commands:\n  probe: {args: any, env: {PATH: %[1]q}}\n  stamp: {args: any, env: {PATH: %[1]q}}\n  \"true\": {args: any}\n", s.bin+":/usr/bin:/bin")
	if err := os.WriteFile(catalog, []byte(text+o.catalog), 0o600); err != nil {
		return nil, 0, err
	}
	if l.redis, err = s.startRedis(ctx, l.dir); err != nil {
		return nil, 0, err
	}
	port, err := freePort()
	if err != nil {
		return nil, 0, err
	}
	l.url = "http://127.0.0.1:" + port
	redisURL := l.redis.url
	if o.delay > 0 {
		if l.relay, err = relay("127.0.0.1:"+l.redis.port, o.delay); err != nil {
			return nil, 0, err
		}
		redisURL = "redis://" + l.relay.Addr().String() + "/0"
	}
	l.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOST=127.0.0.1", "PORT=" + port, "REDIS_URL=" + redisURL,
		"API_TOKENS=" + token, "ENGINES_FILE=" + catalog, "WORKDIR=" + filepath.Join(l.dir, "work"),
	}, o.env...)
	if o.concurrency != 0 {
		l.env = append(l.env, fmt.Sprintf("MAX_CONCURRENT=%d", o.concurrency))
	}
	begin := time.Now()
	if l.api, err = s.spawn(l.dir, l.env, filepath.Join(l.bin, "api")); err != nil {
		return nil, 0, err
	}
	if err := first200(ctx, l.url+"/health"); err != nil {
		return nil, 0, fmt.Errorf("%w: %s", err, l.api.tail())
	}
	ready = time.Since(begin)
	if err := first200(ctx, l.url+"/ready"); err != nil {
		return nil, 0, fmt.Errorf("%w: %s", err, l.api.tail())
	}
	for range max(1, o.workers) {
		if err := l.addWorker(s); err != nil {
			return nil, 0, err
		}
	}
	return l, ready, nil
}

// first200 asks until it is answered well.
func first200(ctx context.Context, address string) error {
	r, err := wire.NewRequest(http.MethodGet, address, nil, nil)
	if err != nil {
		return err
	}
	return until(ctx, 20*time.Second, time.Millisecond, address+" answers 200", func() (bool, error) {
		_, err := wire.Once(r)
		return err == nil, nil
	})
}

// addWorker starts one more worker.
func (l *longhaul) addWorker(s *session) error {
	n := len(l.worker) + 1
	w, err := s.spawn(l.dir, append(l.env[:len(l.env):len(l.env)], fmt.Sprintf("WORKER_NAME=worker-%d", n)), filepath.Join(l.bin, "worker"))
	if err != nil {
		return err
	}
	l.worker = append(l.worker, w)
	return nil
}

func (l *longhaul) stack(s *session, name string) *stack {
	st := &stack{
		name: name, version: "this commit", redis: l.redis, api: []int{l.api.pid()},
		url: l.url, header: http.Header{"Authorization": {"Bearer " + token}}, jobs: "/execute/start",
		body: func(p program) any { return api.StartRequest{Command: p.name, Args: p.args} },
		id: func(answer []byte) (string, error) {
			var a api.Started
			err := json.Unmarshal(answer, &a)
			return string(a.ID), err
		},
		done:   l.done,
		stream: func(id string) string { return "/execute/stream/" + id },
		signal: l.signal,
		ours:   l,
	}
	for _, w := range l.worker {
		st.workers = append(st.workers, w.pid())
	}
	st.stop = func() {
		for _, w := range l.worker {
			w.stop()
		}
		l.api.stop()
	}
	st.close = func() {
		st.stop()
		if l.relay != nil {
			_ = l.relay.Close()
		}
		l.redis.stop()
		_ = os.RemoveAll(l.dir)
	}
	return st
}

// done counts settled records, which are durable, in Redis.
func (l *longhaul) done(ctx context.Context) (count, error) {
	var c count
	for _, st := range execution.Statuses {
		if !st.Terminal() {
			continue
		}
		n, err := l.redis.db.ZCard(ctx, "lh:{p0}:status:"+string(st)).Result()
		if err != nil {
			return c, err
		}
		c.Done += int(n)
		if st != execution.Completed {
			c.Failed += int(n)
		}
	}
	return c, nil
}

func (l *longhaul) signal(stopped bool) error {
	sig := syscall.SIGCONT
	if stopped {
		sig = syscall.SIGSTOP
	}
	var all error
	for _, w := range l.worker {
		all = errors.Join(all, w.signal(sig))
	}
	return all
}

// probe runs a program and looks at its output, as every system must before it is measured.
func (l *longhaul) probe(ctx context.Context, st *stack) error {
	id, err := st.post(probe("emit", "1"))
	if err != nil {
		return err
	}
	if err := st.await(ctx, count{}, 1, 20*time.Second); err != nil {
		return fmt.Errorf("%w: %s", err, l.worker[0].tail())
	}
	return l.checkOutput(id, 1)
}

// output is the stored log, as text.
func (l *longhaul) output(id string) ([]byte, error) {
	return l.get("/execute/output/" + id + "?format=text")
}

func (l *longhaul) get(path string) ([]byte, error) {
	r, err := wire.NewRequest(http.MethodGet, l.url+path, http.Header{"Authorization": {"Bearer " + token}}, nil)
	if err != nil {
		return nil, err
	}
	return wire.Once(r)
}

// logs is the end of what its processes had to say.
func (l *longhaul) logs() string {
	all := "api: " + l.api.tail()
	for _, w := range l.worker {
		all += "\nworker: " + w.tail()
	}
	return all
}
