package httpapi

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// watch notices that clients of direct streams go away, be it in the midst of a
// long silence: one goroutine for all, where net/http has one for each that
// waits in a read.
type watch struct {
	file *os.File // the epoll instance, itself in the runtime's poller

	mu   sync.Mutex // guards below
	next int32
	list map[int32]*direct
	keys map[*direct]int32
}

// newWatch runs the goroutine. nil where the system gives no epoll instance:
// then a client's going shows with the next keep-alives.
func newWatch(run func(func())) *watch {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	_ = unix.SetNonblock(fd, true) // so that os takes it into the poller
	w := &watch{file: os.NewFile(uintptr(fd), "epoll"), list: map[int32]*direct{}, keys: map[*direct]int32{}}
	conn, err := w.file.SyscallConn()
	if err != nil {
		_ = w.file.Close()
		return nil
	}
	run(func() {
		var events [64]unix.EpollEvent
		for {
			n := 0
			if conn.Read(func(fd uintptr) bool {
				n, _ = unix.EpollWait(int(fd), events[:], 0)
				return n > 0
			}) != nil {
				return // closed
			}
			for _, e := range events[:n] {
				w.tell(e.Fd)
			}
		}
	})
	return w
}

// add watches d until it is told of or removed.
func (w *watch) add(d *direct) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.next++; w.list[w.next] != nil; w.next++ {
	}
	w.list[w.next], w.keys[d] = d, w.next
	conn, err := w.file.SyscallConn()
	if err != nil {
		return
	}
	event := unix.EpollEvent{Events: unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: w.next}
	_ = d.raw.Control(func(client uintptr) {
		_ = conn.Control(func(fd uintptr) { _ = unix.EpollCtl(int(fd), unix.EPOLL_CTL_ADD, int(client), &event) })
	})
}

func (w *watch) tell(key int32) {
	w.mu.Lock()
	d := w.list[key]
	w.mu.Unlock()
	if d != nil {
		d.gone.Store(true)
		d.all.interrupt(d)
	}
}

// remove forgets d, whose connection is about to be closed, which takes it out
// of the epoll instance too; and ends w where it was the last.
func (w *watch) remove(d *direct, last bool) {
	if w == nil {
		return
	}
	w.mu.Lock()
	delete(w.list, w.keys[d])
	delete(w.keys, d)
	w.mu.Unlock()
	if last {
		_ = w.file.Close()
	}
}
