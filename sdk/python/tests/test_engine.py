"""longhaul.engine, in a child process with a pipe on fd 3, as the worker gives it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent


class Engines(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        for name in ("out", "keep"):
            (self.dir / name).mkdir()

    def start(self, code, by_hand=False, fd=True):
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), "PYTHONUNBUFFERED": "1"}
        env["PYTHONWARNINGS"] = "ignore::DeprecationWarning"  # of forks beside threads, which are meant here
        if not by_hand:
            env.update(
                EXECUTION_ID="exec_1",
                EXECUTION_ATTEMPT="2",
                EXECUTION_EVENTS_FD="3",
                EXECUTION_OUTPUT_DIR=str(self.dir / "out"),
                EXECUTION_RESULT_FILE=str(self.dir / "result"),
                EXECUTION_CHECKPOINT_DIR=str(self.dir / "keep"),
                EXECUTION_DEADLINE="2000-01-01T00:00:10.000Z",
            )
        self.pipe, write = os.pipe()
        self.addCleanup(os.close, self.pipe)
        # A shell puts the pipe on 3, as preexec_fn is not for programs with threads.
        to3 = f"exec 3>&{write} {write}>&-; " if fd and write != 3 else ""
        child = subprocess.Popen(
            ["sh", "-c", f'{to3}exec "$0" -c "$1"', sys.executable, "from longhaul import engine\n" + code],
            env=env,
            cwd=self.dir,
            pass_fds=[write],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        os.close(write)
        self.addCleanup(child.kill)
        return child

    def run_engine(self, code, stdin=b"", **how):
        child = self.start(code, **how)
        out, err = child.communicate(stdin, timeout=60)
        self.assertEqual(err, b"")
        return child.returncode, out.decode()

    def events(self):
        data = b""
        while piece := os.read(self.pipe, 65536):
            data += piece
        return [json.loads(line) for line in data.splitlines()]

    def test_speaks_the_contract(self):
        code = """
engine.progress(140.5, "half"); engine.progress(message="on")
engine.agent("writer", "running", model="m"); engine.redact("secret-value")
engine.artifact("a/report.md", "# é"); engine.artifact("b.bin", b"\\0", kind="x")
engine.event("tool", path=engine.output_dir / "a")
engine.result({"n": 1}); engine.result({"n": 2})
print(engine.input(), engine.input()["q"], engine.attempt, engine.execution_id, engine.deadline.isoformat(), engine.remaining() < 0)
"""
        self.assertEqual(self.run_engine(code, b'{"q": 7}'), (0, "{'q': 7} 7 2 exec_1 2000-01-01T00:00:10+00:00 True\n"))
        self.assertEqual(
            self.events(),
            [
                {"type": "progress", "percent": 100.0, "message": "half"},
                {"type": "progress", "message": "on"},
                {"type": "agent", "name": "writer", "status": "running", "model": "m"},
                {"type": "redact", "value": "secret-value"},
                {"type": "artifact", "path": "a/report.md"},
                {"type": "artifact", "path": "b.bin", "kind": "x"},
                {"type": "tool", "path": str(self.dir / "out/a")},
            ],
        )
        self.assertEqual((self.dir / "out/a/report.md").read_text(), "# é")
        self.assertEqual(json.loads((self.dir / "result").read_text()), {"n": 2})
        self.assertEqual(sorted(p.name for p in self.dir.rglob("*") if p.is_file()), ["b.bin", "report.md", "result"])

    def test_is_quiet_by_hand_and_where_the_pipe_is_missing(self):
        code = """
engine.progress(1); engine.result(1); engine.checkpoint.save(1)
print(engine.input("none"), engine.checkpoint.load("none"), engine.deadline, engine.remaining(), engine.attempt)
print(engine.artifact("x", "y").read_text())
"""
        self.assertEqual(self.run_engine(code, by_hand=True), (0, "none none None inf 1\ny\n"))
        # The variable is there, and on 3 is a file of somebody else's.
        self.assertEqual(self.run_engine("f = open('mine', 'w'); print(f.fileno()); engine.progress(1)", fd=False), (0, "3\n"))
        self.assertEqual((self.dir / "mine").read_text(), "")
        self.assertEqual(self.events(), [])

    def test_a_reader_that_has_gone_away_is_no_reason_to_stop(self):
        code = "import os; r, w = os.pipe(); os.dup2(w, 3); os.close(w); os.close(r); engine.progress(1); print('on')"
        self.assertEqual(self.run_engine(code), (0, "on\n"))

    def test_threads_and_processes_do_not_tear_lines(self):
        code = """
import os, threading
def speak(who, size, n):
    for i in range(n): engine.event("x", who=who, i=i, pad="p" * size)
threads = [threading.Thread(target=speak, args=(f"long{t}", 20000, 20)) for t in range(4)]
for t in threads: t.start()
for t in threads: t.join()
children = []
for c in range(4):
    if not (pid := os.fork()):
        speak(f"child{c}", 3000, 100); os._exit(0)
    children.append(pid)
for pid in children: os.waitpid(pid, 0)
"""
        import threading

        got = []
        child = self.start(code)
        reader = threading.Thread(target=lambda: got.extend(self.events()))
        reader.start()
        _, err = child.communicate(timeout=60)
        reader.join(60)
        self.assertEqual(err, b"")
        for who, n in [(f"long{t}", 20) for t in range(4)] + [(f"child{c}", 100) for c in range(4)]:
            self.assertEqual([e["i"] for e in got if e["who"] == who], list(range(n)))

    def test_a_fork_while_another_thread_speaks_can_speak_too(self):
        code = """
import os
with engine._turn:
    import threading
    def fork():
        pid = os.fork()
        if not pid: engine.progress(50); os._exit(0)
        os.waitpid(pid, 0)
    t = threading.Thread(target=fork); t.start(); t.join()
"""
        self.assertEqual(self.run_engine(code)[0], 0)
        self.assertEqual(len(self.events()), 1)

    def test_a_checkpoint_is_whole_however_often_it_is_killed(self):
        code = """
import sys
n = engine.checkpoint.load({"n": 0, "pad": ""})["n"]
print(n, flush=True)
while True:
    n += 1
    engine.checkpoint.save({"n": n, "pad": "p" * 200000})
"""
        last = -1
        for _ in range(5):
            child = self.start(code)
            now = int(child.stdout.readline())
            self.assertGreaterEqual(now, last)
            last = now
            while not (self.dir / "keep/checkpoint.json").exists():
                self.assertIsNone(child.poll())
            child.kill()
            child.communicate()
        self.assertGreater(json.loads((self.dir / "keep/checkpoint.json").read_text())["n"], 0)

    def test_cancelled_is_a_flag(self):
        child = self.start("import time\nassert not engine.cancelled(); print('ready')\nwhile not engine.cancelled(): time.sleep(0.01)\nprint('bye')")
        child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        self.assertEqual((child.communicate(timeout=60)[0], child.returncode), (b"bye\n", 0))

    def test_on_cancel_calls_and_ends_with_143(self):
        code = """
import signal
engine.on_cancel(lambda: engine.result({"status": "partial"}))
try:
    print("ready")
    while True: signal.pause()
finally:
    print("finally", engine.cancelled())
"""
        child = self.start(code)
        child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=60)
        self.assertEqual((out, err, child.returncode), (b"finally True\n", b"", 143))
        self.assertEqual(json.loads((self.dir / "result").read_text()), {"status": "partial"})

    def test_only_the_main_thread_can_begin_to_listen(self):
        code = """
import threading
def ask():
    try: engine.cancelled()
    except RuntimeError as e: print("main thread" in str(e))
t = threading.Thread(target=ask); t.start(); t.join()
"""
        self.assertEqual(self.run_engine(code), (0, "True\n"))
