package process

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper is a child of this very process, for what is otherwise the shim's.
func sleeper(t *testing.T) int {
	t.Helper()
	c := exec.Command("sleep", "1000")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return c.Process.Pid
}

func TestChildrenAreFoundOnAKernelThatDoesNotListThem(t *testing.T) {
	t.Parallel()
	child := sleeper(t)
	if got := childrenOf(os.Getpid()); !slices.Contains(got, child) {
		t.Errorf("the kernel's list: no %d in %v", child, got)
	}
	if got := childrenByParent(os.Getpid()); !slices.Contains(got, child) {
		t.Errorf("by parent: no %d in %v", child, got)
	}
}

func TestLimitsAreSetWhereTracingIsForbidden(t *testing.T) {
	t.Parallel()
	child := &tree{main: sleeper(t)}
	if err := child.limit(Limits{OpenFiles: 55, CPUSeconds: 66}, false); err != nil {
		t.Fatal(err)
	}
	for resource, want := range map[int]unix.Rlimit{unix.RLIMIT_NOFILE: {Cur: 55, Max: 55}, unix.RLIMIT_CPU: {Cur: 66, Max: 67}} {
		var got unix.Rlimit
		if err := unix.Prlimit(child.main, resource, nil, &got); err != nil || got != want {
			t.Errorf("got %v (%v), want %v", got, err, want)
		}
	}
}

func TestALimitAboveTheHardOneIsLoweredToIt(t *testing.T) {
	t.Parallel()
	child := &tree{main: sleeper(t)}
	if err := child.limit(Limits{OpenFiles: 55}, false); err != nil {
		t.Fatal(err)
	}
	if err := child.limit(Limits{OpenFiles: 1 << 40}, false); err != nil {
		t.Error(err)
	}
}

func TestTheSweepSparesWhoeverHasTheSessionsNumberLater(t *testing.T) {
	t.Parallel()
	const blur = 50 * time.Millisecond // a start is known to a hundredth of a second
	before := sinceBoot() - blur
	leader := sleeper(t)
	if (mark{session: leader, died: before}).inSession(leader) {
		t.Error("it was started after the shim had died, and is taken for the engine")
	}
	if !(mark{session: leader, died: sinceBoot() + blur}).inSession(leader) {
		t.Error("it was started before the shim died, and is spared")
	}
	if (mark{died: sinceBoot() + blur}).inSession(leader) {
		t.Error("no session is looked for, and it is found")
	}
}

func TestAStartErrorNamesStepPathAndCause(t *testing.T) {
	t.Parallel()
	c := &Command{Path: "program", Dir: t.TempDir()}
	for errno, want := range map[syscall.Errno]string{
		syscall.ENOENT:  "exec /program: no such file or directory",
		syscall.ENOEXEC: "exec /program: neither a program for this machine nor a script with #!: exec format error",
	} {
		if got := c.diagnose("/program", errno).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
