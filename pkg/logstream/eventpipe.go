package logstream

import (
	"errors"
	"io"
	"sync"
	"syscall"
)

// eventPipe reads the event pipe and can say whether everything that was in it
// at some moment has been understood. An engine that sends a value to redact
// and then prints it writes to two pipes, and nothing orders their readers but
// this: a pump waits here between its read and its redaction.
type eventPipe struct {
	r    io.Reader
	conn syscall.RawConn // nil: r cannot be asked, and nobody waits

	mu      sync.Mutex // guards below
	moved   sync.Cond  // handled has grown, or done was set
	taken   int64      // bytes read so far
	handled int64      // those of them that have been understood
	done    bool
}

func newEventPipe(r io.Reader) *eventPipe {
	p := &eventPipe{r: r, conn: askable(r)}
	p.moved.L = &p.mu
	return p
}

// Read is called again when what it gave before has been dealt with.
func (p *eventPipe) Read(b []byte) (n int, err error) {
	p.mu.Lock()
	p.handled = p.taken
	p.moved.Broadcast()
	p.mu.Unlock()
	if p.conn == nil {
		return p.r.Read(b)
	}
	if waitErr := p.conn.Read(func(fd uintptr) bool {
		p.mu.Lock() // so that no byte is neither in the pipe nor taken
		defer p.mu.Unlock()
		if n, err = syscall.Read(int(fd), b); n > 0 {
			p.taken += int64(n)
		}
		return !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
	}); waitErr != nil {
		return 0, waitErr
	}
	switch {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// wait returns when everything that is in the pipe now has been understood.
func (p *eventPipe) wait() {
	if p.conn == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	target := p.taken
	if p.conn.Control(func(fd uintptr) { target += unread(fd) }) != nil {
		return // it is closed
	}
	for p.handled < target && !p.done {
		p.moved.Wait()
	}
}

// end lets everyone go.
func (p *eventPipe) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	p.moved.Broadcast()
}
