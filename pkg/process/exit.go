package process

import (
	"fmt"
	"syscall"
	"time"
)

// Exit is how a process ended: code and signal apart, so that "exited with 137" and "killed by 9" differ.
type Exit struct {
	Code       int            // exit status; -1 when ended by a signal, or unknown
	Signal     syscall.Signal // 0 unless ended by a signal
	CoreDumped bool

	ExitedAt   time.Time // the main process was reaped
	GoneAt     time.Time // nothing of the tree was left
	TermSentAt time.Time // Terminate's SIGTERM; zero if never
	KillSentAt time.Time // the first SIGKILL to anything of the tree; zero if never

	CPUUser, CPUSystem time.Duration // of the whole tree, as far as somebody waited for each process
	// PeakMemory in bytes: the largest of any one process's peak (the kernel's figure) and of the tree's summed resident memory,
	// sampled. A process that ends before the first sample may show the shim's own few MiB, see [tree.account].
	PeakMemory int64

	Leftovers int  // descendants still alive when the main process had exited
	ShimLost  bool // the shim was killed from outside: code and usage are unknown, the tree was swept
}

// Success tells whether the process ended by itself, with 0.
func (e Exit) Success() bool { return e.Code == 0 && e.Signal == 0 && !e.ShimLost }

func (e Exit) String() string {
	switch {
	case e.ShimLost:
		return "lost its shim"
	case e.Signal != 0:
		return fmt.Sprintf("killed by signal %d (%v)", int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("exited with %d", e.Code)
}
