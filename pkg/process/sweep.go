package process

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mark is how a process of a lost shim is known.
type mark struct {
	id string // EXECUTION_ID in its environment, or
	// session, which finds those that were given another environment. It may be trusted if the engine was unreaped until the shim died:
	// nobody else can have had that pid then, and whether somebody has it now shows in when its leader was started. 0 if that is not so.
	session int
	died    time.Duration // the shim, since boot
}

// sweep kills every marked process of this user until it has found none twice in a row, and returns how many it killed. Twice, because a
// process in the middle of execve(2) has no environment to read for a moment. What it can't find is a process that left the session and
// wiped its environment as well: the shim would have, but the shim was killed.
func sweep(m mark) (killed int) {
	// Between the looks: short at first, since killed processes need about that long to vanish; at most half a second
	// for one that the kernel can't kill yet.
	const shortest, longest = 2 * time.Millisecond, 500 * time.Millisecond
	seen := make(map[int]struct{})
	pause := shortest
	for clean := 0; clean < 2; {
		found := m.killAll(seen)
		if found {
			clean = 0
		} else {
			clean++
		}
		<-time.After(pause)
		pause = min(2*pause, longest)
	}
	return len(seen)
}

func (m mark) killAll(seen map[int]struct{}) (found bool) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if m.kill(pid) {
			found = true
			seen[pid] = struct{}{}
		}
	}
	return found
}

// kill kills the process if it is marked. The descriptor is opened before the mark is read: should the pid pass to
// another process in between, the descriptor still means the old one, and the signal goes nowhere.
func (m mark) kill(pid int) bool {
	if !sameUser(pid) {
		return false
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return (m.inEnvironment(pid) || m.inSession(pid)) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}

func sameUser(pid int) bool {
	info, err := os.Stat("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// inEnvironment is false for a zombie, which has none any more, and is gone for us.
func (m mark) inEnvironment(pid int) bool {
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	entry := []byte(envExecutionID + "=" + m.id + "\x00")
	return err == nil && (bytes.HasPrefix(environ, entry) || bytes.Contains(environ, append([]byte{0}, entry...)))
}

func (m mark) inSession(pid int) bool {
	const state, session = 0, 3 // proc_pid_stat(5), counted from the state
	stat := statFields(pid)
	return m.session != 0 && len(stat) > session && stat[state][0] != 'Z' && string(stat[session]) == strconv.Itoa(m.session) &&
		startedBy(m.session, m.died)
}

// startedBy tells whether a process was started by then, or is not there at all.
func startedBy(pid int, then time.Duration) bool {
	const started = 19             // proc_pid_stat(5), counted from the state
	const tick = time.Second / 100 // USER_HZ, on every Linux that Go runs on
	stat := statFields(pid)
	if len(stat) <= started {
		return true
	}
	ticks, err := strconv.ParseInt(string(stat[started]), 10, 64)
	return err == nil && time.Duration(ticks)*tick <= then
}

// sinceBoot is the clock in which the kernel tells when a process was started.
func sinceBoot() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now)
	return time.Duration(now.Nano())
}
