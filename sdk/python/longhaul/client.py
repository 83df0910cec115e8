"""Client: AsyncClient without an event loop. Every verb is AsyncClient's own code, run to its end by blocking."""

from __future__ import annotations

from pathlib import Path
from typing import Any, AsyncIterator, BinaryIO, Callable, Iterator, List, Mapping, Optional, Sequence, TypeVar, Union

from . import _transport
from ._transport import now
from ._upload import Files
from .aio import AsyncClient, Ref
from .models import Artifact, Cancelled, Engine, Event, Execution, Finished, Output, Page, QueueStats, Started, Worker

T = TypeVar("T")


class _Verbs(AsyncClient):
    _transport = _transport.Blocking


class Client:
    """Calls one server, and may be shared by threads. Arguments and verbs are those of AsyncClient.

    with Client("http://localhost:8080", token) as client:
        started = client.start("python", "src/main.py", "voice-of-customer")
        for event in client.stream(started):
            print(event.seq, event.type, event.data)
    """

    def __init__(self, url: str, token: str = "", **options: Any) -> None:
        self._verbs = _Verbs(url, token, **options)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Refuses calls from now on."""
        now(self._verbs.close())

    def start(self, command: Optional[str] = None, *args: str, files: Optional[Files] = None, idempotency_key: str = "", **spec: Any) -> Started:
        """Starts `command` with `args`, or `engine=` with `params=` and `input=`, in the background."""
        return now(self._verbs.start(command, *args, files=files, idempotency_key=idempotency_key, **spec))

    def rerun(self, execution: Ref, *, idempotency_key: str = "", **changes: Any) -> Started:
        """Starts it once more, with `changes` of its spec."""
        return now(self._verbs.rerun(execution, idempotency_key=idempotency_key, **changes))

    def run(
        self, command: Optional[str] = None, *args: str, on_event: Optional[Callable[[Event], Any]] = None, check: bool = True, **how: Any
    ) -> Finished:
        """Starts, waits for the end and gives result and artifacts; ExecutionFailed unless it completed, or check is False."""
        return now(self._verbs.run(command, *args, on_event=on_event, check=check, **how))

    def status(self, execution: Ref) -> Execution:
        """Where it stands."""
        return now(self._verbs.status(execution))

    def spec(self, execution: Ref) -> dict[str, Any]:
        """What would start it again; values of env are not shown."""
        return now(self._verbs.spec(execution))

    def wait(self, execution: Ref, timeout: Optional[float] = None) -> Execution:
        """Waits for the end; TimeoutError after `timeout` seconds."""
        return now(self._verbs.wait(execution, timeout))

    def stream(self, execution: Ref, after: Union[int, str] = 0, types: Optional[Sequence[str]] = None) -> Iterator[Event]:
        """Gives the events after a cursor, each once and in order, over cut lines, until `end`."""
        return _each(self._verbs.stream(execution, after, types))

    def logs(self, execution: Ref, stream: Optional[str] = None) -> Iterator[str]:
        """Gives the log line by line as it comes, until the end."""
        return _each(self._verbs.logs(execution, stream))

    def output(self, execution: Ref, after: int = 0, limit: Optional[int] = None, stream: Optional[str] = None) -> Output:
        """One page of events, with the result and the artifacts."""
        return now(self._verbs.output(execution, after, limit, stream))

    def output_bytes(self, execution: Ref, stream: Optional[str] = None) -> bytes:
        """The log as it is now, byte for byte."""
        return now(self._verbs.output_bytes(execution, stream))

    def list(
        self,
        *,
        status: Union[str, Sequence[str], None] = None,
        engine: Optional[str] = None,
        labels: Optional[Mapping[str, str]] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
        **more: Any,
    ) -> Page:
        """One page of executions, newest first. more: q, since, until, worker, counts, as in the API."""
        return now(self._verbs.list(status=status, engine=engine, labels=labels, limit=limit, cursor=cursor, **more))

    def cancel(self, execution: Ref, wait: float = 0, force: bool = False) -> Cancelled:
        """Stops it, and waits up to `wait` seconds (60 at most) for the proof that nothing of it is left."""
        return now(self._verbs.cancel(execution, wait, force))

    def artifacts(self, execution: Ref) -> List[Artifact]:
        """The files that it left."""
        return now(self._verbs.artifacts(execution))

    def download(self, execution: Ref, artifact: Union[str, Artifact], to: Union[str, Path, BinaryIO, None] = None) -> bytes:
        """One of them: to a path (whole or not at all), into a file, or, without `to`, as bytes."""
        return now(self._verbs.download(execution, artifact, to))

    def engines(self) -> List[Engine]:
        """What the catalog lets callers start."""
        return now(self._verbs.engines())

    def workers(self) -> List[Worker]:
        """The workers, and what they run."""
        return now(self._verbs.workers())

    def queue(self) -> QueueStats:
        """What waits and runs, and how many workers that wants."""
        return now(self._verbs.queue())


def _each(items: AsyncIterator[T]) -> Iterator[T]:
    try:
        while True:
            try:
                item = now(items.__anext__())  # type: ignore[arg-type]
            except StopAsyncIteration:
                return
            yield item
    finally:
        now(items.aclose())  # type: ignore[attr-defined]
