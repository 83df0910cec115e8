package process

import (
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Go's runtime has a thread that watches the others (sysmon). Whenever a shim
// wakes up, that one sleeps for 20 µs again and again, some fifty times before it
// slows down: a sixth of what an engine's start and end cost, for a program with
// one thread that needs no watching. A thread cannot be told to leave it, but the
// kernel may let it sleep longer: its timer slack (prctl(2)), which every thread
// and process has from the one that made it.

// lazySlack is how much longer. Nothing in a shim waits for that thread.
const lazySlack = 50 * time.Millisecond

// envSlack tells a shim what its worker's slack is, in ns: its engines have that.
const envSlack = "LONGHAUL_SLACK"

// lazyTimers makes what this thread starts lazy, until restore. usual is the
// slack that it had; 0 where the kernel keeps none.
func lazyTimers() (usual int, restore func()) {
	runtime.LockOSThread()
	usual, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || usual <= 0 {
		return 0, runtime.UnlockOSThread
	}
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(lazySlack), 0, 0, 0)
	return usual, func() {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(usual), 0, 0, 0)
		runtime.UnlockOSThread()
	}
}

// usualTimers undoes it for the shim's one thread that works, and so for all engines.
func usualTimers() {
	if usual, err := strconv.Atoi(os.Getenv(envSlack)); err == nil && usual > 0 {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(usual), 0, 0, 0)
	}
}
