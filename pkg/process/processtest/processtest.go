// Package processtest is the badly behaved child: a program that does on purpose what engines do by accident.
//
// A test binary becomes the child by calling [Main] first thing in TestMain and starting [Path] with [Args]. The same behaviours
// are a program of their own, cmd/badchild, with the name of the behaviour as its first argument: for tests over HTTP.
//
// A behaviour that lives on prints "ready" on stdout once it is as bad as it is going to be: wait for that line, not for a time.
// It starts no goroutine that outlives a behaviour, and owns nothing.
package processtest

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
)

// argument tells the re-executed test binary that it is the child.
const argument = "badchild"

// Main behaves badly and never returns, if this program was started with [Args]; otherwise it returns at once.
func Main() {
	if len(os.Args) > 2 && os.Args[1] == argument {
		Run(os.Args[2], os.Args[3:])
	}
}

// Path is the running program, for which Main must have been called.
func Path() string {
	path, err := os.Executable()
	if err != nil {
		panic(err) // /proc is not there: nothing here would work
	}
	return path
}

// Args are the arguments that make it behave in a certain way.
func Args(b Behaviour, args ...string) []string {
	return append([]string{argument, string(b)}, args...)
}

// Run behaves badly in the running process, and ends it.
func Run(name string, args []string) {
	behave, ok := behaviours[Behaviour(name)]
	if !ok {
		fmt.Fprintf(os.Stderr, "badchild: no behaviour %q; there are %q\n", name, Names())
		exit(2)
	}
	behave(args)
	exit(0)
}

// Names lists the behaviours.
func Names() []string {
	names := make([]string, 0, len(behaviours))
	for b := range behaviours {
		names = append(names, string(b))
	}
	slices.Sort(names)
	return names
}

// Survivors lists the processes that carry EXECUTION_ID=<id> in their environment and have not ended.
func Survivors(executionID string) (pids []int) {
	mark := []byte("\x00EXECUTION_ID=" + executionID + "\x00")
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile("/proc/" + entry.Name() + "/environ")
		if err == nil && bytes.Contains(append([]byte{0}, environ...), mark) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Alive tells whether a process exists and is not a zombie.
func Alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	state := bytes.TrimSpace(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(state) > 0 && state[0] != 'Z' && state[0] != 'X'
}

// exit leaves without the exit hooks: a race-enabled binary would sleep for a second in them.
func exit(code int) { syscall.Exit(code) }
