package process

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Process is one engine with everything it started.
//
//	Start ──► running ──► exited (main process reaped) ──► gone (proved: nothing of the tree is left)
//	             │ Terminate: SIGTERM, grace, SIGKILL        ▲ leftovers: SIGTERM, at most 2 s, SIGKILL
//	             └───────────────────────────────────────────┘
type Process struct {
	shim      *shim
	command   Command
	path      string
	pipes     *pipes
	started   chan error // one value: nil, or why there is no process
	exited    chan struct{}
	gone      chan struct{}
	feeding   sync.WaitGroup
	pid       int       // set before started is answered, then constant
	startedAt time.Time // likewise
	warm      bool      // likewise; false only if it was not made from a Ready
	exit      Exit      // set before gone is closed, then constant

	measuring atomic.Bool // asked and not answered
	measured  chan Usage  // buffered by one

	killAt time.Time // guarded by shim.mu; the earliest SIGKILL asked for, zero if none
}

// PID is the engine's main process, which is also its process group and session.
func (p *Process) PID() int { return p.pid }

// Warm tells that the process had loaded its program before it was given this command: see [Command.Ready].
func (p *Process) Warm() bool { return p.warm }

// Cold is why the process was not made from a Ready, where one was to be had; else "".
func (p *Process) Cold() string {
	if p.warm {
		return ""
	}
	return p.command.Cold
}

// StartedAt is when the engine's program was executed: deadlines run from here.
func (p *Process) StartedAt() time.Time { return p.startedAt }

// Stdout, Stderr and Events are the read ends of the engine's fd 1, 2 and 3. Deadlines work on them. The caller reads each to
// its end, which comes at the latest when the process is gone, and closes it. Nothing here waits for the caller to do so.
func (p *Process) Stdout() *os.File { return p.pipes.stdout }

// Stderr is described at Stdout.
func (p *Process) Stderr() *os.File { return p.pipes.stderr }

// Events is described at Stdout.
func (p *Process) Events() *os.File { return p.pipes.events }

// Exited is closed when the main process has exited; descendants of it may live.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Gone is closed when it is proved that nothing of the tree is left.
func (p *Process) Gone() <-chan struct{} { return p.gone }

// Exit tells how the process ended. It blocks until Gone.
func (p *Process) Exit() Exit {
	<-p.gone
	return p.exit
}

// Terminate sends SIGTERM to the engine's group now, and SIGKILL to its whole tree after the grace; a grace of 0 kills
// now. It returns at once. Any number of calls is fine: SIGTERM is sent once, and a later call can only shorten the grace.
func (p *Process) Terminate(grace time.Duration) { p.shim.terminate(p, max(grace, 0)) }

// finish publishes the end. The pool has its slot back already: who waits for Gone may start the next process at once.
func (p *Process) finish(exit Exit) {
	if p.pipes.feed != nil {
		_ = p.pipes.feed.Close() // the engine may have passed the other end to somebody outside of its tree
		p.feeding.Wait()
	}
	p.exit = exit
	p.closeExited()
	close(p.gone)
}

// closeExited is called by the shim's goroutine only.
func (p *Process) closeExited() {
	select {
	case <-p.exited:
	default:
		close(p.exited)
	}
}
