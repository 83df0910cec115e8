package process_test

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func TestWhatIsLeftBehindIsFoundAndEnded(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 3)
	for name, behaviour := range map[string]processtest.Behaviour{
		"a daemon that forked twice":        processtest.Daemon,
		"a child in a session of its own":   processtest.Escapee,
		"a child that holds the pipes open": processtest.HoldPipe,
		"an escapee that ignores SIGTERM":   processtest.DeafEscapee,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, pool, bad(behaviour))
			left := r.printedPID()
			exit := r.wait()
			if processtest.Alive(left) {
				t.Errorf("%d is alive", left)
			}
			if exit.Code != 0 || exit.Leftovers != 1 || !exit.TermSentAt.IsZero() {
				t.Errorf("want an exit with 0 and one leftover, got %+v", exit)
			}
			deaf := behaviour == processtest.DeafEscapee
			if deaf == exit.KillSentAt.IsZero() {
				t.Errorf("SIGKILL at %v", exit.KillSentAt)
			}
			if took := exit.GoneAt.Sub(exit.ExitedAt); deaf && took < time.Second {
				t.Errorf("a leftover got only %v between SIGTERM and SIGKILL", took)
			}
		})
	}
}

func TestExitedDoesNotWaitForLeftovers(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.DeafEscapee))
	left := r.printedPID()
	processtest.Within(t, r.Exited(), "exited")
	if !processtest.Alive(left) {
		t.Error("exited, but the leftover is gone already")
	}
	r.Terminate(0) // the leftover's grace is shortened too
	if exit := r.wait(); exit.GoneAt.Sub(exit.ExitedAt) > time.Second {
		t.Errorf("killing the leftover took %v", exit.GoneAt.Sub(exit.ExitedAt))
	}
}

func TestFiveHundredChildrenAreAllEnded(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.Family, "500"))
	pids := make([]int, 500)
	for i := range pids {
		pids[i] = r.printedPID()
	}
	exit := r.wait()
	if exit.Leftovers != len(pids) {
		t.Errorf("%d leftovers, want %d", exit.Leftovers, len(pids))
	}
	for _, pid := range pids {
		if processtest.Alive(pid) {
			t.Errorf("%d is alive", pid)
		}
	}
}

func TestAForkBombConverges(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.ForkBomb, "2000")).ready()
	r.Terminate(10 * time.Millisecond)
	exit := r.wait()
	if exit.Signal != syscall.SIGKILL {
		t.Errorf("want killed, got %v", exit)
	}
	t.Logf("gone %v after the kill", exit.GoneAt.Sub(exit.KillSentAt))
}

func TestChainsThatForkFasterThanTheyAreFoundConverge(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.Respawn, "20")).ready()
	r.Terminate(0)
	exit := r.wait()
	t.Logf("gone %v after the kill", exit.GoneAt.Sub(exit.KillSentAt))
}

func TestOrphansAreReapedWhileTheEngineRuns(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.OrphanStream, "100")).ready()
	processtest.Eventually(t, "no zombies", func() bool { return zombies(t) == 0 })
	r.Terminate(0)
	r.wait()
}

// zombies counts the children of this test's shims that have ended and are not reaped. Other tests' come and go as well.
func zombies(t *testing.T) (n int) {
	t.Helper()
	for _, pid := range pids(t) {
		fields := stat(pid)
		if len(fields) < 2 || fields[0] != "Z" {
			continue
		}
		if parent, _ := strconv.Atoi(fields[1]); name(parent) == "longhaul-shim" {
			n++
		}
	}
	return n
}

func state(pid int) byte {
	if fields := stat(pid); len(fields) > 0 {
		return fields[0][0]
	}
	return 0
}

func stat(pid int) []string {
	raw := read("/proc/" + strconv.Itoa(pid) + "/stat")
	return strings.Fields(raw[strings.LastIndexByte(raw, ')')+1:])
}

func name(pid int) string {
	first, _, _ := strings.Cut(read("/proc/"+strconv.Itoa(pid)+"/cmdline"), "\x00")
	return first
}
