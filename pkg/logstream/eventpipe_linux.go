package logstream

import (
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// askable gives access to r if it is a pipe in non-blocking mode, as os.Pipe
// makes it. A blocking read would keep the lock that waiting needs.
func askable(r io.Reader) syscall.RawConn {
	c, ok := r.(syscall.Conn)
	if !ok {
		return nil
	}
	conn, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	nonblocking := false
	if conn.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		nonblocking = err == nil && flags&unix.O_NONBLOCK != 0
	}) != nil || !nonblocking {
		return nil
	}
	return conn
}

// unread is how many bytes wait in a pipe.
func unread(fd uintptr) int64 {
	n, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ) // also known as FIONREAD
	if err != nil {
		return 0
	}
	return int64(n)
}
