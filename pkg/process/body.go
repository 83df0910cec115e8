package process

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// body is the operating system's side of a shim.
type body interface {
	PID() int
	Kill() error
	Wait() // until it is dead
}

// childProcess is a shim that the worker itself started.
type childProcess struct{ *os.Process }

func (c childProcess) PID() int { return c.Pid }
func (c childProcess) Wait()    { _, _ = c.Process.Wait() }

// foreignProcess is one that a template forked: not our child, so there is nothing to reap, and its pid alone could be somebody else's.
type foreignProcess struct {
	pid int

	mu    sync.Mutex // guards pidfd: a number that is closed may soon mean another process
	pidfd int        // -1 once it is dead
}

func (f *foreignProcess) PID() int { return f.pid }

func (f *foreignProcess) Kill() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pidfd < 0 {
		return os.ErrProcessDone
	}
	return unix.PidfdSendSignal(f.pidfd, unix.SIGKILL, nil, 0)
}

// Wait is called once, after Kill.
func (f *foreignProcess) Wait() {
	for {
		fds := []unix.PollFd{{Fd: int32(f.pidfd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = unix.Close(f.pidfd)
	f.pidfd = -1
}
