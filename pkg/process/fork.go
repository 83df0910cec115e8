package process

import (
	"errors"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fork executes the engine with its descriptors. It returns the step and errno that refused it, and then no process is left.
//
// Setsid and not only Setpgid. Both give a group to signal; a session also leaves the worker's terminal behind, and its members can
// join no group outside of it. So every group that a descendant is in holds descendants only, and may be killed as a whole.
//
// Limits must hold from the first instruction, and fork(2) takes none. Lowering the shim's own around the fork would not do: a lowered hard
// limit stays, and RLIMIT_AS would kill the shim's runtime. A second re-execution that sets them doubles the price of a start (BenchmarkTrue,
// "second Go program"); prlimit(2) right after the fork comes too late for a program that forks at once. A traced child, though, stops
// before its first instruction, is limited there and let go: a tenth of the price, and only for a command that has limits.
func fork(r *request, fds []int) (t *tree, step int64, errno syscall.Errno) {
	stdin := uintptr(0) // the shim's own: /dev/null
	if r.stdin && len(fds) > 3 {
		stdin = uintptr(fds[3])
	}
	pidfd := -1
	attr := &syscall.ProcAttr{
		Dir:   r.dir,
		Env:   r.env,
		Files: []uintptr{stdin, uintptr(fds[0]), uintptr(fds[1]), uintptr(fds[2])},
		Sys: &syscall.SysProcAttr{
			Setsid:    true,
			Pdeathsig: syscall.SIGKILL, // should the shim be killed; this thread lives as long as the shim (see init)
			PidFD:     &pidfd,
			Ptrace:    r.limits.any(),
		},
	}
	argv := append([]string{r.name}, r.args...)
	pid, err := syscall.ForkExec(r.path, argv, attr)
	if err == syscall.EPERM && attr.Sys.Ptrace {
		// Tracing is forbidden here (seccomp, Yama). The limits then come microseconds late, which is enough against accidents.
		attr.Sys.Ptrace = false
		pid, err = syscall.ForkExec(r.path, argv, attr)
	}
	if err != nil {
		errors.As(err, &errno)
		return nil, refusedExec, max(errno, 1)
	}
	t = newTree(pid, pidfd, time.Now())
	preferForOOM(pid)
	if r.limits.any() {
		if err := t.limit(r.limits, attr.Sys.Ptrace); err != nil {
			t.undo()
			errors.As(err, &errno)
			return nil, refusedLimit, max(errno, 1)
		}
	}
	return t, 0, 0
}

// preferForOOM makes the kernel, when memory is short, take the engine (and all below it) rather than the worker. Not the shim: it would be
// the likelier choice then where the engine is small. Raising needs no privilege; best effort.
func preferForOOM(pid int) {
	if fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
		_, _ = unix.Write(fd, []byte("500"))
		_ = unix.Close(fd)
	}
}

// limit sets the limits of the main process, and lets it go if it is held.
func (t *tree) limit(l Limits, held bool) error {
	if held {
		// Until it has stopped; should it have been killed instead, it stays for reap to find.
		if err := unix.Waitid(unix.P_PID, t.main, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT|unix.WALL, nil); err != nil {
			return err
		}
	}
	for _, limit := range []struct {
		resource int
		value    uint64
		slack    uint64
	}{
		{unix.RLIMIT_NOFILE, l.OpenFiles, 0},
		{unix.RLIMIT_FSIZE, l.FileSize, 0},
		{unix.RLIMIT_AS, l.AddressSpace, 0},
		{unix.RLIMIT_CPU, l.CPUSeconds, 1}, // SIGXCPU at the soft limit says why; the hard one is SIGKILL
		{unix.RLIMIT_NPROC, l.Processes, 0},
	} {
		if limit.value == 0 {
			continue
		}
		if err := t.limitOne(limit.resource, limit.value, limit.slack); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	if held {
		if err := syscall.PtraceDetach(t.main); err != nil && err != syscall.ESRCH {
			return err
		}
	}
	return nil
}

func (t *tree) limitOne(resource int, value, slack uint64) error {
	var had unix.Rlimit
	if err := unix.Prlimit(t.main, resource, nil, &had); err != nil {
		return err
	}
	soft := min(value, had.Max)
	return unix.Prlimit(t.main, resource, &unix.Rlimit{Cur: soft, Max: min(soft+slack, had.Max)}, nil)
}

// undo kills a process that has not run yet.
func (t *tree) undo() {
	_ = syscall.Kill(t.main, syscall.SIGKILL)
	_, _ = wait4(t.main, nil, unix.WALL, nil)
	_ = unix.Close(t.pidfd)
}

// wait4 is the system call, again after an interruption.
func wait4(pid int, status *syscall.WaitStatus, options int, usage *syscall.Rusage) (int, error) {
	for {
		got, err := syscall.Wait4(pid, status, options, usage)
		if err != syscall.EINTR {
			return got, err
		}
	}
}
