package process_test

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/longhaul/longhaul/pkg/process"
	"github.com/longhaul/longhaul/pkg/process/processtest"
)

func TestNoDescriptorLeaksIntoTheEngine(t *testing.T) {
	t.Parallel()
	// One that the worker itself has without close-on-exec, as if its own parent had been careless.
	careless, err := unix.Dup(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(careless) })
	pool := newPool(t, 2)
	other := start(t, pool, bad(processtest.Sleep)).ready() // whose pipes are open meanwhile
	for _, c := range []process.Command{bad(processtest.Files), limited(bad(processtest.Files), process.Limits{OpenFiles: 64})} {
		r := start(t, pool, c)
		var fds []string
		for line := range strings.Lines(r.rest()) {
			fds = append(fds, strings.Fields(line)[0])
		}
		if got := strings.Join(fds, " "); got != "0 1 2 3" {
			t.Errorf("descriptors %s, want 0 1 2 3", got)
		}
		r.wait()
	}
	other.Terminate(0)
	other.wait()
}

func TestTheEngineStartsClean(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), command("cat", "/proc/self/status")) // not a Go program: that would set handlers first
	status := r.rest()
	for _, want := range []string{`SigBlk:\t0{16}\n`, `SigIgn:\t0{16}\n`, `SigCgt:\t0{16}\n`, `NoNewPrivs:\t1\n`} {
		if !regexp.MustCompile(want).MatchString(status) {
			t.Errorf("no %s in\n%s", want, status)
		}
	}
	r.wait()
}

func TestTheEngineStartsCleanEvenIfTheWorkerDidNot(t *testing.T) {
	t.Parallel()
	worker := startHelper(t, "careless")
	out, err := io.ReadAll(worker.out)
	if err != nil {
		t.Fatal(err)
	}
	own, engine, _ := strings.Cut(string(out), "\nName:\tcat\n")
	// The last digit of each: what else this test's own parent ignores does not matter.
	if !regexp.MustCompile(`SigIgn:\t[0-9a-f]{15}[13579bdf]\n`).MatchString(own) || !regexp.MustCompile(`SigBlk:\t[0-9a-f]{13}[2367abef]`).MatchString(own) {
		t.Errorf("the worker itself does not ignore SIGHUP and block SIGUSR1:\n%s", own)
	}
	for _, want := range []string{`SigBlk:\t0{16}\n`, `SigIgn:\t0{16}\n`} {
		if !regexp.MustCompile(want).MatchString(engine) {
			t.Errorf("no %s in\n%s", want, engine)
		}
	}
}

func TestTheKernelShallTakeTheEngineBeforeTheWorker(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.Sleep)).ready()
	for pid, want := range map[int]string{r.PID(): "500\n", process.ShimPID(r.Process): read("/proc/self/oom_score_adj")} {
		if got := read(fmt.Sprintf("/proc/%d/oom_score_adj", pid)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	r.Terminate(0)
	r.wait()
}

func TestTheEngineLeadsASessionWithoutTerminal(t *testing.T) {
	t.Parallel()
	c := bad(processtest.Where)
	c.Dir = t.TempDir()
	r := start(t, newPool(t, 1), c)
	want := fmt.Sprintf("dir=%s pid=%d session=%[2]d group=%[2]d terminal=false", c.Dir, r.PID())
	if got := r.line(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	r.wait()
}

func TestLimitsHoldFromTheStart(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 1)
	limits := process.Limits{OpenFiles: 77, FileSize: 12345, AddressSpace: 8 << 40, CPUSeconds: 61, Processes: 4321}
	r := start(t, pool, limited(command("cat", "/proc/self/limits"), limits))
	got := r.rest()
	for _, want := range []string{
		`Max open files +77 +77 `, `Max file size +12345 +12345 `, `Max address space +8796093022208 +8796093022208 `,
		`Max cpu time +61 +62 `, `Max processes +4321 +4321 `, `Max core file size +[01] +[01] `,
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if exit := r.wait(); !exit.Success() {
		t.Error(exit)
	}
}

func TestAnEngineOverItsLimitOfProcessorTimeEnds(t *testing.T) {
	t.Parallel()
	exit := start(t, newPool(t, 1), limited(command("sh", "-c", "while :; do :; done"), process.Limits{CPUSeconds: 1})).wait()
	if exit.Signal != syscall.SIGXCPU {
		t.Errorf("want SIGXCPU, got %v", exit)
	}
}

func TestNothingOfOneExecutionIsInTheNext(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 1)
	first := limited(command("sh", "-c", "umask 077; cd /; sleep 1000 & exit 0"), process.Limits{OpenFiles: 50, Processes: 5000})
	first.Dir, first.Env = t.TempDir(), append(first.Env, "SECRET=1")
	a := start(t, pool, first)
	a.wait()
	plain := command("sh", "-c", "pwd; umask; ulimit -n; ulimit -Hn; cat /proc/self/environ | tr '\\0' '\\n'")
	plain.Dir = t.TempDir()
	b := start(t, pool, plain)
	out := b.rest()
	b.wait()
	if process.ShimPID(a.Process) != process.ShimPID(b.Process) {
		t.Errorf("shim %d was not used again, %d was", process.ShimPID(a.Process), process.ShimPID(b.Process))
	}
	umask := unix.Umask(0)
	unix.Umask(umask)
	want := fmt.Sprintf("%s\n%04o\n", plain.Dir, umask)
	if !strings.HasPrefix(out, want) || strings.Contains(out, "SECRET") || strings.Contains(out, "\n50\n") {
		t.Errorf("got %s, want it to begin with %s", out, want)
	}
	for _, entry := range []string{"GOMAXPROCS", "LONGHAUL"} {
		if strings.Contains(out, entry) {
			t.Errorf("the shim's own %s is in the engine's environment", entry)
		}
	}
}

func TestTheShimHasNothingOfTheWorkersEnvironment(t *testing.T) {
	t.Parallel()
	r := start(t, newPool(t, 1), bad(processtest.Sleep)).ready()
	environ := read(fmt.Sprintf("/proc/%d/environ", process.ShimPID(r.Process)))
	if want := fmt.Sprintf("LONGHAUL_SHIM=%d\x00LONGHAUL_SLACK=%s\x00GOMAXPROCS=1\x00", os.Getpid(), slack(t)); environ != want {
		t.Errorf("got %q, want %q", environ, want)
	}
	r.Terminate(0)
	r.wait()
}

// The shim's idle threads may sleep long. Nobody else may.
func TestTheEnginesTimersAreAsExactAsTheWorkers(t *testing.T) {
	t.Parallel()
	pool := newPool(t, 1)
	r := start(t, pool, command("cat", "/proc/self/timerslack_ns"))
	if got, want := strings.TrimSpace(r.rest()), slack(t); got != want {
		t.Errorf("the engine's timers may be %s ns late, the worker's %s", got, want)
	}
	r.wait()

	r = start(t, pool, bad(processtest.Sleep)).ready()
	shim := process.ShimPID(r.Process)
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", shim))
	if err != nil || len(threads) < 2 {
		t.Fatalf("%d threads: %v", len(threads), err)
	}
	for _, thread := range threads {
		want := "50000000"
		if thread.Name() == strconv.Itoa(shim) {
			want = slack(t)
		}
		got := read("/proc/" + thread.Name() + "/timerslack_ns")
		if got == "" {
			const why = "SKIPPED, NOT PASSED: CAP_SYS_NICE is missing, which looking at the timer slack of a shim's threads takes"
			if os.Getenv("LONGHAUL_REQUIRE_SYS_NICE") != "" {
				t.Error(why)
			}
			fmt.Fprintln(os.Stderr, "pkg/process: "+t.Name()+": "+why) // go test hides what a test logs
			break
		}
		if strings.TrimSpace(got) != want {
			t.Errorf("thread %s of shim %d: got %s, want %s", thread.Name(), shim, got, want)
		}
	}
	r.Terminate(0)
	r.wait()
}

// A worker's timers may be late, in the one process that was started; its engines' may not.
func TestACalmWorkerIsTheSameProcessAndItsEnginesHaveTheUsualTimers(t *testing.T) {
	t.Parallel()
	h := startHelper(t, "calm")
	usual, err := strconv.Atoi(slack(t))
	if err != nil {
		t.Fatal(err)
	}
	if pid, own := h.number(), h.number(); pid != h.Process.Pid || own != max(usual, 500_000) {
		t.Errorf("process %d, as which %d was started, has a slack of %d ns", pid, h.Process.Pid, own)
	}
	if left := h.number(); left != 0 {
		t.Errorf("its environment still holds a slack of %d", left)
	}
	if percent, left := h.number(), h.number(); percent != 400 || left != 0 {
		t.Errorf("its collector waits until the heap has grown by %d %%, and its environment holds a GOGC of %d", percent, left)
	}
	if engine := h.number(); engine != usual {
		t.Errorf("its engine's timers may be %d ns late, not %d", engine, usual)
	}
}

// slack is by how many ns the kernel may let a timer of this program be late.
func slack(t *testing.T) string {
	ns, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(ns)
}
