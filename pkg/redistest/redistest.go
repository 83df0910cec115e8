// Package redistest gives tests a real Redis of their own: a redis-server from
// PATH, else a container where Docker answers. Where there is neither, the test
// is skipped loudly, or fails when LONGHAUL_REQUIRE_REDIS is set, as CI does.
// It is the only owner of testcontainers-go. A server lives as long as its test.
package redistest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	tcredis "github.com/testcontainers/testcontainers-go/modules/redis"

	"github.com/longhaul/longhaul/pkg/redisstore"
)

// image is used where there is no redis-server; REDIS_IMAGE overrides it.
const image = "redis:7.4-alpine"

// Server is one Redis. Only a server from PATH can be stopped and started again.
type Server struct {
	URL  string
	Addr string // host:port

	t    testing.TB
	args []string
	cmd  *exec.Cmd
}

// Start runs a Redis until the test ends. args are redis-server's, such as
// "--appendonly", "yes"; by default nothing is written to disk.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err == nil {
		return startLocal(t, args)
	}
	if s := startContainer(t, args); s != nil {
		return s
	}
	const missing = "no Redis: install redis-server (apt-get install redis-server) or start Docker"
	if os.Getenv("LONGHAUL_REQUIRE_REDIS") != "" {
		t.Fatal(missing)
	}
	t.Skip("SKIPPED, NOT PASSED: " + missing)
	return nil
}

func startLocal(t testing.TB, args []string) *Server {
	t.Helper()
	port := FreePort(t)
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), t: t}
	s.URL = "redis://" + s.Addr + "/0"
	s.args = append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no", "--daemonize", "no"}, args...)
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Start starts the server again after Kill, on the same port and directory, and
// returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command("redis-server", s.args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	s.awaitPing()
}

// Kill ends it with SIGKILL, as a crash would, and waits.
func (s *Server) Kill() {
	if s.cmd == nil || s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended by itself
	_ = s.cmd.Wait()
}

// Stop ends it with SIGTERM, as a restart would, and waits.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// Pause freezes the server until Resume: connections stay open and nothing answers.
func (s *Server) Pause() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

func (s *Server) awaitPing() {
	s.t.Helper()
	rdb, err := redisstore.Dial(s.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rdb.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = rdb.Ping(ctx).Err(); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("redis-server on %s does not answer: %v", s.Addr, err)
		case <-tick.C:
		}
	}
}

// FreePort is a port that nobody listens on now. It is below those that the
// system gives to outgoing connections (from 32768 on), one of which could
// otherwise have it by the time that a server wants it.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 12_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port among 100 between 12000 and 32000")
	return 0
}

// Container runs a Redis in a container, whatever is on PATH, and skips the
// test loudly where Docker does not answer.
func Container(t testing.TB, args ...string) *Server {
	t.Helper()
	s := startContainer(t, args)
	if s == nil {
		t.Skip("SKIPPED, NOT PASSED: Docker does not answer (DOCKER_HOST)")
	}
	return s
}

// startContainer returns nil where Docker does not answer.
func startContainer(t testing.TB, args []string) *Server {
	t.Helper()
	ctx := context.Background()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil || provider.Health(ctx) != nil {
		return nil
	}
	name := image
	if v := os.Getenv("REDIS_IMAGE"); v != "" {
		name = v
	}
	c, err := tcredis.Run(ctx, name, testcontainers.WithCmdArgs(args...))
	testcontainers.CleanupContainer(t, c)
	if err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	url, err := c.ConnectionString(ctx)
	if err != nil {
		t.Fatalf("address of %s: %v", name, err)
	}
	return &Server{URL: url, Addr: fmt.Sprint(url[len("redis://"):]), t: t}
}

// Cluster runs n masters that share all slots, each of redis-server's args. It
// needs redis-server on PATH, as Start does to give servers that can be stopped.
func Cluster(t testing.TB, n int, args ...string) (nodes []*Server, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var buses, addrs []string
	for range n {
		bus := strconv.Itoa(FreePort(t)) // the usual one, 10000 above, may be taken
		s := Start(t, append([]string{"--cluster-enabled", "yes", "--cluster-port", bus}, args...)...)
		nodes, addrs, buses = append(nodes, s), append(addrs, s.Addr), append(buses, bus)
	}
	for i, s := range nodes {
		c, err := redisstore.Dial(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.ClusterAddSlotsRange(ctx, i*16384/n, (i+1)*16384/n-1).Err(); err != nil {
			t.Fatal(err)
		}
		for k, addr := range addrs {
			host, port, _ := net.SplitHostPort(addr)
			if err := c.Do(ctx, "CLUSTER", "MEET", host, port, buses[k]).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for _, s := range nodes {
		c, err := redisstore.Dial(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for {
			info, err := c.ClusterInfo(ctx).Result()
			if err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_slots_ok:16384") {
				break
			}
			select {
			case <-ctx.Done():
				t.Fatalf("the cluster does not come up: %v", err)
			case <-tick.C:
			}
		}
	}
	return nodes, "redis+cluster://" + strings.Join(addrs, ",")
}

// Store opens a store on a Redis of its own.
func Store(t testing.TB, o redisstore.Options) (*redisstore.Store, *Server) {
	t.Helper()
	s := Start(t)
	return Open(t, s, o), s
}

// Open opens a store on s and closes it with the test.
func Open(t testing.TB, s *Server, o redisstore.Options) *redisstore.Store {
	t.Helper()
	rdb, err := redisstore.Dial(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	redisstore.Gather(rdb) // as the binaries do
	st := redisstore.New(rdb, o)
	if err := st.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	return st
}
