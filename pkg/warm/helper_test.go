package warm_test

import (
	"os"
	"strconv"
	"strings"

	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func helperMain() {}

func read(file string) string {
	raw, _ := os.ReadFile(file)
	return string(raw)
}

func argv(pid int) []string {
	return strings.Split(read("/proc/"+strconv.Itoa(pid)+"/cmdline"), "\x00")
}

// family lists the launcher of this stand's engine, and what it has forked that is no shim.
func (s *stand) family() (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && processtest.Alive(pid) && strings.Contains(strings.Join(argv(pid), " "), s.launcher) {
			pids = append(pids, pid)
		}
	}
	return pids
}
