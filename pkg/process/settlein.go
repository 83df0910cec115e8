package process

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/longhaul/longhaul/pkg/process/boot"
)

// settleIn gives the shim, once, what its engines inherit from it or rely on.
func settleIn() error {
	if err := unblockSignals(); err != nil {
		return fmt.Errorf("unblock signals: %w", err)
	}
	defaultSignals()
	closeOnExec()
	boot.Usual()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become subreaper: %w", err)
	}
	// An engine, and all below it, gains nothing by executing a set-user-id program. Per thread, and this is the one that forks.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	// One byte, not zero: zero still lets a core_pattern with a pipe store the whole memory of the engine, one does not (core(5)).
	if unix.Prlimit(0, unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}, nil) != nil {
		_ = unix.Prlimit(0, unix.RLIMIT_CORE, &unix.Rlimit{}, nil) // it may not be raised to one
	}
	return nil
}

// unblockSignals clears a signal mask that the worker was started with. The runtime gives a child the mask of the thread that forks it, which
// is this one.
func unblockSignals() error {
	var empty uint64
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&empty)), 0, unsafe.Sizeof(empty), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// closeOnExec marks all but the standard three: the socket, and whatever the worker itself had inherited without the mark.
func closeOnExec() {
	if unix.CloseRange(socketFD, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	entries, _ := os.ReadDir("/proc/self/fd") // Linux before 5.11
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= socketFD {
			unix.CloseOnExec(fd)
		}
	}
}

// defaultSignals undoes what the worker may have inherited as ignored (nohup ignores SIGHUP, some service managers SIGPIPE): an engine
// would inherit it through execve(2). The runtime's own handlers need nothing: execve resets them.
func defaultSignals() {
	const lastSignal = 64
	type action struct { // the kernel's struct sigaction, or longer: riscv64 has no restorer
		handler, flags, restorer, mask uint64
	}
	const ignored = 1 // SIG_IGN
	for signal := uintptr(1); signal <= lastSignal; signal++ {
		var was, byDefault action
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, signal, 0, uintptr(unsafe.Pointer(&was)), 8, 0, 0)
		if errno == 0 && was.handler == ignored {
			_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, signal, uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
		}
	}
}
