package process_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/process/boot"
	"github.com/longhaul/longhaul/pkg/process/processtest"
)

// helper is this test binary as a worker of its own, which a test may kill. It prints numbers, a line each.
type helper struct {
	*exec.Cmd
	t   *testing.T
	id  string
	out *bufio.Reader
}

func startHelper(t *testing.T, role string) *helper {
	t.Helper()
	h := &helper{Cmd: exec.Command(processtest.Path(), "helper", role), t: t, id: newID()}
	chosen := func(v string) bool { return strings.HasPrefix(v, "GOGC=") } // it would stay as it is
	h.Env = append(slices.DeleteFunc(os.Environ(), chosen), "HELPER_ID="+h.id, "GORACE=atexit_sleep_ms=0")
	h.Stderr = os.Stderr
	out, err := h.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Process.Kill(); _ = h.Wait() })
	h.out = bufio.NewReader(out)
	return h
}

func (h *helper) number() int {
	h.t.Helper()
	line, err := h.out.ReadString('\n')
	n, _ := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		h.t.Fatalf("helper: %v", err)
	}
	return n
}

// helperMain is the helper's side; it returns at once in any other process.
func helperMain() {
	if len(os.Args) != 3 || os.Args[1] != "helper" {
		return
	}
	switch os.Args[2] {
	case "careless":
		beCareless()
	case "status":
		printStatus()
	case "calm":
		boot.Calm()
		beCalm()
	case "worker":
		beWorker(os.Getenv("HELPER_ID"))
	case "no-main":
		process.ForgetMain()
		_, err := process.NewPool(process.PoolConfig{}).Start(context.Background(), command("true"))
		fmt.Println(strings.Count(fmt.Sprint(err), "process.Main"))
	}
	os.Exit(0)
}

// beCareless becomes a worker that was started the careless way: with signals ignored and blocked.
func beCareless() {
	runtime.LockOSThread() // the mask is this thread's, and execve(2) keeps it
	signal.Ignore(syscall.SIGHUP)
	mask := uint64(1) << (syscall.SIGUSR1 - 1)
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
	panic(fmt.Sprint(errno, syscall.Exec(processtest.Path(), []string{"careless", "helper", "status"}, os.Environ())))
}

// printStatus runs an engine that tells what it inherited, after what the worker itself has.
func printStatus() {
	own, _ := os.ReadFile("/proc/thread-self/status")
	_, _ = os.Stdout.Write(own)
	printOfEngine("/proc/self/status")
}

// beCalm tells its pid, and what slack a worker, its environment and its engines have, in ns; 0 is none.
func beCalm() {
	usual, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d\n%d\n0%s\n", os.Getpid(), usual, os.Getenv("LONGHAUL_SLACK"))
	percent := 0
	if boot.CollectorWaits() {
		percent = debug.SetGCPercent(100)
	}
	fmt.Printf("%d\n0%s\n", percent, os.Getenv("GOGC"))
	printOfEngine("/proc/self/timerslack_ns")
}

// printOfEngine prints a file as an engine sees it.
func printOfEngine(file string) {
	pool := process.NewPool(process.PoolConfig{})
	p, err := pool.Start(context.Background(), command("cat", file))
	if err != nil {
		panic(err)
	}
	_, _ = io.Copy(os.Stdout, p.Stdout())
	<-p.Gone()
	_ = pool.Close(context.Background())
}

// beWorker runs three bad engines, tells their pids and those of the shims, and waits to be killed.
func beWorker(id string) {
	pool := process.NewPool(process.PoolConfig{Slots: 4})
	pids := []int{}
	idle, err := pool.Start(context.Background(), command("true"))
	if err != nil {
		panic(err)
	}
	pids = append(pids, process.ShimPID(idle)) // used again below, if it is idle by then
	for _, b := range []processtest.Behaviour{processtest.Stubborn, processtest.StopSelf, processtest.IgnoreTerm} {
		c := bad(b)
		c.ExecutionID, c.Env[0] = id, "EXECUTION_ID="+id
		p, err := pool.Start(context.Background(), c)
		if err != nil {
			panic(err)
		}
		pids = append(pids, p.PID(), process.ShimPID(p))
		out := bufio.NewReader(p.Stdout())
		for line := ""; line != "ready\n"; line, _ = out.ReadString('\n') {
			if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	fmt.Println(len(pids))
	for _, pid := range pids {
		fmt.Println(pid)
	}
	<-make(chan struct{})
}
