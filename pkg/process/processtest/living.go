package processtest

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func ready() { fmt.Println("ready") }

// forever blocks in the kernel: nothing for the runtime to call a deadlock.
func forever() {
	for {
		_, _ = poll(-1)
	}
}

func sleep([]string) {
	ready()
	forever()
}

func ignoreTerm([]string) {
	signal.Ignore(syscall.SIGTERM)
	ready()
	forever()
}

func termSlowly([]string) {
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	ready()
	<-terms
	fmt.Println("terminating")
	exit(7)
}

func stopSelf([]string) {
	ready()
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	forever()
}

func closeStdout([]string) {
	ready()
	_ = os.Stdout.Close()
	_ = os.Stderr.Close()
	forever()
}

func stubborn([]string) {
	signal.Ignore(syscall.SIGTERM)
	fmt.Println(spawn(spawnOptions{session: true}, IgnoreTerm))
	ready()
	forever()
}

func allocate(args []string) {
	memory := make([]byte, number(args)<<20)
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	ready()
	forever()
}

func spin([]string) {
	ready()
	for {
	}
}

func exitWith(args []string) { exit(number(args)) }

// signalSelf ends by the signal as a C program would: the runtime's handler would turn some into a panic and exit status 2.
func signalSelf(args []string) {
	n := syscall.Signal(number(args))
	defaultAction(n)
	_ = syscall.Kill(os.Getpid(), n)
	forever()
}

func number(args []string) int {
	if len(args) > 0 {
		if n, err := strconv.Atoi(args[0]); err == nil {
			return n
		}
	}
	fmt.Fprintln(os.Stderr, "badchild: this behaviour takes a number")
	exit(2)
	return 0
}
