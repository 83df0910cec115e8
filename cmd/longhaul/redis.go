package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/longhaul/longhaul/pkg/redisstore"
)

// devRedis is a Redis that lives as long as dev does.
type devRedis struct {
	url  string
	what string // for people: where everything is kept
	stop func() error
}

// startRedis prefers a real redis-server: the embedded one is 4 to 10 times
// slower and lacks some commands, but needs no installation.
func startRedis(ctx context.Context, folder string) (*devRedis, error) {
	if path, err := exec.LookPath("redis-server"); err == nil {
		return childRedis(ctx, path, folder)
	}
	return embeddedRedis(ctx)
}

func childRedis(ctx context.Context, path, folder string) (*devRedis, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", folder,
		"--appendonly", "yes", "--save", "", "--loglevel", "warning")
	// Its own group, so that Ctrl-C reaches us and not Redis, which the drain
	// still needs; and it dies with us even if we are killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		// Pdeathsig is tied to the thread that starts the child, so that thread
		// must live as long as the child may.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended says nothing, since we end it
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	r := &devRedis{
		url:  fmt.Sprintf("redis://127.0.0.1:%d/0", port),
		what: "in a redis-server of its own and IS LOST WHEN THIS ENDS",
		stop: func() error {
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
			<-ended
			return nil
		},
	}
	return r, r.await(ctx)
}

func embeddedRedis(ctx context.Context) (*devRedis, error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	// Its keys expire only when told that time has passed.
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				m.FastForward(time.Second)
			}
		}
	}()
	return &devRedis{
		url:  "redis://" + m.Addr() + "/0",
		what: "in memory (no redis-server was found) and IS LOST WHEN THIS ENDS",
		stop: func() error { cancel(); <-done; m.Close(); return nil },
	}, nil
}

// await returns when the server answers.
func (r *devRedis) await(ctx context.Context) error {
	rdb, err := redisstore.Dial(r.url)
	if err != nil {
		return err
	}
	defer rdb.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if err = rdb.Ping(ctx).Err(); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("redis-server does not answer: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
