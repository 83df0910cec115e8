package logstream

import (
	"errors"
	"io"
	"sync"
	"syscall"
)

// readSize is a pipe's capacity: the most that one read can bring.
const readSize = 64 << 10

// readBuffers hold what was read until it is in the queue.
var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// source reads an engine's pipe, and borrows a buffer only when there is something
// to read: most engines are silent most of the time, and many from beginning to
// end. Three buffers for each would be most of what an attempt takes.
type source struct {
	r    io.Reader
	conn syscall.RawConn                           // nil: r cannot be asked whether there is something
	take func(fd int, b []byte) (n int, err error) // read(2)
}

func newSource(r io.Reader) *source { return &source{r: r, conn: askable(r), take: syscall.Read} }

// read waits for bytes and gives them to use, in which alone they are valid.
// The error is the reader's; io.EOF at the end.
func (s *source) read(use func([]byte)) error {
	b, n, err := s.next()
	if n > 0 {
		use(b[:n])
	}
	if b != nil {
		readBuffers.Put(b)
	}
	return err
}

func (s *source) next() (b *[readSize]byte, n int, err error) {
	if s.conn == nil {
		b = borrow()
		n, err = s.r.Read(b[:])
		return b, n, err
	}
	closed := s.conn.Read(func(fd uintptr) bool {
		b = borrow()
		for n, err = s.take(int(fd), b[:]); errors.Is(err, syscall.EINTR); {
			n, err = s.take(int(fd), b[:])
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return true
		}
		readBuffers.Put(b) // until there is something
		b = nil
		return false
	})
	switch {
	case closed != nil:
		return b, 0, closed
	case err == nil && n == 0:
		return b, 0, io.EOF
	}
	return b, n, err
}

func borrow() *[readSize]byte { return readBuffers.Get().(*[readSize]byte) }
