package process

import (
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

// retire asks an idle shim to end: end-of-file on its socket says so.
func (s *shim) retire() {
	s.mu.Lock()
	s.retired = true
	s.setDeadlineLocked(killPatience)
	s.mu.Unlock()
	_ = control(s.socket, func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) })
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
		return // it was used, or given more time, between the timer and here
	}
	s.setDeadlineLocked(0)              // read on, up to the end-of-file that its death is
	if s.current == nil && !s.retired { // taken this very moment, for a start that sets its own deadline
		return
	}
	log := s.pool.log.With("shim_pid", s.os.PID())
	if s.current != nil {
		log = log.With("execution_id", s.current.command.ExecutionID)
	}
	log.Warn("shim does not answer: killing it")
	s.kill()
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
