package process

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// MemoryKills is how many processes of this one's cgroup, which is the container
// in a container, the kernel has killed for want of memory since it was made.
// SIGKILL itself does not tell why; a number that grows while an engine runs
// does. 0 is also the answer where the kernel does not count.
func MemoryKills() uint64 { return readKills(killsFile()) }

// killsFile stays open: each attempt reads it twice, and looking for it costs
// more than all else that starts a process here.
var killsFile = sync.OnceValue(func() *os.File { return findKills("/") })

// findKills looks below root for the file that counts. nil: there is none. Inside
// a container the path that the kernel names may be the host's, and the mount
// itself is then the container's.
func findKills(root string) *os.File {
	membership, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(membership) {
		// id:controllers:path, the controllers of version 2 being none.
		fields := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(fields) != 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "memory.events"
		switch fields[1] {
		case "":
		case "memory":
			mount, file = "sys/fs/cgroup/memory", "memory.oom_control"
		default:
			continue
		}
		for _, folder := range []string{fields[2], ""} {
			f, err := os.Open(path.Join(root, mount, folder, file))
			if err != nil {
				continue
			}
			if _, ok := parseKills(f); ok {
				return f
			}
			_ = f.Close()
		}
	}
	return nil
}

func readKills(f *os.File) uint64 {
	if f == nil {
		return 0
	}
	n, _ := parseKills(f)
	return n
}

// parseKills reads from the start: the kernel then writes the file anew.
func parseKills(f *os.File) (uint64, bool) {
	var text [1 << 10]byte                      // a dozen short lines
	n, _ := unix.Pread(int(f.Fd()), text[:], 0) // once: ReadAt would ask again for the end
	for line := range bytes.Lines(text[:max(n, 0)]) {
		if value, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok {
			kills, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 64)
			return kills, err == nil
		}
	}
	return 0, false
}
