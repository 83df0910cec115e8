package warm_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/longhaul/longhaul/pkg/process/processtest"
)

// What a cold engine may do, a warm one may: pkg/process has the same for processes that were executed.

const forever = "\nwhile True: signal.pause()\n"

func TestAWarmEngineIsEnded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		main   string
		grace  time.Duration
		signal syscall.Signal
		code   int
	}{
		"one that ends in its grace": {"import signal, sys\nsignal.signal(15, lambda *_: sys.exit(7))\nprint('ready')" + forever, processtest.Patience, 0, 7},
		"one that ignores SIGTERM":   {"import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('ready')" + forever, 100 * time.Millisecond, syscall.SIGKILL, -1},
		"one that knows no SIGTERM":  {"import signal\nprint('ready')" + forever, processtest.Patience, syscall.SIGTERM, -1},
		"one that has no grace":      {"import signal\nprint('ready')" + forever, 0, syscall.SIGKILL, -1},
		"one that stops itself":      {"import signal, os\nprint('ready')\nos.kill(os.getpid(), signal.SIGSTOP)" + forever, processtest.Patience, syscall.SIGTERM, -1},
		"one that closed its stdout": {"import signal, os\nprint('ready')\nos.close(1); os.close(2)" + forever, processtest.Patience, syscall.SIGTERM, -1},
		"one that became another":    {"import os\nprint('ready')\nos.execvp('sleep', ['sleep', '1000'])", processtest.Patience, syscall.SIGTERM, -1},
		"one with children that are deaf": {
			"import signal, os\nsignal.signal(15, signal.SIG_IGN)\nif os.fork() == 0: os.setsid(); signal.pause()\nif os.fork() == 0: signal.pause()\nprint('ready')" + forever,
			50 * time.Millisecond, syscall.SIGKILL, -1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, test.main, "").warm(1).startReady()
			r.Terminate(test.grace)
			exit := r.wait()
			if exit.Signal != test.signal || exit.Code != test.code {
				t.Errorf("got %v", exit)
			}
			if waited := exit.KillSentAt.Sub(exit.TermSentAt); test.grace > 0 && test.signal == syscall.SIGKILL && waited < test.grace {
				t.Errorf("killed %v after SIGTERM, which is less than the grace", waited)
			}
		})
	}
}

func (s *stand) startReady() *run {
	s.t.Helper()
	r := s.startWarm(s.command())
	if line := r.line(); line != "ready" {
		s.t.Fatalf("got %q, want ready", line)
	}
	return r
}

func TestWhatAWarmEngineLeavesBehindIsFoundAndEnded(t *testing.T) {
	t.Parallel()
	const twice = "import os, signal, sys, time\nr, w = os.pipe()\nif os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n"
	const rest = "    os.write(w, b'%d\\n' % os.getpid())\n    time.sleep(1000)\nprint(os.read(r, 100).decode(), end='')\n"
	for name, main := range map[string]string{
		"a daemon":                         twice + "    [os.close(i) for i in range(4)]\n" + rest,
		"one that holds the pipes":         twice + rest,
		"one that ignores SIGTERM":         twice + "    signal.signal(15, signal.SIG_IGN)\n" + rest,
		"one that was executed":            "import subprocess\nprint(subprocess.Popen(['sleep', '1000'], start_new_session=True).pid)\n",
		"one without its environment left": "import subprocess\nprint(subprocess.Popen(['sleep', '1000'], env={}).pid)\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, main, "")
			r := s.startWarm(s.command())
			left := r.number()
			exit := r.wait()
			if processtest.Alive(left) {
				t.Errorf("%d is alive", left)
			}
			if exit.Code != 0 || exit.Leftovers != 1 {
				t.Errorf("want an exit with 0 and one leftover, got %+v", exit)
			}
		})
	}
}

func TestHugeOutputOfAWarmEngineIsWhole(t *testing.T) {
	t.Parallel()
	s := open(t, "import sys\nfor i in range(400): sys.stdout.write('x' * 49999 + '\\n')\n", "")
	out, exit := s.startWarm(s.command()).whole()
	if len(out) != 20_000_000 || strings.Count(out, "\n") != 400 || !exit.Success() {
		t.Errorf("%d bytes, %v", len(out), exit)
	}
}

func TestAWarmEngineKilledFromOutsideIsNotTakenForOurKill(t *testing.T) {
	t.Parallel()
	r := open(t, "import signal\nprint('ready')"+forever, "").startReady()
	kill(t, r.PID(), syscall.SIGKILL)
	if exit := r.wait(); exit.Signal != syscall.SIGKILL || !exit.KillSentAt.IsZero() || exit.ShimLost {
		t.Errorf("want killed, and not by us, got %+v", exit)
	}
}

// The worst for the sweep: in sessions of their own, and nobody of them was executed, so the kernel shows the environment of the launcher.
func TestAKilledShimTakesAWarmEngineAlong(t *testing.T) {
	t.Parallel()
	s := open(t, "import os, signal\nfor _ in range(2):\n    if os.fork() == 0:\n        os.setsid()\n        break\nos.write(1, b'%d\\n' % os.getpid())"+forever, "")
	r := s.startWarm(s.command())
	pids := []int{r.number(), r.number(), r.number()}
	kill(t, parent(r.PID()), syscall.SIGKILL)
	if exit := r.wait(); !exit.ShimLost {
		t.Errorf("want lost, got %+v", exit)
	}
	for _, pid := range pids {
		if processtest.Alive(pid) {
			t.Errorf("%d is alive", pid)
		}
	}
	if out, _ := s.startWarm(s.command()).line(), 0; out == "" {
		t.Error("the next did not start")
	}
}

func kill(t testing.TB, pid int, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatal(err)
	}
}
