// Package peers runs the systems that Longhaul is compared with: each is a small,
// honest program of ours on top of a well-known tool, tuned as a competent user of
// it would, and all of them speak the same few routes:
//
//	POST /jobs {"cmd": "...", "args": ["..."]}  → {"id": "..."}: run this child process
//	GET /done                                   → {"done": N, "failed": M}: all that have ended, and those of them that failed
//	GET /jobs/{id}/stream                       → SSE: a data line per line of output, then "event: end"
//
// A Stack owns its processes and ends them; it starts one goroutine per process.
// It reads /proc, so it is for Linux. Redis belongs to whoever calls.
package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Peer is one system to compare with.
type Peer struct {
	Name string

	streams  bool
	inMemory bool // runs the jobs in the API's process and needs no Redis
	needs    []need
	held     []string // patterns of the Redis keys that exist only while jobs wait or run
	programs func(context.Context, *site) ([]program, error)
	version  func(context.Context, *site) string
	// ready tells whether all workers serve; nil where the first job tells.
	ready func(ctx context.Context, rdb redis.UniversalClient, concurrency int) (bool, error)
}

// Options says where a peer runs and what it may use.
type Options struct {
	RedisURL    string
	Dir         string // an existing folder for everything that it writes
	Concurrency int
	Preload     string    // a Python module that workers import before their first job; PYTHONPATH finds it
	Log         io.Writer // what its processes print; nil drops it
}

// program is one process of a peer.
type program struct {
	args   []string
	env    []string
	worker bool
}

// site is where a peer is about to run.
type site struct {
	Options
	top  string // of the repository
	port string
}

// All is every peer, in the order of the tables.
func All() []Peer { return []Peer{asynqPlain, fastAPI, fastAPIPopen, celery, rq, bullMQ, mercure} }

// ByName finds one.
func ByName(name string) (Peer, bool) {
	i := slices.IndexFunc(All(), func(p Peer) bool { return p.Name == name })
	if i < 0 {
		return Peer{}, false
	}
	return All()[i], true
}

// Streams tells whether it has GET /jobs/{id}/stream.
func (p Peer) Streams() bool { return p.streams }

// Missing is why it cannot run here, in one line, or "".
func (p Peer) Missing(ctx context.Context) string {
	for _, n := range p.needs {
		if reason := n.missing(ctx); reason != "" {
			return reason
		}
	}
	return ""
}

// Install brings what is missing, from Debian, npm or the Go proxy, and prints what
// these say. It installs Debian packages for all users and nothing else outside the
// repository and Go's own caches.
func (p Peer) Install(ctx context.Context, out io.Writer) error {
	for _, n := range p.needs {
		if n.missing(ctx) == "" {
			continue
		}
		if err := n.install(ctx, out); err != nil {
			return fmt.Errorf("install what %s needs: %w", p.Name, err)
		}
	}
	if reason := p.Missing(ctx); reason != "" {
		return errors.New(p.Name + " was installed, but: " + reason)
	}
	return nil
}
