package process

import (
	"bytes"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// stdinInline is a pipe's default capacity: that much is written before the engine even exists, and needs no goroutine.
const stdinInline = 64 << 10

// pipes are one engine's: the read ends stay here, the far ends go to the shim and are closed here.
type pipes struct {
	stdout, stderr, events *os.File
	feed                   *os.File // write end of stdin, if there is more to write
	far                    []int    // stdout, stderr, events, [stdin]: in the order the shim expects them
}

func openPipes(stdin []byte, template bool) (p *pipes, err error) {
	p = &pipes{far: make([]int, 0, 4)}
	defer func() {
		if err != nil {
			p.close()
			p = nil
		}
	}()
	if p.stdout, err = p.output("stdout"); err != nil {
		return p, err
	}
	if p.stderr, err = p.output("stderr"); err != nil {
		return p, err
	}
	if template {
		err = p.control()
	} else {
		p.events, err = p.output("events")
	}
	if err != nil {
		return p, err
	}
	if stdin != nil {
		err = p.input(stdin)
	}
	return p, err
}

// output makes a pipe whose read end is non-blocking, so that the runtime's poller and deadlines work on it. Not os.Pipe: that makes
// the write end non-blocking too, the engine would inherit that, and most programs take EAGAIN on stdout for a broken one.
// Its capacity stays as it is: with a larger one (F_SETPIPE_SZ) 50 MB took no less time.
func (p *pipes) output(name string) (*os.File, error) {
	var fd [2]int
	if err := unix.Pipe2(fd[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	p.far = append(p.far, fd[1])
	_ = syscall.SetNonblock(fd[0], true)
	return os.NewFile(uintptr(fd[0]), name), nil
}

// control gives a template a socket in the place of the events.
func (p *pipes) control() error {
	ours, theirs, err := socketpair()
	if err != nil {
		return err
	}
	defer theirs.Close()
	fd, err := unix.FcntlInt(theirs.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		_ = ours.Close()
		return os.NewSyscallError("fcntl", err)
	}
	p.events, p.far = ours, append(p.far, fd)
	return nil
}

// input writes what fits right away. A file in memory instead of a pipe would take any size without a goroutine, but programs that
// poll their stdin (Node, asyncio) treat files differently, and a pipe is what they are tested with.
func (p *pipes) input(stdin []byte) error {
	var fd [2]int
	if err := unix.Pipe2(fd[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	p.far = append(p.far, fd[0])
	_ = syscall.SetNonblock(fd[1], true)
	w := os.NewFile(uintptr(fd[1]), "stdin")
	if len(stdin) > stdinInline {
		p.feed = w
		return nil
	}
	defer w.Close()
	_, err := w.Write(stdin)
	return err
}

// closeFar drops the engine's ends: from then on only the engine's tree holds them, and the end of the tree is the end of the files.
func (p *pipes) closeFar() {
	for _, fd := range p.far {
		_ = unix.Close(fd)
	}
	p.far = nil
}

func (p *pipes) close() {
	p.closeFar()
	for _, f := range []*os.File{p.stdout, p.stderr, p.events, p.feed} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// feedStdin writes a long stdin, to its end or until nobody holds the other end any more: EPIPE, once the tree is gone at the latest.
func feedStdin(w *os.File, stdin []byte) {
	_, _ = bytes.NewReader(stdin).WriteTo(w)
	_ = w.Close()
}
