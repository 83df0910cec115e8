package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/longhaul/longhaul/bench/peers"
	"github.com/longhaul/longhaul/bench/wire"
)

// another is one of the systems of package peers as a contestant. Each gets a Redis of its own, as Longhaul does.
func another(p peers.Peer, res *result) contestant {
	return contestant{p.Name, func(ctx context.Context, s *session, o startOptions) (*stack, error) {
		dir, err := s.folder(p.Name)
		if err != nil {
			return nil, err
		}
		redis, err := s.startRedis(ctx, dir)
		if err != nil {
			return nil, err
		}
		concurrency := o.concurrency
		if concurrency == 0 {
			concurrency = 5
		}
		if o.pythonPath != "" { // its processes inherit it, and no later one is hurt by it
			if err := os.Setenv("PYTHONPATH", o.pythonPath); err != nil {
				return nil, err
			}
		}
		running, err := p.Start(ctx, peers.Options{RedisURL: redis.url, Dir: dir, Concurrency: concurrency, Preload: o.preload})
		if err != nil {
			redis.stop()
			return nil, err
		}
		res.Stacks[p.Name] = running.Version
		st := peerStack(s, p.Name, running, redis)
		if !p.Streams() {
			st.stream = nil
		}
		st.close = func() { running.Stop(); redis.stop(); _ = os.RemoveAll(dir) }
		return st, nil
	}}
}

func peerStack(s *session, name string, p *peers.Stack, redis *redisServer) *stack {
	commands := map[string]string{"true": "/bin/true", "probe": s.bin + "/probe", "stamp": s.bin + "/stamp"}
	return &stack{
		name: name, version: p.Version, redis: redis, ready: p.Ready, api: p.API(), workers: p.Workers(),
		url: p.URL, header: http.Header{}, jobs: "/jobs",
		body: func(p program) any {
			return struct {
				Cmd  string   `json:"cmd"`
				Args []string `json:"args"`
			}{commands[p.name], append([]string{}, p.args...)}
		},
		id: func(answer []byte) (string, error) {
			var a struct {
				ID string `json:"id"`
			}
			err := json.Unmarshal(answer, &a)
			if err == nil && a.ID == "" {
				err = errors.New("it answered without an id")
			}
			return a.ID, err
		},
		done: func(context.Context) (c count, err error) {
			r, err := wire.NewRequest(http.MethodGet, p.URL+"/done", nil, nil)
			if err != nil {
				return c, err
			}
			answer, err := wire.Once(r)
			if err != nil {
				return c, err
			}
			return c, json.Unmarshal(answer, &c)
		},
		stream: func(id string) string { return "/jobs/" + id + "/stream" },
		signal: func(stopped bool) error {
			if stopped {
				return p.StopWorkers()
			}
			return p.ContinueWorkers()
		},
	}
}

// peersNamed are those that can run here; the others are noted as skipped, with the reason.
func peersNamed(ctx context.Context, which []string, res *result) ([]contestant, error) {
	var some []peers.Peer
	for _, name := range which {
		if name == "all" {
			some = peers.All()
			break
		}
		p, ok := peers.ByName(name)
		if !ok {
			return nil, fmt.Errorf("there is no peer %q", name)
		}
		some = append(some, p)
	}
	var in []contestant
	for _, p := range some {
		if reason := p.Missing(ctx); reason != "" {
			res.Skipped[p.Name] = reason
			continue
		}
		in = append(in, another(p, res))
	}
	return in, nil
}
