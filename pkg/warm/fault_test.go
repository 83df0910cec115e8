package warm_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/process/processtest"
)

const waits = "import signal\nprint('ready')" + forever

func TestAnEngineOutlivesItsLauncher(t *testing.T) {
	t.Parallel()
	for name, victim := range map[string]func(*stand) int{
		"that is killed":       (*stand).template,
		"whose shim is killed": func(s *stand) int { return parent(s.template()) },
		"that is terminated":   nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, "import signal, sys\nsignal.signal(15, lambda *_: (print('done'), sys.exit()))\nprint('ready')"+forever, "")
			r := s.startReady()
			s.warm(1)
			first := s.template()
			if victim != nil {
				kill(t, victim(s), syscall.SIGKILL)
			} else {
				kill(t, first, syscall.SIGTERM)
			}
			processtest.Eventually(t, "another launcher", func() bool { now := s.template(); return now != 0 && now != first })
			processtest.Eventually(t, "told", func() bool { return s.seen.of(s.seen.recycled, "lost") == 1 })
			if n := s.log.count("launcher was lost"); n != 1 {
				t.Errorf("told %d times:\n%s", n, s.log)
			}
			s.startReady().Terminate(0)
			r.Terminate(processtest.Patience)
			if out, exit := r.whole(); out != "done\n" || !exit.Success() {
				t.Errorf("the engine that ran meanwhile: %q, %v", out, exit)
			}
		})
	}
}

func TestAProcessThatDiesWhileItWaitsIsReplaced(t *testing.T) {
	t.Parallel()
	for name, victim := range map[string]func(*stand) int{
		"itself":   (*stand).waiting,
		"its shim": func(s *stand) int { return parent(s.waiting()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, waits, "").warm(1)
			old := s.waiting()
			kill(t, victim(s), syscall.SIGKILL)
			processtest.Eventually(t, "dead", func() bool { return !processtest.Alive(old) })
			processtest.Eventually(t, "another one", func() bool { now := s.waiting(); return now != 0 && now != old })
			s.startReady()
		})
	}
}

func TestAProcessThatDiesAtTheMomentOfItsStartCostsAColdStart(t *testing.T) {
	t.Parallel()
	s := open(t, "print('x')", "").warm(1)
	shim := parent(s.waiting())
	kill(t, shim, syscall.SIGSTOP) // so that it notices nothing until it has been given the start
	kill(t, s.waiting(), syscall.SIGKILL)
	resumed := make(chan struct{})
	go func() {
		defer close(resumed)
		<-time.After(100 * time.Millisecond)
		_ = syscall.Kill(shim, syscall.SIGCONT)
	}()
	r := s.start(s.command())
	<-resumed
	if r.Warm() || !strings.Contains(r.Cold(), "has died") {
		t.Errorf("warm %v, cold since %q", r.Warm(), r.Cold())
	}
	if out, exit := r.whole(); out != "x\n" || !exit.Success() {
		t.Errorf("%q, %v", out, exit)
	}
}

func TestWhatCannotBeForkedIsStartedColdAndToldOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		heavy, why string
		keys       []string
	}{
		"an error": {"import no_such_module\n", "No module named 'no_such_module'", nil},
		"an exit":  {"import sys\nsys.exit('no')\n", "SystemExit: no", nil},
		"a crash":  {"import os\nos.abort()\n", "exited before it was ready", nil},
		// Five seconds are enough for the other import on a busy machine.
		"an endless one":   {"import time\ntime.sleep(1000)\n", "takes longer than warm.import_timeout, 5s", []string{"import_timeout: 5s"}},
		"threads":          {"import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), name='pump', daemon=True).start()\n", "started 1 threads (pump)", nil},
		"a socket":         {"import socket\ns = socket.socket()\n", "has left socket:[", nil},
		"a file":           {"f = open(__file__ + '.log', 'w')\n", "heavy.py.log open", nil},
		"shared memory":    {"import mmap\nm = mmap.mmap(-1, 4096)\n", "memory that processes share", nil},
		"too much memory":  {"x = bytearray(100 << 20)\n", "more than warm.max_memory", []string{"max_memory: 50MiB"}},
		"one deaf to TERM": {"import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(1000)\n", "import_timeout", []string{"import_timeout: 5s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, "print('x')", test.heavy, test.keys...)
			processtest.Eventually(t, "the launcher's failure", func() bool { return s.log.count("cannot be kept warm") > 0 })
			r := s.start(s.command())
			if r.Warm() || !strings.Contains(r.Cold(), test.why) {
				t.Errorf("warm %v, cold since %q, want %q", r.Warm(), r.Cold(), test.why)
			}
			if out, exit := r.whole(); out != "x\n" || !exit.Success() {
				t.Errorf("the cold start: %q, %v, %s", out, exit, r.stderr)
			}
			if strings.Contains(r.Cold(), "Traceback") {
				t.Errorf("callers are shown more than the reason: %s", r.Cold())
			}
			write(t, s.dir, "heavy.py", "")
			s.startWarm(s.command()).wait()
			if bad, good := s.log.count("cannot be kept warm"), s.log.count("kept warm again"); bad != 1 || good != 1 {
				t.Errorf("told %d times, mended %d times:\n%s", bad, good, s.log)
			}
			if s.seen.of(s.seen.starts, "fallback") != 1 || s.seen.of(s.seen.starts, "warm") != 1 {
				t.Errorf("starts: %v", s.seen.starts)
			}
		})
	}
}

func TestALongRefusalInAnyScriptArrives(t *testing.T) {
	t.Parallel()
	s := open(t, "print('x')", "raise ValueError('\U0001f600' * 4000)")
	processtest.Eventually(t, "the launcher's failure", func() bool { return s.log.count("cannot be kept warm") > 0 })
	if why := s.start(s.command()).Cold(); !strings.Contains(why, "import: ValueError: \U0001f600") {
		t.Errorf("cold since %.200q", why)
	}
}

// What an import gives to atexit is each execution's, and not the launcher's.
func TestALauncherThatCannotForkEndsWithoutCeremony(t *testing.T) {
	t.Parallel()
	s := open(t, "print('x')", "import os, atexit\natexit.register(lambda: open('ceremony', 'w'))\ndef no():\n    raise BlockingIOError(11, 'no more processes')\nos.fork = no\n")
	processtest.Eventually(t, "its loss", func() bool { return s.log.count("launcher was lost") > 0 })
	if s.log.count("no more processes") == 0 {
		t.Errorf("nothing says why:\n%s", s.log)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "ceremony")); err == nil {
		t.Error("it ran what was meant for the end of an execution")
	}
	r := s.start(s.command())
	if out, exit := r.whole(); r.Warm() || out != "x\n" || !exit.Success() {
		t.Errorf("warm %v, %q, %v", r.Warm(), out, exit)
	}
}

func TestAProcessThatCannotTakeAnIDIsNotLeftWaiting(t *testing.T) {
	t.Parallel()
	s := open(t, "import os\nprint(os.environ['EXECUTION_ID'])", "").warm(1)
	waiting, c := s.waiting(), s.command()
	long := c.ExecutionID + strings.Repeat("x", 96)
	c.Env[slices.Index(c.Env, "EXECUTION_ID="+c.ExecutionID)] = "EXECUTION_ID=" + long
	c.ExecutionID = long
	r := s.start(c)
	if out, _ := r.whole(); r.Warm() || out != long+"\n" {
		t.Errorf("warm %v, %q", r.Warm(), out)
	}
	processtest.Eventually(t, "its end", func() bool { return !processtest.Alive(waiting) })
}

func TestMoreAtOnceThanAreReadyStartColdAndSaySo(t *testing.T) {
	t.Parallel()
	s := open(t, waits, "", "max_executions: 1", "import_timeout: 30s").warm(1)
	s.startReady()
	r := s.start(s.command()) // the next launcher is still importing
	if r.Warm() || !strings.Contains(r.Cold(), "in use") {
		t.Errorf("warm %v, cold since %q", r.Warm(), r.Cold())
	}
	if r.line() != "ready" {
		t.Error("the cold one does not run")
	}
}

func TestARequestForAnotherInterpreterIsStartedCold(t *testing.T) {
	t.Parallel()
	s := open(t, "import os\nprint(os.environ['PYTHONIOENCODING'], 'ä')", "").warm(1)
	r := s.start(s.commandOf(&execution.Spec{Engine: "e", Env: map[string]string{"PYTHONIOENCODING": "latin-1"}}))
	if r.Warm() || !strings.Contains(r.Cold(), "PYTHONIOENCODING") {
		t.Errorf("warm %v, cold since %q", r.Warm(), r.Cold())
	}
	if out, _ := r.whole(); out != "latin-1 \xe4\n" {
		t.Errorf("%q", out)
	}
	if s.seen.of(s.seen.starts, "cold") != 1 {
		t.Errorf("starts: %v", s.seen.starts)
	}
}

func TestALauncherIsReplacedAfterItsExecutions(t *testing.T) {
	t.Parallel()
	s := open(t, "import heavy\nprint(heavy.launcher)", "import os\nlauncher = os.getpid()\n", "max_executions: 2").warm(1)
	launchers := map[string]int{}
	for range 4 {
		out, _ := s.startWarm(s.command()).whole()
		launchers[out]++
	}
	for pid, n := range launchers {
		if n != 2 {
			t.Errorf("launcher %s forked %d executions, want 2", pid, n)
		}
	}
	processtest.Eventually(t, "the old ones are gone", func() bool { return len(s.family()) <= 2 })
	if n := s.seen.of(s.seen.recycled, "executions"); n < 1 {
		t.Errorf("recycled %d", n)
	}
}

func TestALauncherThatGrowsIsReplaced(t *testing.T) {
	t.Parallel()
	s := open(t, waits, "import signal\ndef grow(*_):\n    global x\n    x = bytearray(100 << 20)\nsignal.signal(signal.SIGUSR1, grow)\n", "max_memory: 80MiB").warm(1)
	first := s.template()
	if idle := s.seen.memory(); idle < 5<<20 || idle > 80<<20 {
		t.Errorf("idle memory is %d", idle)
	}
	kill(t, first, syscall.SIGUSR1)
	processtest.Eventually(t, "another launcher", func() bool { now := s.template(); return now != 0 && now != first })
	processtest.Eventually(t, "told", func() bool { return s.seen.of(s.seen.recycled, "memory") == 1 })
}

func TestCloseEndsLaunchersAndAllTheyForked(t *testing.T) {
	t.Parallel()
	s := open(t, "import os, signal\nsignal.signal(15, signal.SIG_IGN)\nif os.fork() == 0: signal.pause()\nprint('ready')"+forever, "", "max_executions: 2")
	r := s.startReady()
	s.warm(1)
	family := s.family()
	if len(family) < 4 { // two of the execution, one that waits, the launcher
		t.Fatalf("only %v", family)
	}
	s.end()
	if !processtest.Alive(r.PID()) {
		t.Error("the end of Run is not that of executions")
	}
	if err := s.keeper.Close(t.Context()); err != nil {
		t.Error(err)
	}
	processtest.Within(t, r.Gone(), "the end of the execution")
	for _, pid := range family {
		processtest.Eventually(t, fmt.Sprintf("%d is dead", pid), func() bool { return !processtest.Alive(pid) })
	}
}

func TestEverythingWarmDiesWithTheWorker(t *testing.T) {
	t.Parallel()
	worker := exec.Command(os.Args[0], "helper", "worker", t.TempDir())
	worker.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	worker.Stderr = os.Stderr
	out, err := worker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = worker.Process.Kill(); _ = worker.Wait() })
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(line)
	if len(pids) < 8 { // launcher, one that waits, one that runs, its two children, and the shims of all
		t.Fatalf("only %v", pids)
	}
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = worker.Wait()
	for _, field := range pids {
		pid, _ := strconv.Atoi(field)
		processtest.Eventually(t, field+" is dead", func() bool { return !processtest.Alive(pid) })
	}
}

// beWorker is a worker of its own with all kinds of processes, whose pids it prints.
func beWorker(dir string) {
	t := &testing.T{}
	ctx := context.Background()
	for name, content := range map[string]string{
		"heavy.py": "",
		"main.py":  "import os, signal\nsignal.signal(15, signal.SIG_IGN)\nfor _ in range(2):\n    if os.fork() == 0:\n        os.setsid()\n        break\nos.write(1, b'ready\\n')" + forever,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			panic(err)
		}
	}
	s, err := newStand(t, dir, catalogFor("main.py"), filepath.Join(dir, "launcher"))
	if err != nil {
		panic(err)
	}
	go func() { _ = s.keeper.Run(ctx, s.launcher) }()
	s.warm(1)
	p, err := s.keeper.Start(ctx, s.command())
	if err != nil || !p.Warm() {
		panic(fmt.Sprint(err, p.Cold()))
	}
	read := bufio.NewReader(p.Stdout())
	for range 3 {
		_, _ = read.ReadString('\n')
	}
	s.warm(1)
	found := map[int]bool{}
	for _, pid := range s.family() {
		found[pid], found[parent(pid)] = true, true
	}
	delete(found, os.Getpid())
	for pid := range found {
		fmt.Print(pid, " ")
	}
	fmt.Println()
	<-make(chan struct{})
}
