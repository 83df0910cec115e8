package warm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/process"
)

// A warm run must not be told from a cold one by what it prints and how it ends.
func TestAWarmRunIsAColdRun(t *testing.T) {
	t.Parallel()
	const heavy = "import atexit\natexit.register(lambda: print('registered at import'))\n"
	for name, main := range map[string]string{
		"arguments, folder, path": `
			import os, sys
			print(sys.argv, os.getcwd(), sys.path[:2], sys.orig_argv if hasattr(sys, "orig_argv") else "")
			print(__name__, __file__, __spec__, __package__, __doc__, __builtins__.__name__, __loader__.path)
			print(sys.modules["__main__"].__dict__ is globals(), sorted(k for k in globals() if not k.startswith("__")))`,
		"environment": `
			import os, ctypes, subprocess
			libc = ctypes.CDLL(None); libc.getenv.restype = ctypes.c_char_p
			show = lambda e: sorted(v for v in e.items() if v[0] != "EXECUTION_ID")
			print(show(os.environ), show({k.decode(): v for k, v in os.environb.items()}))
			print([libc.getenv(n.encode()) for n in ("SECRET", "FROM_CATALOG", "PATH", "NONE")])
			print(sorted(l for l in subprocess.check_output(["env"]).decode().splitlines() if not l.startswith("EXECUTION_ID")))`,
		"standard input":  `import sys; print(repr(sys.stdin.read()), sys.stdin.encoding, sys.stdin.isatty())`,
		"streams":         `import sys; print([(f.encoding, f.errors, f.line_buffering, f.write_through, f.isatty(), f.fileno(), f.name, f.mode) for f in (sys.stdin, sys.stdout, sys.stderr)])`,
		"events":          `import os; os.write(int(os.environ["EXECUTION_EVENTS_FD"]), b'{"type":"progress"}\n')`,
		"exit code":       `import sys; sys.exit(7)`,
		"exit text":       `raise SystemExit("no more")`,
		"exit at once":    `import os; print("x", flush=True); os._exit(9)`,
		"an exception":    "def f():\n    raise ValueError('bad')\ndef g():\n    f()\ng()",
		"one in another":  "try:\n    1/0\nexcept ZeroDivisionError:\n    raise RuntimeError('worse')",
		"own hook":        "import sys\nsys.excepthook = lambda t, e, tb: print('hook', t, e, tb.tb_lineno, tb.tb_next)\n1/0",
		"syntax":          "def f(:\n",
		"interrupt":       `raise KeyboardInterrupt`,
		"assertion":       "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
		"exits run":       `import heavy, atexit, threading, time; atexit.register(print, "own"); threading.Thread(target=lambda: (time.sleep(.1), print("thread"))).start()`,
		"future":          "from __future__ import annotations\ndef f(a: nonsense): pass\nprint(f.__annotations__)",
		"no future":       "try:\n    def f(a: nonsense): pass\nexcept NameError as e:\n    print(e)",
		"encoding":        "# -*- coding: latin-1 -*-\nprint('\xe4')",
		"signals":         `import signal; print([(s, signal.getsignal(s)) for s in (signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP)], signal.pthread_sigmask(signal.SIG_BLOCK, []))`,
		"by a signal":     `import os, signal; os.kill(os.getpid(), signal.SIGUSR1)`,
		"abort":           `import os; os.abort()`,
		"descriptors":     `import os; print(sorted(int(f) for f in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + f)))`,
		"session":         `import os; print(os.getsid(0) == os.getpgrp() == os.getpid(), os.umask(0), os.nice(0))`,
		"threads, gc":     `import gc, threading; print(threading.active_count(), threading.current_thread(), threading.main_thread() is threading.current_thread(), gc.isenabled(), gc.get_threshold())`,
		"pickling main":   "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))) is A)",
		"spawned workers": "import multiprocessing as m\ndef f(x): return x * x\nif __name__ == '__main__':\n    with m.get_context('spawn').Pool(1) as p: print(p.map(f, [1, 2, 3]))",
		"forked workers":  "import multiprocessing as m\ndef f(x): return x * x\nif __name__ == '__main__':\n    with m.get_context('fork').Pool(2) as p: print(p.map(f, [1, 2, 3]))",
		"asyncio":         "import asyncio\nasync def f():\n    p = await asyncio.create_subprocess_exec('echo', 'sub', stdout=-1)\n    print(await p.communicate(), p.returncode)\nasyncio.run(f())",
		"child status":    `import subprocess; print(subprocess.run(["sh", "-c", "exit 3"]).returncode)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			imports := heavy
			if !strings.Contains(main, "heavy") {
				imports = "import random, logging"
			}
			compare(t, open(t, unindent(main), imports), "one", "two words")
		})
	}
}

func TestAWarmModuleIsAColdModule(t *testing.T) {
	t.Parallel()
	for name, main := range map[string]string{
		"what it sees": `import sys, os; print(sys.argv, sys.path[0] == os.getcwd(), __name__, __file__, __spec__.name, __package__)`,
		"an exception": "def f():\n    raise ValueError('bad')\nf()",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "heavy.py", "")
			write(t, dir, "mod.py", main)
			compare(t, openCatalog(t, dir, catalogFor("-X, dev, -m, mod, fixed")), "--more")
		})
	}
	t.Run("one that is not there", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, dir, "heavy.py", "")
		compare(t, openCatalog(t, dir, catalogFor("-m, none")))
	})
	t.Run("a script that is not there", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, dir, "heavy.py", "")
		compare(t, openCatalog(t, dir, catalogFor("none.py")))
	})
}

// compare runs the same cold and warm.
func compare(t *testing.T, s *stand, args ...string) {
	t.Helper()
	spec := func() process.Command {
		return s.commandOf(&execution.Spec{Engine: "e", Args: args, Input: []byte(`{"question":"ä"}`)})
	}
	cold := s.startCold(spec())
	coldOut, coldExit := cold.whole()
	warm := s.startWarm(spec())
	warmOut, warmExit := warm.whole()
	// Addresses are never the same.
	plain := func(s string) string {
		return regexp.MustCompile(`0x[0-9a-f]{6,}|started [0-9]+`).ReplaceAllString(s, "")
	}
	for what, is := range map[string][2]string{
		"stdout": {plain(coldOut), plain(warmOut)}, "stderr": {plain(cold.stderr.String()), plain(warm.stderr.String())},
		"events": {cold.events.String(), warm.events.String()}, "exit": {coldExit.String(), warmExit.String()},
	} {
		if is[0] != is[1] {
			t.Errorf("%s, cold:\n%s\nwarm:\n%s", what, is[0], is[1])
		}
	}
	if coldOut+cold.stderr.String()+cold.events.String() == "" && coldExit.Success() {
		t.Error("it said nothing, so nothing was compared")
	}
}

// unindent takes off what the first line is indented by.
func unindent(text string) string {
	text = strings.TrimPrefix(text, "\n")
	indent := text[:len(text)-len(strings.TrimLeft(text, "\t"))]
	return strings.ReplaceAll("\n"+text, "\n"+indent, "\n")[1:] + "\n"
}

func TestNothingOfOneExecutionReachesTheNext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "main.py", unindent(`
		import heavy, os, random, sys, uuid, tempfile, json
		seen = {"global": heavy.state, "module": hasattr(heavy, "added"), "modules": "colorsys" in sys.modules, "env": os.environ.get("LEFT"),
		        "cwd": os.getcwd(), "umask": os.umask(0), "open": sorted(os.listdir("/proc/self/fd"))[:5], "secret": os.environ.get("SECRET"),
		        "request": os.environ.get("FROM_REQUEST"), "path": len(sys.path), "argv": sys.argv}
		print(json.dumps(seen, sort_keys=True))
		print(random.random(), uuid.uuid4(), uuid.uuid1(), next(tempfile._get_candidate_names()), os.urandom(4).hex(), heavy.numpy.random.own.random(), heavy.torch.own.random())
		import colorsys
		heavy.state, heavy.added = "changed", True
		os.environ["LEFT"] = "1"; os.putenv("LEFT2", "1"); os.chdir("/"); os.umask(0o77); sys.path.append("/left")
		open("/dev/null"); os.open("/dev/null", 0)
	`))
	write(t, dir, "heavy.py", "import random, uuid, tempfile, os\nimport numpy.random, torch\nstate = 'fresh'\nrandom.seed(1)\nnext(tempfile._get_candidate_names())\n")
	// Like the real ones they have a generator that a fork takes along as it is, and a function to seed it anew.
	const generator = "import random\nown = random.Random(1)\nseed = own.seed\n"
	write(t, dir, "torch.py", generator)
	if err := os.Mkdir(filepath.Join(dir, "numpy"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "numpy/random.py", generator)
	s := openCatalog(t, dir, catalogFor("main.py"))
	command := func(value string) process.Command {
		return s.commandOf(&execution.Spec{Engine: "e", Env: map[string]string{"FROM_REQUEST": value}})
	}
	firstOut, _ := s.startWarm(command("same")).whole()
	secondOut, _ := s.startWarm(command("same")).whole()
	first, second := strings.SplitN(firstOut, "\n", 2), strings.SplitN(secondOut, "\n", 2)
	if first[0] != second[0] || !strings.Contains(first[0], `"hush"`) || !strings.Contains(first[0], `"same"`) {
		t.Errorf("the second is told from the first:\n%s\n%s", first[0], second[0])
	}
	numbers, again := strings.Fields(first[1]), strings.Fields(second[1])
	for i := range numbers {
		if numbers[i] == again[i] {
			t.Errorf("both drew %s", numbers[i])
		}
	}
	if out, _ := s.startWarm(s.commandOf(&execution.Spec{Engine: "e"})).whole(); strings.Contains(out, "same") {
		t.Errorf("a third sees what the others were given: %s", out)
	}
}

func TestNoSecretIsInTheLauncher(t *testing.T) {
	t.Parallel()
	s := open(t, "print('x')", "import os\nassert 'SECRET' not in os.environ\nassert os.environ['FROM_CATALOG'] == 'c'\n").warm(1)
	s.startWarm(s.command()).wait()
	for _, pid := range s.family() {
		if environ := read(fmt.Sprintf("/proc/%d/environ", pid)); strings.Contains(environ, "hush") {
			t.Errorf("process %d has the secret: %q", pid, environ)
		}
	}
}

func TestAFileThatTheImportReadsHasAPositionOfItsOwn(t *testing.T) {
	t.Parallel()
	s := open(t, "import heavy, os\nprint(os.read(heavy.f, 3))", "import os\nf = os.open(__file__, os.O_RDONLY)\nos.read(f, 7)\n# padding\n")
	first, _ := s.startWarm(s.command()).whole()
	if second, _ := s.startWarm(s.command()).whole(); first != "b'os\\n'\n" || second != first {
		t.Errorf("got %q, then %q", first, second)
	}
}

func TestLimitsHoldForAWarmProcess(t *testing.T) {
	t.Parallel()
	s := open(t, "import resource as r\nprint(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CPU), r.getrlimit(r.RLIMIT_CORE)[1] <= 1)", "")
	c := s.warm(1).command()
	c.Limits = process.Limits{OpenFiles: 77, CPUSeconds: 61}
	if out, _ := s.startWarm(c).whole(); out != "(77, 77) (61, 62) True\n" {
		t.Error(out)
	}
	c = s.warm(1).command()
	c.Limits = process.Limits{CPUSeconds: 1}
	write(t, s.dir, "main.py", "while True: pass\n")
	if exit := s.startWarm(c).wait(); exit.Signal != syscall.SIGXCPU {
		t.Errorf("want SIGXCPU, got %v", exit)
	}
}

func TestUsageIsThatOfTheExecution(t *testing.T) {
	t.Parallel()
	s := open(t, "import time\nx = bytearray(60 << 20)\nend = time.process_time() + .3\nwhile time.process_time() < end: pass\n", "import time\nwhile time.process_time() < 1: pass\n")
	exit := s.startWarm(s.command()).wait()
	if exit.PeakMemory < 60<<20 || exit.PeakMemory > 300<<20 {
		t.Errorf("peak is %d MiB", exit.PeakMemory>>20)
	}
	if used := exit.CPUUser + exit.CPUSystem; used.Seconds() < .3 || used.Seconds() > .9 {
		t.Errorf("used %v: the import's second is not to be counted, 0.3 s is", used)
	}
}

func TestALargeRequestArrivesWhole(t *testing.T) {
	t.Parallel()
	s := open(t, "import os, sys\nprint(len(sys.argv), sum(map(len, sys.argv[1:])), len(sys.stdin.buffer.read()), os.readlink('/proc/self/fd/0').split(':')[0])", "")
	args := make([]string, 20)
	for i := range args {
		args[i] = strings.Repeat("x", 50<<10)
	}
	c := s.warm(1).command(args...)
	c.Stdin = make([]byte, 1<<20)
	if out, _ := s.startWarm(c).whole(); out != "21 1024000 1048576 pipe\n" {
		t.Error(out)
	}
	if out, _ := s.startWarm(s.warm(1).command(args...)).whole(); out != "21 1024000 0 /dev/null\n" {
		t.Error(out)
	}
}
