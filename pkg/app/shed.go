package app

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/longhaul/longhaul/pkg/process/boot"
)

// collectAfter is when a collection holds up no start any more. Much later, those who come first to a process
// would fill its memory with what nobody uses.
const collectAfter = 100 * time.Millisecond

// shedAfter is when a process has started: it listens, and has talked to Redis.
const shedAfter = time.Second

// shedAtMost is how long pages of the program stay that nobody uses any more.
const shedAtMost = time.Minute

// shed gives back what only the start needed: the heap of it, and the pages of
// the program, which are two thirds of an idle process. The kernel keeps those
// as its cache, takes them back when it wants, and maps again what is used: not
// the page alone, but sixteen with it, of which most are not. So the pages go
// again and again, which costs a busy process some hundred faults that read nothing.
func shed(ctx context.Context) error {
	if boot.CollectorWaits() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(collectAfter):
			debug.SetGCPercent(100)
		}
	}
	return shedding(ctx, unmapProgram)
}

func shedding(ctx context.Context, unmap func() error) error {
	for wait := shedAfter; ; wait = min(3*wait, shedAtMost) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		if wait == shedAfter {
			debug.FreeOSMemory()
		}
		if err := unmap(); err != nil {
			return err
		}
	}
}

// unmapProgram takes the program's pages out of this process; none of them is lost.
func unmapProgram() error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer maps.Close()
	var m mapping
	for lines := bufio.NewScanner(maps); ; {
		if !lines.Scan() {
			return lines.Err()
		}
		if m.read(lines.Text(), exe) {
			// Refused, they stay, which is no harm.
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
		}
	}
}

// mapping is one of /proc/<pid>/smaps, as far as its lines have been read.
type mapping struct {
	from, to uintptr
	intact   bool // pages of the program, to which nothing has written
}

// read takes the next line. It is true at the last one that matters of a mapping
// whose pages the program's file still holds. That they are read-only now says
// too little: a loader writes to some pages first (-buildmode=pie, cgo), a
// debugger to others, and what was written to is anonymous.
func (m *mapping) read(line, exe string) bool {
	switch field, value, _ := strings.Cut(line, ":"); field {
	case "Anonymous", "Swap": // in this order, proc_pid_smaps(5)
		m.intact = m.intact && strings.TrimSpace(value) == "0 kB"
		return m.intact && field == "Swap"
	}
	var next mapping
	var rights string
	if n, _ := fmt.Sscanf(line, "%x-%x %s", &next.from, &next.to, &rights); n == 3 {
		next.intact = strings.HasSuffix(line, " "+exe) && rights[0] == 'r' && !strings.Contains(rights, "w")
		*m = next
	}
	return false
}
