package process

import (
	"os"
	"runtime"
	"sync/atomic"
)

// mainCalled guards against a program that never calls Main: its shims would each be a whole worker, with shims of its own.
var mainCalled atomic.Bool

// Main says that this program knows of shims: without it, a pool starts none. Call it first thing in main, and in TestMain of tests
// that start processes. In a program that was started as a shim it is never reached, see init.
func Main() { mainCalled.Store(true) }

// init is a shim's whole life. It begins here and not in main, since packages are initialised in the order of their paths once those
// that they import are: those of the worker that come later, and cost more than the shim itself, are neither run nor read from disk.
//
// It holds the main goroutine on the program's first thread. That thread forks the engine, which dies with it (Pdeathsig), so
// it must live as long as the shim; and it is the one the kernel prefers for SIGCHLD, which then wakes the loop from its poll.
func init() {
	if isShim() {
		runtime.LockOSThread()
		supervise()
	}
}

func isShim() bool {
	return len(os.Args) == 1 && os.Args[0] == shimName && os.Getenv(envShim) != ""
}
