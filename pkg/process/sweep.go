package process

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sweep kills every process of this user that was started with EXECUTION_ID=<id>, until it has found none twice in a row, and returns
// how many it killed. Twice, because a process in the middle of execve(2) has no environment to read for a moment.
// It can't find a process that escaped and wiped its environment as well: that is for the shim, and this is for when the shim was killed.
func sweep(id string) (killed int) {
	// Between the looks: short at first, since killed processes need about that long to vanish; at most half a second
	// for one that the kernel can't kill yet.
	const shortest, longest = 2 * time.Millisecond, 500 * time.Millisecond
	seen := make(map[int]struct{})
	pause := shortest
	for clean := 0; clean < 2; {
		found := sweepOnce(id, seen)
		if found {
			clean = 0
		} else {
			clean++
		}
		time.Sleep(pause)
		pause = min(2*pause, longest)
	}
	return len(seen)
}

func sweepOnce(id string, seen map[int]struct{}) (found bool) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if killMarked(pid, id) {
			found = true
			seen[pid] = struct{}{}
		}
	}
	return found
}

// killMarked kills the process if it carries the mark. The descriptor is opened before the mark is read: should the pid pass to
// another process in between, the descriptor still means the old one, and the signal goes nowhere.
func killMarked(pid int, id string) bool {
	if !sameUser(pid) {
		return false
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return marked(pid, id) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}

func sameUser(pid int) bool {
	info, err := os.Stat("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// marked tells whether the process was started with EXECUTION_ID=<id>. A zombie has no environment any more, and is gone for us.
func marked(pid int, id string) bool {
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	mark := []byte(envExecutionID + "=" + id + "\x00")
	return err == nil && (bytes.HasPrefix(environ, mark) || bytes.Contains(environ, append([]byte{0}, mark...)))
}
