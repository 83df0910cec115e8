package process

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// shim is the worker's handle of one. Its goroutine (run) is the only reader of the socket, and waits for the OS process.
type shim struct {
	pool   *Pool
	os     body
	socket *os.File
	once   bool          // a template forked it, with an engine that can run once
	dead   chan struct{} // closed when it is reaped, and nothing of it is left

	mu       sync.Mutex // guards the fields below, and the order of what is sent
	current  *Process   // nil when idle
	retired  bool       // it was asked to end
	deadline time.Time  // of what is expected next: idle → a start, or it is retired; else → an answer, or it is killed
}

// run reads what the shim says until it is dead, then cleans up after it.
func (s *shim) run() {
	defer close(s.dead)
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
	if kind == msgLost {
		if p == nil {
			s.retire()
		}
		return nil // else a start crossed it, and will be refused
	}
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
	case msgMeasured:
		var u Usage
		if u, err = decodeUsage(body); err == nil {
			p.answerMeasure(u)
		}
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
	switch step {
	case refusedLimit:
		return &StartError{Op: "limit", Path: p.command.Path, Err: errno}
	case refusedReady:
		return &StartError{Op: "ready", Path: p.command.Path, Err: errNotReady}
	}
	return p.command.diagnose(p.path, errno)
}

// begin sends a start. An error means that the shim is dead and nothing was started.
func (s *shim) begin(p *Process) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &p.command
	r := &request{path: p.path, name: c.Path, dir: c.Dir, args: c.Args, env: c.Env, limits: c.Limits, stdin: c.Stdin != nil, template: c.template}
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
	if s.once {
		s.retire()
		s.pool.release()
		return
	}
	s.pool.put(s)
}
