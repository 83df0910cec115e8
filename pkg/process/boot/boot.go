// Package boot has what a process of Longhaul is started with: timers that may be late, and a collector that waits.
//
// Go's runtime has a thread that watches the others (sysmon). Whenever a shim
// wakes up, that one sleeps for 20 µs again and again, some fifty times before it
// slows down: a sixth of what an engine's start and end cost, for a program with
// one thread that needs no watching. A thread cannot be told to leave it, but the
// kernel may let it sleep longer: its timer slack (prctl(2)), which every thread
// and process has from the one that made it.
//
// It imports next to nothing: what is imported here is initialised before [Calm] can run, and so twice.
package boot

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Lazy is by how much a shim's timers may be late. Nothing in a shim waits for the thread that watches.
const Lazy = 50 * time.Millisecond

// calmSlack is that of a worker or an API, where timers matter: half of what Go's
// own may be late by in a process that sleeps, since epoll counts milliseconds.
const calmSlack = 500 * time.Microsecond

const (
	// EnvSlack tells a shim what the slack of its engines is to be, in ns, and a
	// program that was started anew by Calm what it had.
	EnvSlack = "LONGHAUL_SLACK"
	// EnvShim is set in a shim, which is never calm.
	EnvShim = "LONGHAUL_SHIM"

	envGC = "GOGC"
	// lateGC has no collection before the heap has 16 MiB. A start makes 4, and the one collection that
	// it had was a tenth of its time.
	lateGC = "400"
)

var (
	before  int  // the slack that this program was started with; 0: it still has that
	waiting bool // the collector
)

// Calm starts this program anew, in the same process, with calmSlack: the thread
// that watches begins before anything that a program can say, and was an eighth of
// what short executions cost a worker, and of what a POST costs the API. Where that
// is refused, or there is more slack already, the program goes on as it is.
//
// The new one collects no garbage while it starts, unless GOGC says otherwise: see CollectorWaits.
func Calm() {
	if os.Getenv(EnvShim) != "" {
		return
	}
	if had, again := os.LookupEnv(EnvSlack); again {
		before, _ = strconv.Atoi(had)
		_ = os.Unsetenv(EnvSlack)
		if waiting = os.Getenv(envGC) == lateGC; waiting {
			_ = os.Unsetenv(envGC)
		}
		return
	}
	exe, err := os.Executable() // not /proc/self/exe, which ps(1) would show
	if err != nil {
		return
	}
	had, restore := set(calmSlack)
	defer restore()
	if had <= 0 || time.Duration(had) >= calmSlack {
		return
	}
	env := append(os.Environ(), EnvSlack+"="+strconv.Itoa(had))
	if _, chosen := os.LookupEnv(envGC); !chosen {
		env = append(env, envGC+"="+lateGC)
	}
	_ = syscall.Exec(exe, os.Args, env)
}

// CollectorWaits says that this program was started with a collector that waits for more than it should once
// the program has started: then debug.SetGCPercent(100) is due.
func CollectorWaits() bool { return waiting }

// Children makes what this thread starts lazy, until restore. usual is what the slack
// of engines is to be: that with which this program was started; 0 where the kernel keeps none.
func Children(slack time.Duration) (usual int, restore func()) {
	usual, restore = set(slack)
	if before > 0 {
		usual = before
	}
	return usual, restore
}

// set gives this thread a slack until restore, and says what it had.
func set(slack time.Duration) (had int, restore func()) {
	runtime.LockOSThread()
	had = prctl(syscall.PR_GET_TIMERSLACK, 0)
	if had <= 0 {
		return 0, runtime.UnlockOSThread
	}
	prctl(syscall.PR_SET_TIMERSLACK, int(slack))
	return had, func() {
		prctl(syscall.PR_SET_TIMERSLACK, had)
		runtime.UnlockOSThread()
	}
}

// Usual undoes it for the shim's one thread that works, and so for all engines.
func Usual() {
	if usual, err := strconv.Atoi(os.Getenv(EnvSlack)); err == nil && usual > 0 {
		prctl(syscall.PR_SET_TIMERSLACK, usual)
	}
}

// prctl gives 0 where it is refused.
func prctl(option, value int) int {
	n, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, uintptr(option), uintptr(value), 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}
