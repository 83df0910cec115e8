package process_test

import (
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func TestAKilledShimTakesEverythingAlong(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 1)
	r := start(t, pool, bad(processtest.Stubborn))
	escapee := r.printedPID()
	r.ready()
	kill(t, process.ShimPID(r.Process), syscall.SIGKILL)
	exit := r.wait()
	if !exit.ShimLost || exit.Code != -1 || exit.Success() {
		t.Errorf("want lost and unknown, got %+v", exit)
	}
	if processtest.Alive(escapee) || processtest.Alive(r.PID()) {
		t.Error("the sweep left something")
	}
	if exit := start(t, pool, command("true")).wait(); !exit.Success() {
		t.Errorf("the slot is spoiled: %v", exit)
	}
}

func TestTheSweepFindsWhatWasGivenAnotherEnvironment(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), command("sh", "-c", "env -i sleep 1000 & echo $!; echo ready; wait"))
	wiped := r.printedPID()
	r.ready()
	processtest.Eventually(t, "executed", func() bool { return name(wiped) == "sleep" })
	kill(t, process.ShimPID(r.Process), syscall.SIGKILL)
	r.wait()
	if processtest.Alive(wiped) {
		t.Errorf("%d is alive", wiped)
	}
}

func TestAnIdleShimThatDiedIsReplaced(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 1)
	r := start(t, pool, command("true"))
	r.wait()
	kill(t, process.ShimPID(r.Process), syscall.SIGKILL)
	processtest.Eventually(t, "buried", func() bool { return pool.Shims() == 0 })
	if exit := start(t, pool, command("true")).wait(); !exit.Success() {
		t.Error(exit)
	}
}

func TestAShimThatDoesNotObeyIsKilled(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.IgnoreTerm)).ready()
	stopShim(t, r)
	r.Terminate(0)
	exit := r.wait()
	if !exit.ShimLost {
		t.Errorf("want lost, got %+v", exit)
	}
}

func TestEverythingDiesWithTheWorker(t *testing.T) {
	t.Parallel()
	worker := startHelper(t, "worker")
	var left []int
	for range worker.number() { // shims, engines, escapees
		left = append(left, worker.number())
	}
	kill(t, worker.Process.Pid, syscall.SIGKILL)
	_ = worker.Wait()
	for _, pid := range left {
		processtest.Eventually(t, strconv.Itoa(pid)+" is dead", func() bool { return !processtest.Alive(pid) })
	}
	processtest.Eventually(t, "no survivors", func() bool { return len(processtest.Survivors(worker.id)) == 0 })
}

func TestAProgramThatDoesNotCallMainIsToldSo(t *testing.T) {
	t.Parallel()
	helper := startHelper(t, "no-main")
	if got := helper.number(); got != 1 {
		t.Errorf("start did not say so: %d", got)
	}
	if err := helper.Wait(); err != nil {
		t.Error(err)
	}
}

func stopShim(t *testing.T, r *run) {
	t.Helper()
	shim := process.ShimPID(r.Process)
	kill(t, shim, syscall.SIGSTOP)
	processtest.Eventually(t, "stopped", func() bool { return state(shim) == 'T' })
}

func kill(t *testing.T, pid int, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatal(err)
	}
}

func pids(t *testing.T) (all []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			all = append(all, pid)
		}
	}
	return all
}
