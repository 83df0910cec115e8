package process

import (
	"os"
	"runtime"
	"sync/atomic"
)

// mainCalled guards against a program that never calls Main: its shims would each be a whole worker, with shims of its own.
var mainCalled atomic.Bool

// Main runs the shim and never returns, if this program was started as one; otherwise it returns at once. Call it first
// thing in main, and in TestMain of tests that start processes: whatever comes before it is paid for by every new shim.
func Main() {
	mainCalled.Store(true)
	if isShim() {
		supervise()
	}
}

// init holds a shim's main goroutine on the program's first thread. That thread forks the engine, which dies with it (Pdeathsig), so
// it must live as long as the shim; and it is the one the kernel prefers for SIGCHLD, which then wakes the loop from its poll.
func init() {
	if isShim() {
		runtime.LockOSThread()
	}
}

func isShim() bool {
	return len(os.Args) == 1 && os.Args[0] == shimName && os.Getenv(envShim) != ""
}
