package process

import (
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/longhaul/longhaul/pkg/process/boot"
)

const (
	selfExe  = "/proc/self/exe" // the running program, even after its file was replaced by a deploy
	shimName = "longhaul-shim"  // argv[0]: what ps(1) shows
	// envShim marks a shim, and tells it its worker's pid. The name in argv[0] alone could be a copy or a link of the program.
	envShim = boot.EnvShim
	// socketFD is where a shim finds its end of the socket.
	socketFD = 3
)

// newShim starts a shim. It answers nothing before its first start: the request waits in the socket until it is up.
//
// Pdeathsig is bound to the thread that forked, not to the process (golang/go#27505): a child started from a goroutine's
// passing thread may get the signal while the worker lives. SIGCHLD makes that harmless: the shim only looks whether its parent is still
// the worker. It is the second net under end-of-file on the socket, which says the same at the same moment.
func newShim(p *Pool) (*shim, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	defer null.Close()
	usual, restore := boot.Children(boot.Lazy)
	defer restore()
	child, err := os.StartProcess(selfExe, []string{shimName}, &os.ProcAttr{
		// Nothing of the worker's environment: the engine, which runs as the same user, can read the shim's.
		// One processor is plenty for one thread, and saves the runtime's helpers.
		Env:   []string{envShim + "=" + strconv.Itoa(os.Getpid()), boot.EnvSlack + "=" + strconv.Itoa(usual), "GOMAXPROCS=1"},
		Files: []*os.File{null, null, os.Stderr, theirs},
		Sys: &syscall.SysProcAttr{
			Setsid:    true, // own group, no terminal: an interrupt typed at the worker is the worker's to handle
			Pdeathsig: syscall.SIGCHLD,
		},
	})
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	return &shim{pool: p, os: childProcess{child}, socket: ours, dead: make(chan struct{})}, nil
}

// socketpair makes two ends of a socket that keeps message boundaries. Ours does not block, so that deadlines work on it.
func socketpair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	_ = unix.SetNonblock(fds[0], true)
	return os.NewFile(uintptr(fds[0]), "shim"), os.NewFile(uintptr(fds[1]), "worker"), nil
}

// sendStart sends a start with its descriptors. What would not fit in the socket's buffer goes through a file in memory.
func (s *shim) sendStart(message []byte, fds []int) error {
	if len(message) <= maxInline {
		return s.sendWith(message, fds)
	}
	memory, err := unix.MemfdCreate("start", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(memory), "start")
	defer f.Close()
	if _, err := f.Write(message); err != nil {
		return err
	}
	return s.sendWith([]byte{msgLongStart}, append(fds[:len(fds):len(fds)], memory))
}

func (s *shim) send(message []byte) error { return s.sendWith(message, nil) }

// sendWith never blocks: at most a start and a few terminates are under way, far less than the buffer, unless the shim is stopped.
func (s *shim) sendWith(message []byte, fds []int) error { return sendWith(s.socket, message, fds) }

func sendWith(socket *os.File, message []byte, fds []int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	return control(socket, func(fd int) error {
		_, err := unix.SendmsgN(fd, message, rights, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		return os.NewSyscallError("sendmsg", err)
	})
}

// control runs f with the socket's descriptor, which stays open meanwhile.
func control(socket *os.File, f func(fd int) error) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}
