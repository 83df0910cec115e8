// Package proc reads what processes cost from /proc: CPU and memory of whole
// trees, and how busy the machine is. It starts no goroutine.
package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is USER_HZ, 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// stat is a line of /proc/<pid>/stat.
type stat struct {
	parent int
	cpu    time.Duration // its own, and that of the children it has waited for
}

// parseStat takes care of names with spaces and parentheses: the fields begin after the last one.
func parseStat(line string) (stat, error) {
	end := strings.LastIndexByte(line, ')')
	if end < 0 {
		return stat{}, fmt.Errorf("no name in %q", line)
	}
	f := strings.Fields(line[end+1:]) // f[0] is field 3 of proc_pid_stat(5)
	if len(f) < 15 {
		return stat{}, fmt.Errorf("only %d fields in %q", len(f), line)
	}
	parent, err := strconv.Atoi(f[1])
	if err != nil {
		return stat{}, err
	}
	var ticks int64
	for _, s := range f[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return stat{}, err
		}
		ticks += n
	}
	return stat{parent, time.Duration(ticks) * tick}, nil
}

// all are the processes of this machine.
func all() (map[int]stat, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	m := make(map[int]stat, len(files))
	for _, f := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			continue
		}
		data, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended meanwhile
		}
		if m[pid], err = parseStat(string(data)); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// tree are the roots and all that descends from them.
func tree(m map[int]stat, roots []int) []int {
	in := map[int]bool{}
	for _, pid := range roots {
		if _, ok := m[pid]; ok {
			in[pid] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for pid, s := range m {
			if !in[pid] && in[s.parent] {
				in[pid], grown = true, true
			}
		}
	}
	pids := make([]int, 0, len(in))
	for pid := range in {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids
}

// CPU is the user and system time so far of the trees, with those of their
// processes that have ended and were waited for.
func CPU(roots ...int) (time.Duration, error) {
	m, err := all()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range tree(m, roots) {
		sum += m[pid].cpu
	}
	return sum, nil
}

// Memory is in bytes. RSS counts pages that several processes share once for each; PSS shares them out.
type Memory struct{ RSS, PSS, Peak int64 }

// MemoryOf sums over the trees; Peak is the sum of each process' own peak.
func MemoryOf(roots ...int) (Memory, error) {
	m, err := all()
	if err != nil {
		return Memory{}, err
	}
	var sum Memory
	seen := 0
	for _, pid := range tree(m, roots) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue // it has ended meanwhile
		}
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		sum.RSS += kilobytes(status, "VmRSS")
		sum.Peak += kilobytes(status, "VmHWM")
		sum.PSS += kilobytes(rollup, "Pss")
		seen++
	}
	if seen == 0 {
		return Memory{}, errors.New("none of the processes is there")
	}
	return sum, nil
}

// RSS is that of one process alone: cheap enough to watch it.
func RSS(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return kilobytes(status, "VmRSS"), err
}

// kilobytes is the value of one line of such a file, in bytes; 0 where there is none.
func kilobytes(file []byte, name string) int64 {
	for line := range strings.Lines(string(file)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
			if err != nil {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// Load is the machine's load average of one minute.
func Load() float64 {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return -1
	}
	one, _, _ := strings.Cut(string(data), " ")
	f, err := strconv.ParseFloat(one, 64)
	if err != nil {
		return -1
	}
	return f
}

// Machine names the CPU and the kernel.
func Machine() (cpu, kernel string) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err == nil {
		kernel = "Linux " + strings.TrimSpace(string(release))
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", kernel
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value), kernel
		}
	}
	return "", kernel
}
