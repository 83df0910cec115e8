package warm_test

import (
	"os"
	"strconv"
	"strings"

	"github.com/longhaul/longhaul/pkg/process/processtest"
)

// helperMain is this test binary as a worker of its own, which a test may kill.
func helperMain() {
	if len(os.Args) == 4 && os.Args[1] == "helper" {
		beWorker(os.Args[3])
		os.Exit(0)
	}
}

func read(file string) string {
	raw, _ := os.ReadFile(file)
	return string(raw)
}

// family lists the launcher of this stand's engine and all that it forked, but for the shims: each still shows the launcher's arguments.
func (s *stand) family() (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && strings.Contains(read("/proc/"+entry.Name()+"/cmdline"), s.launcher) && processtest.Alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// template is the launcher: the one that no other of the family forked, by way of a shim; 0 if there is none.
func (s *stand) template() int {
	newest := 0
	for _, pid := range s.family() {
		if grandparent := parent(parent(pid)); grandparent == os.Getpid() {
			newest = max(newest, pid)
		}
	}
	return newest
}

// waiting is the process that waits, as far as one does: its environment still shows the launcher's name.
func (s *stand) waiting() int {
	for _, pid := range s.family() {
		if pid != s.template() && parent(parent(pid)) != os.Getpid() && strings.Contains(read("/proc/"+strconv.Itoa(pid)+"/environ"), "EXECUTION_ID=warm-") {
			return pid
		}
	}
	return 0
}

func parent(pid int) int {
	stat := read("/proc/" + strconv.Itoa(pid) + "/stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(fields[1])
	return n
}
