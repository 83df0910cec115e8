package process

import (
	"bytes"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// signalChildren signals every child of ours and the whole group each is in. With done, a group is signalled only once over several calls.
//
// Whole groups, because the kernel signals a group in one step that no fork(2) can slip through, which a walk over pids can't promise: a
// fork bomb dies at once. A child's group is made of descendants only (see fork), and it exists as long as the child is unreaped.
func signalChildren(signal syscall.Signal, done map[int]struct{}) {
	if done == nil {
		done = make(map[int]struct{})
	}
	own := unix.Getpgrp()
	for _, pid := range childrenOf(os.Getpid()) {
		group, err := unix.Getpgid(pid)
		if err != nil {
			continue
		}
		if _, again := done[group]; again {
			continue
		}
		done[group] = struct{}{}
		target := -group
		if group == own || group <= 1 { // cannot be; but -1 would be everybody
			target = pid
		}
		_ = syscall.Kill(target, signal)
		if signal == syscall.SIGTERM {
			_ = syscall.Kill(target, syscall.SIGCONT) // what is stopped would not see it
		}
	}
}

// descendants lists everything below us that has not ended.
func descendants() []int {
	var all []int
	queue := childrenOf(os.Getpid())
	for len(queue) > 0 {
		pid := queue[0]
		queue = append(queue[1:], childrenOf(pid)...)
		if !zombie(pid) {
			all = append(all, pid)
		}
	}
	return all
}

// childrenOf lists a process's children. The kernel keeps them by the thread that forked them.
func childrenOf(pid int) (children []int) {
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return nil
	}
	for _, thread := range threads {
		list, err := os.ReadFile(tasks + "/" + thread.Name() + "/children")
		if os.IsNotExist(err) && !childrenFiles() {
			return childrenByParent(pid)
		}
		for _, field := range bytes.Fields(list) {
			if child, err := strconv.Atoi(string(field)); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// childrenFiles tells whether this kernel lists children at all (CONFIG_PROC_CHILDREN; nearly all do).
func childrenFiles() bool {
	_, err := os.Stat("/proc/thread-self/children")
	return err == nil
}

// childrenByParent finds them the slow way: whoever names pid as its parent.
func childrenByParent(pid int) (children []int) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if child, err := strconv.Atoi(entry.Name()); err == nil {
			if stat := statFields(child); len(stat) > 1 && string(stat[1]) == strconv.Itoa(pid) {
				children = append(children, child)
			}
		}
	}
	return children
}

func zombie(pid int) bool {
	stat := statFields(pid)
	return len(stat) == 0 || stat[0][0] == 'Z'
}

// statFields are those of /proc/<pid>/stat from the state on: the name before it may hold anything, a parenthesis too.
func statFields(pid int) [][]byte {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
}
