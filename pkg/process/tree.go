package process

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// leftoverGrace is what descendants get between SIGTERM and SIGKILL once the main process is gone; less, if less is left of its own.
	leftoverGrace = 2 * time.Second
	// While descendants end, look often: no descriptor tells of all of them, and SIGCHLD may come just before the poll.
	shortestTick, longestTick = time.Millisecond, 50 * time.Millisecond
	// A template and what waits have no memory to sample; a death that SIGCHLD told just before the poll is found so often.
	idleTick = 5 * time.Second
)

// tree is one engine with its descendants, seen from their subreaper.
type tree struct {
	main, pidfd int
	startedAt   time.Time
	exit        Exit
	reaped      bool // the main process is: its pid may belong to somebody else from now on
	waiting     bool // it has nothing to do yet: a template forked it ahead of time
	template    bool // it is one: what it forked lives on after it

	killAt  time.Time        // zero if nothing is to be killed
	termed  map[int]struct{} // groups left behind that have had their SIGTERM; nil while main runs
	tick    time.Duration    // until the next look at descendants
	sampler sampler
}

func newTree(pid, pidfd int, now time.Time) *tree {
	return &tree{main: pid, pidfd: pidfd, startedAt: now, tick: shortestTick, sampler: newSampler(now)}
}

func (t *tree) running() bool { return !t.reaped }

// reap collects everything that has ended, and tells whether anything is left: ECHILD in a subreaper is the proof that nothing is.
func (t *tree) reap() (left bool) {
	for {
		var status syscall.WaitStatus
		var usage syscall.Rusage
		pid, err := wait4(-1, &status, unix.WNOHANG|unix.WALL, &usage)
		if err != nil {
			return false
		}
		if pid == 0 {
			return true
		}
		t.tick = shortestTick // things move
		t.account(&usage)
		if pid == t.main {
			t.reaped = true
			t.exit.ExitedAt = time.Now()
			t.exit.Code, t.exit.CoreDumped = status.ExitStatus(), status.CoreDump()
			if status.Signaled() {
				t.exit.Code, t.exit.Signal = -1, status.Signal()
			}
		}
	}
}

// account adds what a reaped process, and those it had waited for, used.
//
// The kernel's peak of a process begins with that of the shim: execve(2) keeps the larger of the old and the new image's. A
// figure that is not above the shim's own is therefore only an upper bound, and a sample is better if there is one.
func (t *tree) account(usage *syscall.Rusage) {
	t.exit.CPUUser += time.Duration(usage.Utime.Nano())
	t.exit.CPUSystem += time.Duration(usage.Stime.Nano())
	t.exit.PeakMemory = max(t.exit.PeakMemory, t.sampler.better(usage.Maxrss<<10))
}

// terminate interrupts the main process's group, and sets the time of the kill. Only ever earlier.
func (t *tree) terminate(grace time.Duration, now time.Time) {
	if at := now.Add(grace); t.killAt.IsZero() || at.Before(t.killAt) {
		t.killAt = at
	}
	if grace > 0 && t.running() && t.exit.TermSentAt.IsZero() {
		t.exit.TermSentAt = now
		// Safe: the leader is not reaped, so its pid, and with it the group, is nobody else's.
		_ = syscall.Kill(-t.main, syscall.SIGTERM)
		_ = syscall.Kill(-t.main, syscall.SIGCONT) // a stopped process would not see SIGTERM before the grace is over
	}
	t.tick = shortestTick
}

// leaveBehind is called once, when the main process has exited and descendants have not.
func (t *tree) leaveBehind(now time.Time) {
	t.exit.Leftovers = len(descendants())
	t.termed = make(map[int]struct{})
	if at := now.Add(leftoverGrace); t.killAt.IsZero() || at.Before(t.killAt) {
		t.killAt = at
	}
	t.tick = shortestTick
}

// due does what the time asks for. Whatever gets re-parented to us meanwhile is found at the next tick: so a tree is taken down level
// by level, and everything signalled is a child of ours that only we can reap. No pid can have changed hands.
func (t *tree) due(now time.Time) {
	switch {
	case !t.killAt.IsZero() && !now.Before(t.killAt):
		if t.exit.KillSentAt.IsZero() {
			t.exit.KillSentAt = now
		}
		signalChildren(syscall.SIGKILL, nil)
	case t.termed != nil:
		signalChildren(syscall.SIGTERM, t.termed)
	case t.waiting || t.template:
		return // whose memory nobody asks for
	default:
		t.sampler.sample(now)
		return
	}
	t.tick = min(2*t.tick, longestTick)
}

// timeout is how long the loop may sleep, in milliseconds.
func (t *tree) timeout(now time.Time) int {
	killing := !t.killAt.IsZero() && !now.Before(t.killAt)
	next := t.sampler.next.Sub(now)
	if t.waiting || t.template {
		next = idleTick
	}
	if killing || t.termed != nil {
		next = t.tick
	}
	if !t.killAt.IsZero() && !killing {
		next = min(next, t.killAt.Sub(now))
	}
	return int((max(next, 0) + time.Millisecond - 1) / time.Millisecond)
}
