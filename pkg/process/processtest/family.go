package processtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

type spawnOptions struct {
	session bool // in a session of its own
	pipes   bool // with our stderr and events, and our stdout once it is ready
}

// spawn starts this program again with another behaviour, and returns its pid when it says it is ready.
func spawn(o spawnOptions, b Behaviour, args ...string) int {
	r, w, err := os.Pipe()
	if err != nil {
		fatal(err)
	}
	child := exec.Command("/proc/self/exe", Args(b, args...)...)
	child.Stdout = w
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: o.session}
	if o.pipes {
		child.Stderr = os.Stderr
		child.ExtraFiles = []*os.File{os.NewFile(3, "events"), os.Stdout}
	}
	if err := child.Start(); err != nil {
		fatal(err)
	}
	_ = w.Close()
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		fatal(fmt.Errorf("%s was not ready: %w", b, err))
	}
	return child.Process.Pid
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "badchild:", err)
	exit(2)
}

// daemon: the classic. The middle process is the escapee behaviour, which exits at once and leaves its child to the subreaper.
func daemon([]string) {
	middle := exec.Command("/proc/self/exe", os.Args[1:]...)
	middle.Args[len(os.Args)-1] = string(Escapee)
	middle.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pid, err := middle.Output()
	if err != nil {
		fatal(err)
	}
	_, _ = os.Stdout.Write(pid)
}

func escapee([]string) { fmt.Println(spawn(spawnOptions{session: true}, Sleep)) }

func deafEscapee([]string) { fmt.Println(spawn(spawnOptions{session: true}, IgnoreTerm)) }

func holdPipe([]string) { fmt.Println(spawn(spawnOptions{pipes: true}, Sleep)) }

func family(args []string) {
	for i := range number(args) {
		pid := fork(func() {
			if i%2 == 0 {
				_, _ = syscall.Setsid()
			}
			pause()
		})
		fmt.Println(pid)
	}
}
