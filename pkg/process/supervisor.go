package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// supervisor is the shim's inside: one loop on one thread, with nothing to lock and nobody to hand over to. What can happen is a message,
// the exit of the main process (its pidfd), a child's death (SIGCHLD interrupts the poll) or a time: one poll(2) waits for all.
type supervisor struct {
	worker   int // its pid: no longer our parent's once it has died
	orphaned bool
	tree     *tree // nil when idle
	spent    bool  // its one engine, which a template forked, ended before it was used
	buffer   []byte
	rights   []byte
}

// supervise never returns.
func supervise() {
	worker, err := strconv.Atoi(os.Getenv(envShim))
	if err == nil {
		err = settleIn()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "shim:", err)
		syscall.Exit(1)
	}
	s := &supervisor{worker: worker, buffer: make([]byte, maxInline+1), rights: make([]byte, unix.CmsgSpace(8*4))}
	if err := s.adopt(os.Getenv(envReady)); err != nil {
		fmt.Fprintln(os.Stderr, "shim:", err)
		syscall.Exit(1)
	}
	for {
		if s.wait() {
			s.receive()
		}
		if s.worker != 0 && os.Getppid() != s.worker {
			s.abandon()
		}
		if s.tree != nil {
			s.advance()
		}
		if s.orphaned && s.tree == nil {
			syscall.Exit(0) // not os.Exit: nothing is to be flushed, and a race-enabled binary would sleep for a second
		}
	}
}

// wait blocks until something may have happened, and tells whether the worker has said something.
func (s *supervisor) wait() bool {
	fds := [2]unix.PollFd{{Fd: socketFD, Events: unix.POLLIN}, {Fd: -1, Events: unix.POLLIN}}
	timeout := -1
	if s.orphaned {
		fds[0].Fd = -1
	}
	if s.tree != nil {
		if s.tree.running() {
			fds[1].Fd = int32(s.tree.pidfd)
		}
		timeout = s.tree.timeout(time.Now())
	}
	n, _ := unix.Poll(fds[:], timeout) // EINTR is as good as an event
	return n > 0 && fds[0].Revents != 0
}

// advance looks what became of the tree, and does what is due.
func (s *supervisor) advance() {
	t := s.tree
	wasRunning := t.running()
	if left := t.reap(); !left && t.waiting {
		_ = unix.Close(t.pidfd)
		s.tree, s.spent = nil, true
		s.send(encode(msgLost))
		return
	} else if !left {
		t.exit.GoneAt = time.Now()
		_ = unix.Close(t.pidfd)
		s.tree = nil
		s.send(t.exit.encode())
		return
	}
	if wasRunning && !t.running() {
		if !t.template {
			t.leaveBehind(time.Now())
		}
		s.send(encode(msgExited, nanos(t.exit.ExitedAt)))
	}
	t.due(time.Now())
}

// abandon is what the worker's death means: nobody wants the tree any more.
func (s *supervisor) abandon() {
	s.orphaned = true
	if s.tree != nil {
		s.tree.terminate(0, time.Now())
	}
}

// receive takes one message from the socket.
func (s *supervisor) receive() {
	n, nrights, _, _, err := unix.Recvmsg(socketFD, s.buffer, s.rights, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return
	case err != nil || n == 0:
		s.abandon()
		return
	}
	switch kind, body := s.buffer[0], s.buffer[1:n]; kind {
	case msgStart, msgLongStart:
		s.start(kind, body, descriptors(s.rights[:nrights]))
	case msgTerminate:
		var grace int64
		if _, err := decode(body, &grace); err == nil && s.tree != nil { // else it crossed the end of the tree
			s.tree.terminate(time.Duration(grace), time.Now())
		}
	case msgMeasure:
		if s.tree != nil && !s.tree.waiting { // likewise
			u := s.tree.usage()
			s.tree.sampler.peak = max(s.tree.sampler.peak, u.Memory)
			s.send(u.encode())
		}
	}
}

func descriptors(rights []byte) (fds []int) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil
	}
	for i := range messages {
		if got, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

// start executes an engine. Its ends of the pipes are closed here whatever comes of it: only the tree may hold them.
func (s *supervisor) start(kind byte, body []byte, fds []int) {
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}()
	if kind == msgLongStart && len(fds) > 0 {
		body = readMemory(fds[len(fds)-1])
	}
	r, err := decodeRequest(body)
	if err == nil && len(fds) >= 3 && (s.spent || s.tree != nil && s.tree.waiting) {
		s.wake(r, fds)
		return
	}
	if err != nil || len(fds) < 3 || s.tree != nil {
		fmt.Fprintln(os.Stderr, "shim: start:", errMalformed)
		s.abandon()
		return
	}
	t, step, errno := fork(r, fds)
	if errno != 0 {
		s.send(encode(msgRefused, step, int64(errno)))
		return
	}
	t.template = r.template
	s.tree = t
	s.send(encode(msgStarted, int64(t.main), nanos(t.startedAt)))
}

// readMemory reads a long start, without its kind.
func readMemory(fd int) []byte {
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) != nil || stat.Size < 1 {
		return nil
	}
	message := make([]byte, stat.Size)
	n, err := unix.Pread(fd, message, 0)
	if err != nil || n < 1 {
		return nil
	}
	return message[1:n]
}

// send gives up on a worker that is gone: the loop notices that by itself.
func (s *supervisor) send(message []byte) {
	if !s.orphaned {
		_ = unix.Sendto(socketFD, message, unix.MSG_NOSIGNAL, nil)
	}
}
