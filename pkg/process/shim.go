package process

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// startPatience bounds a start, with that of a new shim, on a machine that is very busy. It normally takes a millisecond.
	startPatience = 30 * time.Second
	// killPatience is how long after its SIGKILL a tree may still exist before the shim is taken for stopped or stuck, and is
	// killed itself: then the kernel and the sweep do its work.
	killPatience = 5 * time.Second
)

// shim is the worker's handle of one. Its goroutine (run) is the only reader of the socket, and waits for the OS process.
type shim struct {
	pool   *Pool
	os     *os.Process
	socket *os.File

	mu       sync.Mutex // guards the fields below, and the order of what is sent
	current  *Process   // nil when idle
	deadline time.Time  // what is meant depends on the state: idle → retire, else → kill the shim
}

// run reads what the shim says until it is dead, then cleans up after it.
func (s *shim) run() {
	defer s.pool.remove(s)
	buffer := make([]byte, 512) // the longest message, the Exit, is below 128 bytes
	for {
		n, err := s.socket.Read(buffer)
		if err == nil {
			err = s.receive(buffer[:n])
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.overdue()
		default:
			s.bury(err)
			return
		}
	}
}

// receive handles one message. An error ends the shim.
func (s *shim) receive(message []byte) (err error) {
	kind, body := message[0], message[1:]
	p := s.running()
	if p == nil {
		return errMalformed
	}
	var a, b int64
	switch kind {
	case msgStarted:
		if _, err = decode(body, &a, &b); err == nil {
			p.pid, p.startedAt = int(a), instant(b)
			s.startAnswered(p)
			p.started <- nil
		}
	case msgRefused:
		if _, err = decode(body, &a, &b); err == nil {
			s.idle()
			p.started <- p.refusal(a, syscall.Errno(b))
		}
	case msgExited:
		p.closeExited()
	case msgGone:
		var exit Exit
		if exit, err = decodeExit(body); err == nil {
			s.idle() // first, so that whoever waits for Gone finds the slot free and the shim ready
			p.finish(exit)
		}
	default:
		err = errMalformed
	}
	return err
}

func (p *Process) refusal(step int64, errno syscall.Errno) *StartError {
	if step == refusedLimit {
		return &StartError{Op: "limit", Path: p.command.Path, Err: errno}
	}
	return p.command.diagnose(p.path, errno)
}

// begin sends a start. An error means that the shim is dead and nothing was started.
func (s *shim) begin(p *Process) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &p.command
	r := &request{path: p.path, name: c.Path, dir: c.Dir, args: c.Args, env: c.Env, limits: c.Limits, stdin: c.Stdin != nil}
	if err := s.sendStart(r.encode(), p.pipes.far); err != nil {
		return err
	}
	p.pipes.closeFar()
	p.shim, s.current = s, p
	s.setDeadlineLocked(startPatience)
	return nil
}

// startAnswered lifts the deadline of the start, unless the process was told to end meanwhile.
func (s *shim) startAnswered(p *Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.killAt.IsZero() {
		s.setDeadlineLocked(0)
	}
}

func (s *shim) terminate(p *Process, grace time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != p {
		return // gone
	}
	at := time.Now().Add(grace)
	if !p.killAt.IsZero() && !at.Before(p.killAt) {
		return
	}
	p.killAt = at
	s.setDeadlineLocked(grace + killPatience)
	_ = s.send(encode(msgTerminate, int64(grace))) // a shim that can't take it is dead, or will be at the deadline
}

// terminateCurrent kills what runs, and tells whether anything does.
func (s *shim) terminateCurrent() bool {
	p := s.running()
	if p != nil {
		s.terminate(p, 0)
	}
	return p != nil
}

func (s *shim) running() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// idle hands the shim back to the pool.
func (s *shim) idle() {
	s.mu.Lock()
	s.current = nil
	s.mu.Unlock()
	s.pool.put(s)
}

// retire asks an idle shim to end: end-of-file on its socket says so.
func (s *shim) retire() {
	s.setDeadline(killPatience)
	_ = s.control(func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) })
}

// overdue acts when the deadline has passed: an idle shim was unused for long, any other does not obey.
func (s *shim) overdue() {
	if s.pool.unidle(s) {
		s.retire()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deadline.IsZero() || time.Now().Before(s.deadline) {
		return // it was taken, or given more time, between the timer and here
	}
	s.pool.log.Warn("shim does not answer: killing it", "shim_pid", s.os.Pid)
	s.setDeadlineLocked(0) // to read on, up to the end-of-file that its death is
	s.kill()
}

// kill ends the shim from outside; run sees it at once.
func (s *shim) kill() { _ = s.os.Kill() }

// bury reaps a dead shim, and sweeps what it was responsible for.
func (s *shim) bury(cause error) {
	died, diedSinceBoot := time.Now(), sinceBoot()
	s.pool.unidle(s)
	s.discard()
	s.mu.Lock()
	p := s.current
	s.current = nil
	s.mu.Unlock()
	if p == nil {
		return
	}
	if errors.Is(cause, io.EOF) {
		cause = ErrShimLost
	}
	m := mark{id: p.command.ExecutionID, died: diedSinceBoot}
	select {
	case <-p.exited:
	default:
		m.session = p.pid // 0 if the shim died before it could tell
	}
	swept := sweep(m)
	s.pool.log.Warn("shim was lost: swept what it ran", "shim_pid", s.os.Pid, "execution_id", m.id, "swept", swept, "cause", cause)
	s.pool.release()
	exit := Exit{Code: -1, ShimLost: true, ExitedAt: died, KillSentAt: died, GoneAt: time.Now()}
	if p.pid == 0 {
		p.started <- &StartError{Op: "shim", Path: p.command.Path, Err: cause}
		return
	}
	p.finish(exit)
}

// discard makes sure of the shim's end: it may only have closed its socket, or talked nonsense.
func (s *shim) discard() {
	s.kill()
	_, _ = s.os.Wait()
	_ = s.socket.Close()
}

func (s *shim) setDeadline(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setDeadlineLocked(d)
}

// setDeadlineLocked makes the reading goroutine wake after d: no timer and no goroutine of its own. 0 is never.
func (s *shim) setDeadlineLocked(d time.Duration) {
	s.deadline = time.Time{}
	if d > 0 {
		s.deadline = time.Now().Add(d)
	}
	_ = s.socket.SetReadDeadline(s.deadline)
}
