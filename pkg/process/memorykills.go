package process

import (
	"bufio"
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
)

// MemoryKills is how many processes of this one's cgroup, which is the container
// in a container, the kernel has killed for want of memory since it was made.
// SIGKILL itself does not tell why; a number that grows while an engine runs
// does. 0 is also the answer where the kernel does not count.
func MemoryKills() uint64 { return memoryKills("/") }

// memoryKills looks below root. Inside a container the path that the kernel
// names may be the host's, and the mount itself is then the container's.
func memoryKills(root string) uint64 {
	membership, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0
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
			if n, ok := readKills(path.Join(root, mount, folder, file)); ok {
				return n
			}
		}
	}
	return 0
}

func readKills(file string) (uint64, bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "oom_kill "); ok {
			n, err := strconv.ParseUint(value, 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
