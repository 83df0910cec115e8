package logstream

import (
	"io"
	"sync"
	"syscall"
)

// eventPipe reads the event pipe and can say whether everything that was in it
// at some moment has been understood. An engine that sends a value to redact
// and then prints it writes to two pipes, and nothing orders their readers but
// this: a pump waits here between its read and its redaction.
type eventPipe struct {
	source

	mu      sync.Mutex // guards below
	moved   sync.Cond  // handled has grown, or done was set
	taken   int64      // bytes read so far
	handled int64      // those of them that have been understood
	done    bool
}

func newEventPipe(r io.Reader) *eventPipe {
	p := &eventPipe{source: *newSource(r)}
	p.moved.L = &p.mu
	p.take = func(fd int, b []byte) (int, error) {
		p.mu.Lock() // so that no byte is neither in the pipe nor taken
		defer p.mu.Unlock()
		n, err := syscall.Read(fd, b)
		p.taken += int64(max(n, 0))
		return n, err
	}
	return p
}

// read is called again when what it gave before has been dealt with.
func (p *eventPipe) read(use func([]byte)) error {
	p.mu.Lock()
	p.handled = p.taken
	p.moved.Broadcast()
	p.mu.Unlock()
	return p.source.read(use)
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
