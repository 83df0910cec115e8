"""Run jobs that need each other's results: side by side in processes of their own, or one after the other.

Every agent has its own pipe to the parent, and only the parent writes events and the log. So events stay in
order and percent can't go back; and an agent that is killed can't leave a lock behind, as a shared queue might.
The parent starts no threads: forking stays safe, and a signal handler runs between two waits.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Callable, Iterator, Optional, Protocol, Sequence

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Voice(Protocol):
    """How a job speaks while it works."""

    def log(self, text: str) -> None: ...

    def done(self, share: float) -> None: ...


@dataclass(frozen=True)
class Job:
    """work(voice, results of `needs` by name) -> result. Its work must be importable, not a closure."""

    name: str
    work: Callable[[Voice, dict[str, Any]], Any]
    needs: tuple[str, ...] = ()
    weight: float = 1.0  # part of the whole progress
    essential: bool = True  # without it the analysis makes no sense


class Listener(Protocol):
    """What the parent is told."""

    def started(self, job: Job) -> None: ...

    def said(self, job: Job, text: str) -> None: ...

    def share(self, job: Job, share: float) -> None: ...

    def finished(self, job: Job, result: Any) -> None: ...

    def failed(self, job: Job, reason: str) -> None: ...


class Broken(Exception):
    """An essential job failed."""


def run(jobs: Sequence[Job], workers: int, listener: Listener) -> dict[str, Any]:
    """Run every job once what it needs is there. workers=0 means: in this process, one after the other."""
    board = _Board(jobs, listener)
    if workers == 0:
        _alone(board)
    else:
        _together(board, workers)
    return board.results


class _Board:
    """Which job may start now, and what became of the others."""

    def __init__(self, jobs: Sequence[Job], listener: Listener) -> None:
        self.open = list(jobs)
        self.listener = listener
        self.results: dict[str, Any] = {}
        self.lost: set[str] = set()

    def take(self) -> Optional[Job]:
        """The next job whose needs are met; a job that needs a lost one is lost too."""
        for job in list(self.open):
            missing = [name for name in job.needs if name in self.lost]
            if missing:
                self.open.remove(job)
                self.fail(job, f"it needs {missing[0]}")
        for job in self.open:
            if all(name in self.results for name in job.needs):
                self.open.remove(job)
                self.listener.started(job)
                return job
        return None

    def inputs(self, job: Job) -> dict[str, Any]:
        return {name: self.results[name] for name in job.needs}

    def finish(self, job: Job, result: Any) -> None:
        self.results[job.name] = result
        self.listener.finished(job, result)

    def fail(self, job: Job, reason: str) -> None:
        self.lost.add(job.name)
        self.listener.failed(job, reason)
        if job.essential:
            raise Broken(f"{job.name}: {reason.splitlines()[0]}")


@dataclass(frozen=True)
class _Direct:
    """A job's voice inside the parent."""

    job: Job
    listener: Listener

    def log(self, text: str) -> None:
        self.listener.said(self.job, text)

    def done(self, share: float) -> None:
        self.listener.share(self.job, share)


def _alone(board: _Board) -> None:
    while True:
        job = board.take()
        if job is None:
            return
        try:
            result = job.work(_Direct(job, board.listener), board.inputs(job))
        except Exception as error:
            board.fail(job, _reason(error))
        else:
            board.finish(job, result)


def _together(board: _Board, workers: int) -> None:
    # fork hands the messages over without copying them; where there is no fork, spawn pickles them.
    context = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")
    running: dict[Connection, tuple[Job, Any]] = {}
    try:
        while True:
            while len(running) < workers:
                job = board.take()
                if job is None:
                    break
                mine, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_child, args=(job, board.inputs(job), theirs), name=job.name, daemon=True)
                with _signals_held():
                    process.start()
                    running[mine] = (job, process)
                theirs.close()
            if not running:
                return
            for pipe in wait(list(running)):
                job, process = running[pipe]
                kind, value = _receive(pipe, process)
                if kind == "log":
                    board.listener.said(job, value)
                elif kind == "share":
                    board.listener.share(job, value)
                else:
                    del running[pipe]
                    pipe.close()
                    process.join()
                    if kind == "result":
                        board.finish(job, value)
                    else:
                        board.fail(job, value)
    finally:
        _end([process for _, process in running.values()])


def _receive(pipe: Connection, process: Any) -> tuple[str, Any]:
    try:
        return pipe.recv()
    except (EOFError, OSError):
        process.join()
        if process.exitcode in (-signal.SIGTERM, -signal.SIGINT):
            time.sleep(0.2)  # the whole group was told to stop: our own handler is about to say so
        return "failed", f"its process ended with code {process.exitcode} and without a result"


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


@contextmanager
def _signals_held() -> Iterator[None]:
    """Between fork and the child's first line the child has our handlers; nothing may arrive then."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Piped:
    """A job's voice inside a child. If the parent is gone, there is nobody to work for."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def tell(self, kind: str, value: Any) -> None:
        try:
            self.pipe.send((kind, value))
        except OSError:
            os._exit(1)

    def log(self, text: str) -> None:
        self.tell("log", text)

    def done(self, share: float) -> None:
        self.tell("share", share)


def _child(job: Job, inputs: dict[str, Any], pipe: Connection) -> None:
    # The signal goes to the whole group. Here it simply ends the process; the parent tells the story.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    voice = _Piped(pipe)
    try:
        result = job.work(voice, inputs)
    except ValueError as error:  # an expected answer: this data does not allow this job
        voice.tell("failed", _reason(error))
    except Exception as error:
        voice.tell("failed", f"{_reason(error)}\n{traceback.format_exc()}")
    else:
        voice.tell("result", result)
    pipe.close()


def _end(processes: Sequence[Any]) -> None:
    """Ask, wait briefly, insist."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(0.3)
        if process.exitcode is None:
            process.kill()
            process.join(0.3)
