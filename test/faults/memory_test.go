package faults

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/longhaul/longhaul/pkg/execution"
)

// addressSpace is what a process has mapped.
func addressSpace(t *testing.T, pid int) uint64 {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmSize:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no VmSize in %s", status)
	}
	kib, _ := strconv.ParseUint(string(m[1]), 10, 64)
	return kib << 10
}

func TestAWorkerOutOfMemoryIsNoticedAndItsEnginesDieWithIt(t *testing.T) {
	single(t)
	// Without collections its heap grows for sure, up to the suite's GOMEMLIMIT.
	s := newSystemOf(t, 2, 1, "MAX_CONCURRENT=12", "GOGC=off")
	doomed := s.workers[0]
	// All of its shims start now: one that started later would have its limit too.
	s.complete(s.startAll(12, engine("-lines", "30", "-pause", "50ms")), 30*time.Second)
	fails := s.startAll(2, engine("-lines", "-1", "-pause", "50ms", "-children", "2"))
	again := s.startAll(2, requeued("-lines", "20", "-pause", "50ms", "-succeed-at", "2"))
	for _, id := range append(append([]execution.ID{}, fails...), again...) {
		s.prints(id, 3)
	}
	s.addWorker("worker-2", "")

	cmd, done := doomed.current()
	most := addressSpace(t, cmd.Process.Pid) + 1<<20
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
		lacking(t, "limiting another process' memory needs root: %v", err)
	}
	limited := time.Now()
	var ids []execution.ID
	for alive, over := true, time.After(60*time.Second); alive; {
		// Each goes to the one worker or the other, and its heap has room yet in what is mapped.
		ids = append(ids, s.startAll(8, requeued("-lines", "40000", "-size", "1000"))...)
		select {
		case <-done:
			alive = false
		case <-time.After(10 * time.Second):
		case <-over:
			t.Fatalf("with %d bytes of address space the worker lives on", most)
		}
	}
	died := time.Now()
	_, end, _ := strings.Cut(doomed.read(), "\nfatal error: ") // what follows is the trace
	words, _, _ := strings.Cut(end, "\n\n")
	if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(words, "out of memory") && !strings.Contains(words, "cannot allocate memory") {
		t.Fatalf("it exited with %d, and not for want of memory: %s", code, words)
	}
	t.Logf("it died of: %s, after %v", words, died.Sub(limited))
	for _, id := range fails {
		s.wants(id, time.Until(died.Add(noticed)), execution.Errored, execution.ReasonWorkerLost)
	}
	t.Logf("known to be lost after %v", time.Since(died))
	s.complete(again, 30*time.Second)
	s.complete(ids, 90*time.Second)
	s.check(40 * time.Second)
}
