package faults

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/longhaul/longhaul/pkg/redistest"
)

// node is a client of one Redis, past everything.
func node(t *testing.T, r *redistest.Server) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: r.Addr})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestANodeOfAClusterGoesAwayAndComesBack(t *testing.T) {
	single(t)
	nodes, url := redistest.Cluster(t, 3, append([]string{"--cluster-require-full-coverage", "no"}, durable...)...)
	s := newSystemOn(t, nodes[0], url, 2, 3, "PARTITIONS=4")
	ids := s.load("12")
	for _, r := range nodes {
		r.Kill()
		outage(time.Second)
		r.Start()
		outage(500 * time.Millisecond)
	}
	s.complete(ids, 60*time.Second)
	s.complete(s.startAll(5, engine()), 30*time.Second)
	s.check(20 * time.Second)
}

func TestSentinelMakesAReplicaTheMaster(t *testing.T) {
	single(t)
	ctx := context.Background()
	master, replica := redistest.Start(t, durable...), redistest.Start(t, durable...)
	host, port, _ := net.SplitHostPort(master.Addr)
	if err := node(t, replica).Do(ctx, "REPLICAOF", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	sentinel := startSentinel(t, host, port)
	if !comes(20*time.Second, func() bool {
		info, err := node(t, replica).Info(ctx, "replication").Result()
		known, err2 := redis.NewSentinelClient(&redis.Options{Addr: sentinel}).Replicas(ctx, "mymaster").Result()
		return err == nil && strings.Contains(info, "master_link_status:up") && err2 == nil && len(known) == 1
	}) {
		t.Fatal("the replica does not come up")
	}
	s := newSystemOn(t, master, "redis+sentinel://"+sentinel+"/mymaster/0", 2, 3)
	ids := s.startAll(4, engine("-lines", "150", "-pause", "100ms"))
	for _, id := range ids {
		s.prints(id, 3)
	}
	// Replication lags: what the master took in its last moment may be gone with
	// it. So it dies in a moment in which it has passed everything on.
	_ = node(t, master).Do(ctx, "CLIENT", "PAUSE", "3000", "WRITE").Err()
	outage(200 * time.Millisecond)
	master.Kill()
	s.complete(ids, 60*time.Second)
	s.complete(s.startAll(3, engine()), 30*time.Second)
	s.check(20 * time.Second)
}

// startSentinel runs a sentinel that watches one master, and needs no other.
func startSentinel(t *testing.T, host, port string) (addr string) {
	t.Helper()
	own := redistest.FreePort(t)
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\nsentinel monitor mymaster %s %s 1\nsentinel down-after-milliseconds mymaster 1500\nsentinel failover-timeout mymaster 10000\n", own, host, port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", conf, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return fmt.Sprintf("127.0.0.1:%d", own)
}
