package faults

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // Redis names scripts by it
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/rig"
)

// calling matches requests that run a script of redisstore's, by the name of
// its file: with its hash, and with its text where Redis did not know it yet.
func calling(t *testing.T, script string) func([]byte) bool {
	t.Helper()
	if script == "create" { // with Asynq's script in it its hash is its own; it alone has a record's key and a task's
		return containing("}:x:exec_", "asynq:{")
	}
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(rig.Root(), "pkg", "redisstore", "lua", name+".lua"))
		if err != nil {
			t.Fatalf("the scripts have moved: %v", err)
		}
		return text
	}
	body := read(script)
	sum := sha1.Sum(append(read("common"), body...)) //nolint:gosec // as above
	head, _, _ := bytes.Cut(body, []byte{'\n'})
	return func(b []byte) bool {
		return bytes.Contains(b, []byte(hex.EncodeToString(sum[:]))) || bytes.Contains(b, head)
	}
}

// done matches replies to scripts that have run: others were never in force.
func done(reply []byte) bool { return !bytes.HasPrefix(reply, []byte("-")) }

// found is done, with something in the reply.
func found(reply []byte) bool {
	return done(reply) && !bytes.HasPrefix(reply, []byte("$-1")) && !bytes.HasPrefix(reply, []byte("_"))
}

// lose makes the next replies of each process be lost, some work be done
// meanwhile, and checks that it was as if nothing had happened.
func lose(t *testing.T, of func(*system) []*proc, times int, request, reply func([]byte) bool, within time.Duration) {
	t.Helper()
	s := newSystem(t)
	s.complete(s.startAll(3, engine()), 20*time.Second) // so that Redis knows the scripts
	lost := make(chan struct{}, 8)
	for _, p := range of(s) {
		dropped := p.proxy.DropReply(times, request, reply)
		go func() { <-dropped; lost <- struct{}{} }()
	}
	ids := s.startAll(12, engine("-lines", "20", "-pause", "10ms"))
	select {
	case <-lost:
	case <-time.After(within):
		t.Error("the fault was not caused: no such request, or too few")
	}
	s.complete(ids, within)
	s.check(within)
}

func apis(s *system) []*proc    { return s.apis }
func workers(s *system) []*proc { return s.workers }

// Three lost replies are one more than go-redis repeats by itself.

func TestALostReplyToCreate(t *testing.T) {
	single(t)
	lose(t, apis, 3, calling(t, "create"), done, 20*time.Second)
}

func TestALostReplyToClaim(t *testing.T) {
	single(t)
	lose(t, workers, 3, calling(t, "claim"), done, 20*time.Second)
}

func TestALostReplyToAppend(t *testing.T) {
	single(t)
	lose(t, workers, 3, calling(t, "append"), done, 20*time.Second)
}

func TestALostReplyToSettle(t *testing.T) {
	single(t)
	lose(t, workers, 3, calling(t, "settle"), done, 20*time.Second)
}

func TestALostReplyToDequeue(t *testing.T) {
	single(t)
	lose(t, workers, 1, containing(":pending", ":paused", ":active", ":lease"), found, 40*time.Second)
}

func TestALostReplyToCancel(t *testing.T) {
	single(t)
	s := newSystem(t)
	ids := s.startAll(4, engine("-lines", "-1", "-pause", "20ms"))
	for _, id := range ids {
		s.prints(id, 3)
	}
	for _, p := range s.apis {
		p.proxy.DropReply(1, calling(t, "cancel"), done)
	}
	for _, id := range ids {
		if e, err := s.client.Cancel(s.ctx, id, 20*time.Second); err != nil || e.Status != execution.Cancelled {
			t.Errorf("cancel: %+v, %v", e, err)
		}
	}
	s.check(10 * time.Second)
}
