package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/redisstore"
)

// redisServer is a redis-server of its own for each system measured: empty, on
// loopback, with nothing written to disk.
type redisServer struct {
	*child
	port string
	url  string
	db   redis.UniversalClient
}

func (s *session) startRedis(ctx context.Context, dir string) (*redisServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	c, err := s.spawn(dir, nil, "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no")
	if err != nil {
		return nil, fmt.Errorf("%w (apt-get install redis-server)", err)
	}
	r := &redisServer{child: c, port: port, url: "redis://127.0.0.1:" + port + "/0"}
	if r.db, err = redisstore.Dial(r.url); err != nil {
		return nil, err
	}
	return r, until(ctx, 10*time.Second, 2*time.Millisecond, "redis-server answers", func() (bool, error) {
		return r.db.Ping(ctx).Err() == nil, nil
	})
}

func (r *redisServer) stop() {
	_ = r.db.Close() // nothing is in the air any more
	r.child.stop()
}

// info is one section of INFO.
func (r *redisServer) info(ctx context.Context, section string) (map[string]string, error) {
	text, err := r.db.Info(ctx, section).Result()
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			m[name] = value
		}
	}
	return m, nil
}

// number is one figure of INFO.
func (r *redisServer) number(ctx context.Context, section, name string) (int64, error) {
	m, err := r.info(ctx, section)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(m[name], 10, 64)
}

// used is what Redis has allocated for data: without its clients' buffers.
func (r *redisServer) used(ctx context.Context) (int64, error) {
	all, err := r.number(ctx, "memory", "used_memory")
	if err != nil {
		return 0, err
	}
	clients, err := r.number(ctx, "memory", "mem_clients_normal")
	return all - clients, err
}

// calls is how often each command was carried out, within scripts too.
func (r *redisServer) calls(ctx context.Context) (map[string]int64, error) {
	stats, err := r.info(ctx, "commandstats")
	if err != nil {
		return nil, err
	}
	m := map[string]int64{}
	for name, value := range stats {
		n, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
		if m[strings.TrimPrefix(name, "cmdstat_")], err = strconv.ParseInt(n, 10, 64); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return m, nil
}

// monitor counts the commands that clients send, without those that a script
// carries out, until what it gives is called.
func (r *redisServer) monitor() (count func() int, err error) {
	c, err := net.Dial("tcp", "127.0.0.1:"+r.port)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(c, "MONITOR\r\n"); err != nil {
		_ = c.Close()
		return nil, err
	}
	found := make(chan int, 1)
	go func() {
		n := -1 // the answer to MONITOR itself
		for s := bufio.NewScanner(c); s.Scan(); {
			if !strings.Contains(s.Text(), " lua] ") {
				n++
			}
		}
		found <- n
	}()
	return func() int { _ = c.Close(); return <-found }, nil
}
