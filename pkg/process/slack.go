package process

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
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

// calmSlack is that of a worker or an API, where timers matter: half of what Go's
// own may be late by in a process that sleeps, since epoll counts milliseconds.
const calmSlack = 500 * time.Microsecond

// envSlack tells a shim what the slack of its engines is to be, in ns, and a
// program that was started anew by Calm what it had.
const envSlack = "LONGHAUL_SLACK"

// slackBefore is what this program was started with; 0: it still has that.
var slackBefore int

// Calm starts this program anew, in the same process, with calmSlack: the thread
// that watches begins before anything that a program can say, and was an eighth of
// what short executions cost a worker, and of what a POST costs the API. Where that
// is refused, or there is more slack already, the program goes on as it is.
func Calm() {
	if before, again := os.LookupEnv(envSlack); again {
		slackBefore, _ = strconv.Atoi(before)
		_ = os.Unsetenv(envSlack)
		return
	}
	exe, err := os.Executable() // not /proc/self/exe, which ps(1) would show
	if err != nil {
		return
	}
	usual, restore := lazyTimers(calmSlack)
	defer restore()
	if usual > 0 && time.Duration(usual) < calmSlack {
		_ = syscall.Exec(exe, os.Args, append(os.Environ(), envSlack+"="+strconv.Itoa(usual)))
	}
}

// lazyTimers makes what this thread starts lazy, until restore. usual is the
// slack that it had; 0 where the kernel keeps none.
func lazyTimers(slack time.Duration) (usual int, restore func()) {
	runtime.LockOSThread()
	usual, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || usual <= 0 {
		return 0, runtime.UnlockOSThread
	}
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0)
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
