package peers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is for the start of all processes and for the probe, each: a machine that is
// busy with a benchmark starts six Pythons in seconds, not in minutes.
const patience = 60 * time.Second

// Start starts the peer and returns when a job that it ran has been checked: the
// child got its arguments byte for byte, a wrong command counted as failed, and the
// lines came where it streams. These jobs are in the numbers of GET /done from the
// start. ctx is the life of the Stack: when it ends, Stop is called.
func (p Peer) Start(ctx context.Context, o Options) (*Stack, error) {
	if reason := p.Missing(ctx); reason != "" {
		return nil, fmt.Errorf("%s cannot run here: %s", p.Name, reason)
	}
	s := &Stack{mark: rand.Text(), client: &http.Client{Transport: &http.Transport{}}, inMemory: p.inMemory}
	s.output.to = o.Log
	s.release = context.AfterFunc(ctx, s.Stop)
	if err := p.start(ctx, s, o); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start %s: %w; its last words: %s", p.Name, err, s.output.end())
	}
	return s, nil
}

func (p Peer) start(ctx context.Context, s *Stack, o Options) error {
	dir, err := top()
	if err != nil {
		return err
	}
	rdb, err := p.freshQueue(ctx, o.RedisURL)
	if err != nil {
		return err
	}
	defer rdb.Close()
	at := &site{Options: o, top: dir, port: freePort()}
	programs, err := p.programs(ctx, at)
	if err != nil {
		return err
	}
	s.URL = "http://127.0.0.1:" + at.port
	begin := time.Now()
	for _, program := range programs {
		if err := s.run(program, at); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.await(ctx, "the API", s.answers); err != nil {
		return err
	}
	s.Ready = time.Since(begin)
	if p.ready != nil {
		all := func(ctx context.Context) (bool, error) { return p.ready(ctx, rdb, o.Concurrency) }
		if err := s.await(ctx, "all workers", all); err != nil {
			return err
		}
	}
	if err := s.prove(ctx, o.Dir, p.streams); err != nil {
		return fmt.Errorf("correctness probe: %w", err)
	}
	s.Version = p.version(ctx, at)
	return nil
}

// freshQueue makes sure that nobody's jobs are there, which would be run and counted
// as ours, and sets the counters back. Redis does not even have to be there for those
// that keep everything in memory.
func (p Peer) freshQueue(ctx context.Context, url string) (redis.UniversalClient, error) {
	if p.inMemory {
		return redis.NewClient(&redis.Options{}), nil // connects when used, which it is not
	}
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	rdb := redis.NewClient(o)
	for _, pattern := range p.held {
		keys, err := rdb.Keys(ctx, pattern).Result()
		if err == nil && len(keys) > 0 {
			err = fmt.Errorf("its queue is not empty: Redis has %v (give it a database of its own)", keys)
		}
		if err != nil {
			return nil, errors.Join(err, rdb.Close())
		}
	}
	if err := rdb.Del(ctx, "peer:done", "peer:failed").Err(); err != nil {
		return nil, errors.Join(err, rdb.Close())
	}
	return rdb, nil
}

func (s *Stack) answers(ctx context.Context) (bool, error) {
	_, err := s.counts(ctx)
	return err == nil, nil //nolint:nilerr // not yet: whether it is gone for good tells its process
}

// await asks until the answer is yes, or an error, or a process has ended.
func (s *Stack) await(ctx context.Context, what string, yes func(context.Context) (bool, error)) error {
	tick := time.NewTicker(time.Millisecond) // as often as Longhaul is asked
	defer tick.Stop()
	for {
		if ok, err := yes(ctx); ok || err != nil {
			return err
		}
		if err := s.dead(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "0" // which nobody can be reached at, as the wait will tell
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
