package processtest

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fork is fork(2) without exec, which Go does not offer for good reason: the child has one thread and no runtime. So what it
// runs must only make raw system calls, and never return. It makes thousands of processes cheap enough for a test.
func fork(child func()) int {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return -1
	}
	if pid == 0 {
		child()
		rawExit()
	}
	return int(pid)
}

// deaf ignores SIGTERM without the runtime.
func deaf() { action(syscall.SIGTERM, 1) }

func defaultAction(signal syscall.Signal) { action(signal, 0) }

// action sets a signal's handler to 0 (default) or 1 (ignore).
func action(signal syscall.Signal, handler uint64) {
	act := [4]uint64{handler}
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(signal), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
}

func rawExit() { _, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0) }

// pause sleeps until a signal ends it, by raw system calls only.
func pause() {
	for {
		_, _, _ = syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
}

// poll sleeps in the kernel, with the runtime's knowledge.
func poll(timeout int) (int, error) { return unix.Poll(nil, timeout) }

// shared is a counter that forked processes share.
func shared() *atomic.Int64 {
	memory, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		fatal(err)
	}
	return (*atomic.Int64)(unsafe.Pointer(&memory[0]))
}

// forkBomb: every process forks until there are enough, so that they fork from everywhere at once.
func forkBomb(args []string) {
	deaf()
	want, alive := int64(number(args)), shared()
	grow := func() {
		for alive.Add(1) <= want {
			pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
			if errno != 0 {
				alive.Add(-1)
			} else if pid == 0 {
				continue
			}
		}
	}
	fork(func() { grow(); pause() })
	for alive.Load() < want {
		_, _ = poll(1)
	}
	ready()
	forever()
}

// respawn: chains of processes none of which lives long enough to be caught one by one, each in a session of its own.
func respawn(args []string) {
	deaf()
	generations := shared()
	for range number(args) {
		fork(func() {
			for {
				_, _, _ = syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0)
				generations.Add(1)
				wait := unix.Timespec{Nsec: 1e6}
				_, _, _ = syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, uintptr(unsafe.Pointer(&wait)), 0, 0, 0)
				pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
				if errno == 0 && pid != 0 {
					rawExit()
				}
			}
		})
	}
	for generations.Load() < 3*int64(number(args)) {
		_, _ = poll(1)
	}
	ready()
	forever()
}

// orphanStream leaves processes that end at once to the subreaper.
func orphanStream(args []string) {
	for range number(args) {
		middle := fork(func() {
			_, _, _ = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
		})
		_, _ = syscall.Wait4(middle, nil, 0, nil)
	}
	ready()
	forever()
}
