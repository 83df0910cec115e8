package process

import (
	"errors"
	"io"
	"time"
)

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
	s.pool.log.Warn("shim was lost: swept what it ran", "shim_pid", s.os.PID(), "execution_id", m.id, "swept", swept, "cause", cause)
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
	s.os.Wait()
	_ = s.socket.Close()
}
