"""Run the engine as the runner does: its own process, an output directory, a result file, events on fd 3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable

HOME = Path(__file__).resolve().parent.parent
SAMPLE = HOME / "data" / "messages.csv"
sys.path.insert(0, str(HOME / "src"))
sys.path.insert(0, str(HOME / "tools"))

THE_COMMAND = "voice-of-customer --analysis-type topic-based --multi-agent --time-period week --ai-model openai --generate-gamma".split()


class Engine:
    """One started engine; .out and .err are what it printed, .events what it sent."""

    def __init__(self, args: list[str], directory: Path, env: "dict[str, str] | None" = None, stdin: bytes = b"") -> None:
        self.output = directory / "artifacts"
        self.result_file = directory / "result.json"
        read_end, write_end = os.pipe()
        environment = {
            "PATH": os.environ["PATH"],
            "EXECUTION_ID": "exec_1762548673499_vqx7d3cpo",
            "EXECUTION_ATTEMPT": "1",
            "EXECUTION_OUTPUT_DIR": str(self.output),
            "EXECUTION_RESULT_FILE": str(self.result_file),
            "EXECUTION_EVENTS_FD": "3",
            "PYTHONUNBUFFERED": "1",
            **(env or {}),
        }
        # The pipe may have any number here; the engine finds it as fd 3.
        starter = f"exec 3>&{write_end}; exec \"$0\" \"$@\""
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", starter, sys.executable, "src/main.py", *args],
            cwd=HOME, env=environment, pass_fds=[write_end], start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.close(write_end)
        self.lines: list[str] = []
        self.seen = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(os.fdopen(read_end),))
        self._reader.start()
        assert self.process.stdin
        self.process.stdin.write(stdin)
        self.process.stdin.close()
        self.process.stdin = None

    def _read(self, pipe: Any) -> None:
        with pipe:
            for line in pipe:
                with self.seen:
                    self.lines.append(line)
                    self.seen.notify_all()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], timeout: float = 30) -> None:
        """Return once such an event was seen."""
        with self.seen:
            if not self.seen.wait_for(lambda: any(wanted(e) for e in self.events), timeout):
                raise AssertionError(f"no such event within {timeout} s: {self.lines[-5:]}")

    def finish(self, timeout: float = 60) -> int:
        out, err = self.process.communicate(timeout=timeout)
        self._reader.join(10)
        self.out, self.err = out.decode(), err.decode()
        return self.process.returncode

    @property
    def result(self) -> dict[str, Any]:
        return json.loads(self.result_file.read_text(encoding="utf-8"))

    def artifact(self, name: str) -> str:
        return (self.output / name).read_text(encoding="utf-8")


class EngineTest(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.directory = Path(holder.name)

    def start(self, *args: str, **more: Any) -> Engine:
        return Engine(list(args), self.directory, **more)

    def run_engine(self, *args: str, **more: Any) -> Engine:
        engine = self.start(*args, **more)
        self.code = engine.finish()
        return engine

    def write(self, name: str, content: str) -> str:
        path = self.directory / name
        path.write_text(content, encoding="utf-8")
        return str(path)


class FakeModel:
    """A chat-completions endpoint on loopback. `answer(body)` returns (HTTP status, content)."""

    def __init__(self, answer: Callable[[dict[str, Any]], "tuple[int, str]"]) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.asked.append(body)
                fake.keys.append(self.headers.get("Authorization", ""))
                status, content = answer(body)
                reply = json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
