package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The shim's side of a Ready: it was forked by a template, has forked the ready process itself, and has then become this program.

const (
	envReady = "LONGHAUL_READY"         // the pid of the ready process
	envOOM   = "LONGHAUL_OOM_SCORE_ADJ" // the worker's own: the shim has inherited that of an engine
	// readyFD is the shim's end of the socket to the ready process.
	readyFD = 4
	// readyPatience bounds the few instructions between the fork and the wait of the ready process, on a very busy machine.
	readyPatience = 30 * time.Second
)

// adopt takes the ready process for this shim's tree, and tells the worker of it.
func (s *supervisor) adopt(ready string) error {
	if ready == "" {
		return nil
	}
	pid, err := strconv.Atoi(ready)
	if err != nil {
		return fmt.Errorf("%s: %w", envReady, err)
	}
	s.worker = 0 // is not our parent: the end of the socket alone tells of its death, and the template's own shim sees to it as well
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte(os.Getenv(envOOM)), 0)
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	own, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(own)
	if err := awaitReady(); err != nil {
		return err
	}
	s.tree = newTree(pid, pidfd, time.Now())
	s.tree.waiting = true
	if unix.Sendmsg(socketFD, encode(msgReady, int64(os.Getpid()), int64(pid)), unix.UnixRights(own), nil, unix.MSG_NOSIGNAL) != nil {
		s.abandon() // the worker is gone, or does not want it any more
	}
	return nil
}

// awaitReady reads the one byte that says that the process leads its session and waits: only then may its group be signalled.
func awaitReady() error {
	deadline := time.Now().Add(readyPatience)
	for {
		fds := []unix.PollFd{{Fd: readyFD, Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(max(time.Until(deadline), 0)/time.Millisecond))
		if err == unix.EINTR {
			continue
		}
		if n == 0 {
			return fmt.Errorf("the forked process was not ready after %v", readyPatience)
		}
		var one [1]byte
		if n, err = unix.Read(readyFD, one[:]); n != 1 {
			return fmt.Errorf("the forked process ended before it was ready: %w", max(toErrno(err), syscall.EPIPE))
		}
		return nil
	}
}

func toErrno(err error) syscall.Errno {
	errno, _ := err.(syscall.Errno) //nolint:errorlint // straight from a system call
	return errno
}

// wake gives the ready process its execution. Where it cannot, nothing of the engine has run, and nothing will.
func (s *supervisor) wake(r *request, fds []int) {
	if s.spent {
		s.send(encode(msgRefused, refusedReady, int64(syscall.ESRCH)))
		return
	}
	t := s.tree
	step := int64(refusedLimit)
	err := t.limit(r.limits, false) // it holds from the engine's first instruction: nothing of it has run yet
	if err == nil {
		step, err = refusedReady, handOver(r, fds)
	}
	if err != nil {
		s.send(encode(msgRefused, step, int64(max(toErrno(err), 1))))
		s.abandon()
		return
	}
	t.waiting, t.startedAt, t.sampler = false, time.Now(), newSampler(time.Now())
	_ = unix.Close(readyFD)
	s.send(encode(msgStarted, int64(t.main), nanos(t.startedAt)))
}

// handOver sends one small message that never blocks: the request is in a file in memory, whatever its size. docs/warm.md has its form.
func handOver(r *request, fds []int) error {
	files := 3
	if r.stdin {
		files = 4
	}
	fds = fds[:min(files, len(fds))] // not the file in memory of a long start, which would be taken for stdin
	var request bytes.Buffer
	for _, group := range [][]string{{"1", r.dir, r.name, strconv.Itoa(len(r.args))}, r.args, {strconv.Itoa(len(r.env))}, r.env} {
		for _, s := range group {
			request.WriteString(s)
			request.WriteByte(0)
		}
	}
	memory, err := unix.MemfdCreate("request", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(memory)
	for left := request.Bytes(); len(left) > 0; {
		n, err := unix.Write(memory, left)
		if err != nil {
			return err
		}
		left = left[n:]
	}
	return unix.Sendmsg(readyFD, []byte("run"), unix.UnixRights(append([]int{memory}, fds...)...), nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
}
