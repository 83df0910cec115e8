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
)

// shedAfter is when a process has started: it listens, and has talked to Redis.
const shedAfter = time.Second

// shed gives back what only the start needed: the heap of it, and the pages of
// the program, which are two thirds of an idle process. The kernel keeps those
// as its cache, takes them back when it wants, and maps again what is used.
func shed(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(shedAfter):
	}
	debug.FreeOSMemory()
	return unmapProgram()
}

// unmapProgram takes the program's pages out of this process; none of them is lost.
func unmapProgram() error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		if from, to, ok := programPages(lines.Text(), exe); ok {
			// Refused, they stay, which is no harm.
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
		}
	}
	return lines.Err()
}

// programPages reads a line of /proc/<pid>/maps: it knows the pages of the
// program that nothing can have written to, so that its file still holds them.
func programPages(line, exe string) (from, to uintptr, ok bool) {
	if !strings.HasSuffix(line, " "+exe) {
		return 0, 0, false
	}
	var rights string
	if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &rights); n != 3 {
		return 0, 0, false
	}
	return from, to, rights[0] == 'r' && !strings.Contains(rights, "w")
}
