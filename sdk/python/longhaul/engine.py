"""For programs that Longhaul runs: progress, agents, files, a result, checkpoints, the stop.

    from longhaul import engine

    engine.progress(40, "reading")
    engine.agent("writer", "running")
    engine.artifact("report.md", "# Report")
    engine.result({"topics": 12})

No program needs this: it only speaks the contract of docs/engines.md. Run by hand, it is quiet: events and results
go nowhere, files go to ./outputs, checkpoints are not kept. All of it may be called from any thread. The environment
is looked at when it is needed, not at import, so a warm engine may import this module beforehand.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import select
import signal
import stat
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Union

if TYPE_CHECKING:
    output_dir: Path  # what is in it is kept as artifacts
    deadline: Optional[datetime]  # when the timeout ends this attempt
    execution_id: str  # "" by hand
    attempt: int  # 1, or more after on_interrupt: requeue

# Threads take turns, since a line of more than PIPE_BUF (4096 bytes) goes out in several pieces. Shorter ones are
# one write(2) each, which no other process can tear. Reentrant, since a handler of on_cancel may send events too.
_turn = threading.RLock()


def _new_turn() -> None:
    global _turn
    _turn = threading.RLock()


os.register_at_fork(after_in_child=_new_turn)  # another thread may have held it


def __getattr__(name: str) -> Any:
    if name == "output_dir":
        folder = Path(os.environ.get("EXECUTION_OUTPUT_DIR") or "outputs")
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    if name == "deadline":
        text = os.environ.get("EXECUTION_DEADLINE")
        return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    if name == "execution_id":
        return os.environ.get("EXECUTION_ID", "")
    if name == "attempt":
        return int(os.environ.get("EXECUTION_ATTEMPT") or 1)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def event(type: str, **data: Any) -> None:
    """Sends an event of any type. Values that JSON does not know are sent as text."""
    fd = _pipe()
    if fd is None:
        return
    line = json.dumps({"type": type, **data}, default=str).encode() + b"\n"
    with _turn:
        _write(fd, line)


def progress(percent: Optional[float] = None, message: str = "", **more: Any) -> None:
    """Says how far it is, from 0 to 100, and what it does. None leaves the percentage open."""
    if percent is not None:
        more["percent"] = max(0.0, min(100.0, float(percent)))
    if message:
        more["message"] = message
    event("progress", **more)


def agent(name: str, status: str, **more: Any) -> None:
    """Puts a card of that name on the board: status is running, completed, failed, or a word of your own."""
    event("agent", name=name, status=status, **more)


def redact(value: str) -> None:
    """Hides a value (of 6 characters at least) from here on, in all output and events."""
    event("redact", value=value)


def artifact(path: str, content: Union[str, bytes, None] = None, **more: Any) -> Path:
    """Keeps a file: writes content to `path` below output_dir, or tells of one that is there already."""
    file: Path = __getattr__("output_dir") / path
    if content is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        _put(file, content if isinstance(content, bytes) else content.encode())
    event("artifact", path=path, **more)
    return file


def result(value: Any) -> None:
    """Gives the execution's result: anything that JSON knows. The last one counts."""
    file = os.environ.get("EXECUTION_RESULT_FILE")
    text = json.dumps(value)  # also by hand, so that a mistake is seen there
    if file:
        _put(Path(file), text.encode())


_given: List[Any] = []
_reading = threading.Lock()


def input(default: Any = None) -> Any:
    """The request's input, read from stdin as JSON; default where there is none."""
    with _reading:
        if not _given:
            text = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
            _given.append(json.loads(text) if text.strip() else None)
    return default if _given[0] is None else _given[0]


def remaining() -> float:
    """Seconds until the timeout; infinite where there is none."""
    until = __getattr__("deadline")
    return math.inf if until is None else (until - datetime.now(timezone.utc)).total_seconds()


class checkpoint:
    """What the next attempt finds, with on_interrupt: requeue. One name holds one value; what belongs together, keep in one."""

    @staticmethod
    def load(default: Any = None, name: str = "checkpoint.json") -> Any:
        """What save() kept in this attempt or an earlier one."""
        folder = os.environ.get("EXECUTION_CHECKPOINT_DIR")
        try:
            return json.loads((Path(folder) / name).read_bytes()) if folder else default
        except FileNotFoundError:
            return default

    @staticmethod
    def save(value: Any, name: str = "checkpoint.json") -> None:
        """Keeps anything that JSON knows. It is whole at any moment, also when the program is killed here."""
        text = json.dumps(value)
        folder = os.environ.get("EXECUTION_CHECKPOINT_DIR")
        if folder:
            _put(Path(folder) / name, text.encode())


_stop = threading.Event()


def cancelled() -> bool:
    """Whether it was told to stop (cancel, timeout, deploy). From the first call on SIGTERM no longer ends the program,
    so make it early: look again now and then, and end within the grace, 10 seconds unless the catalog says otherwise."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        _handle(lambda: None)
    return _stop.is_set()


def on_cancel(do: Optional[Callable[[], Any]] = None) -> None:
    """From here on SIGTERM calls do, in the main thread, and then ends the program with 143 as SystemExit: finally runs."""

    def stop() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
        if do:
            do()
        sys.exit(128 + signal.SIGTERM)

    _handle(stop)


def _handle(then: Callable[[], Any]) -> None:
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Python lets only the main thread handle signals: call cancelled() or on_cancel() there first")

    def stopped(*_: Any) -> None:
        _stop.set()
        then()

    signal.signal(signal.SIGTERM, stopped)


def _pipe() -> Optional[int]:
    """The file for events. A child process may have the variable without the file, and another file in its place."""
    number = os.environ.get("EXECUTION_EVENTS_FD", "")
    if not number.isdigit():
        return None
    fd = int(number)
    try:
        writable = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
        return fd if writable and stat.S_ISFIFO(os.fstat(fd).st_mode) else None
    except OSError:
        return None


def _write(fd: int, line: bytes) -> None:
    while line:
        try:
            line = line[os.write(fd, line) :]
        except BlockingIOError:
            select.select([], [fd], [])
        except OSError:
            return  # a reader that has gone away is no reason to stop working


def _put(file: Path, data: bytes) -> None:
    """Writes aside and renames. Not synced: what a crash of the machine takes, it takes with the whole folder."""
    aside = file.with_name(f"{file.name}.{os.getpid()}.{threading.get_ident()}.new")
    aside.write_bytes(data)
    aside.replace(file)
