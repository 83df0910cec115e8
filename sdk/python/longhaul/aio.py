"""AsyncClient: every verb of the API, for asyncio. Client is the same without an event loop."""

from __future__ import annotations

import codecs
import inspect
import json
import secrets
import ssl
import time
from pathlib import Path
from typing import Any, AsyncIterator, BinaryIO, Callable, List, Mapping, Optional, Sequence, Union

from . import _transport
from ._backoff import Backoff
from ._call import LONG_POLL, Caller, path
from ._download import download
from ._http import Body
from ._sse import Frame, Parser
from ._upload import Files, start_body
from .errors import ExecutionFailed, Problem, Unreachable
from .models import Artifact, Cancelled, Engine, Event, Execution, Finished, Output, Page, QueueStats, Started, Worker

Ref = Union[str, Started, Execution]  # whatever knows its id
_LEAST_RETRY = 0.1  # keeps a server that says 0 from being asked in a tight loop


class AsyncClient:
    """Calls one server. Connections are not kept: each request has its own.

    timeout        seconds for one step of a request; also how long a plain call is tried again
    give_up_after  how long start, wait, stream, run and download go on against a server that is away
    silence        how long a stream may be without a byte, keep-alives included, until it is taken for dead
    tls            an SSLContext, for certificates of your own
    """

    _transport: Any = _transport.Loop

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        timeout: float = 30,
        give_up_after: float = 300,
        silence: float = 60,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        self._caller = Caller(self._transport, url, token, timeout, give_up_after, silence, tls)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Refuses calls from now on. Streams that are being read end by themselves or by leaving their loop."""
        self._caller.closed = True

    async def start(self, command: Optional[str] = None, *args: str, files: Optional[Files] = None, idempotency_key: str = "", **spec: Any) -> Started:
        """Starts `command` with `args`, or `engine=` with `params=` and `input=`, in the background.

        spec: params, input, env, timeout_seconds, queue_timeout_seconds, delay_seconds, queue, labels, max_attempts,
        on_interrupt, webhook_url, as in the API. files: {path for the engine: path here, bytes or file}, or paths here.
        A lost answer is asked for again under one idempotency key: nothing is started twice.
        """
        request = {"command": command, "args": list(args) or None, **spec}
        request = {k: v for k, v in request.items() if v is not None}
        return await self._begin("/execute/start", start_body(request, files), idempotency_key)

    async def rerun(self, execution: Ref, *, idempotency_key: str = "", **changes: Any) -> Started:
        """Starts it once more, with `changes` of its spec; its stored environment and input files are taken over."""
        body = Body.of("application/json", json.dumps(changes).encode()) if changes else None
        return await self._begin(path("execute", "rerun", _id(execution)), body, idempotency_key)

    async def _begin(self, where: str, body: Optional[Body], key: str) -> Started:
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        return Started.of(await self._caller.call("POST", where, body=body, headers=headers, give_up_after=self._caller.give_up_after))

    async def run(
        self, command: Optional[str] = None, *args: str, on_event: Optional[Callable[[Event], Any]] = None, check: bool = True, **how: Any
    ) -> Finished:
        """Starts, waits for the end and gives result and artifacts. It takes what start() takes.

        on_event is called with each event as it comes. With check, an end that is not `completed` is raised as
        ExecutionFailed. Leaving run() early leaves the execution running: use start() where you need its id before.
        """
        started = await self.start(command, *args, **how)
        if on_event:
            await self._tell(self.stream(started), on_event)
        execution = await self.wait(started)
        page = await self.output(started, limit=1)
        finished = Finished(execution, page.result, page.artifacts)
        if check and not finished.ok:
            raise ExecutionFailed(finished)
        return finished

    @staticmethod
    async def _tell(events: AsyncIterator[Event], on_event: Callable[[Event], Any]) -> None:
        try:
            async for event in events:
                done = on_event(event)
                if inspect.isawaitable(done):
                    await done
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    async def status(self, execution: Ref) -> Execution:
        """Where it stands."""
        return Execution.of(await self._get(path("execute", "status", _id(execution))))

    async def spec(self, execution: Ref) -> dict[str, Any]:
        """What would start it again; values of env are not shown."""
        spec: dict[str, Any] = await self._get(path("execute", "spec", _id(execution)))
        return spec

    async def wait(self, execution: Ref, timeout: Optional[float] = None) -> Execution:
        """Waits for the end, over any number of long-polls; TimeoutError after `timeout` seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        tries = Backoff(self._caller.give_up_after)
        while True:
            left = LONG_POLL if until is None else min(LONG_POLL, until - time.monotonic())
            if left <= 0:
                raise TimeoutError(f"{_id(execution)} has not ended within {timeout:g} seconds")
            ask = {"wait": f"{max(1, int(left * 1000))}ms"}
            try:
                now = Execution.of(
                    await self._caller.once("GET", path("execute", "status", _id(execution)), query=ask, timeout=left + self._caller.timeout)
                )
                if now.ended:
                    return now
                tries.reset()
                await self._caller.sleep(min(0.25, left))  # a server that drains answers at once
            except (Problem, Unreachable) as error:
                await self._caller.sleep(min(tries.pause(error), left))

    async def stream(self, execution: Ref, after: Union[int, str] = 0, types: Optional[Sequence[str]] = None) -> AsyncIterator[Event]:
        """Gives the events after a cursor, each once and in order, until `end`, which is the last.

        Cut lines, deploys and rotation are gone over. after="end" begins with what comes from now on. With types only
        these come, and always `gap`, which stands for events that are no longer kept, and `end`.
        """
        cursor = (await self.status(execution)).last_event if after == "end" else int(after)
        tries = Backoff(self._caller.give_up_after)
        while True:
            parser = Parser()
            try:
                query = {"after": cursor, "types": ",".join(types or []) or None}
                response = await self._caller.open("GET", path("execute", "stream", _id(execution)), query=query, accept="text/event-stream")
                try:
                    if response.status == 204:
                        return
                    if not response.headers.get("content-type", "").startswith("text/event-stream"):
                        # Such as a proxy's page to log in: its end would be taken for a rotation, again and again.
                        raise Unreachable("the answer is no event stream: is the URL that of Longhaul's API?")
                    while data := await response.read(self._caller.silence):
                        for frame in parser.feed(data):
                            event = _event(frame)
                            if event is None or event.seq <= cursor:
                                continue
                            cursor = event.seq
                            tries.reset()
                            yield event
                            if event.type == "end":
                                return
                finally:
                    response.close()
                tries.reset()
                pause = max(parser.retry or 0, _LEAST_RETRY)
                pause = pause / 2 + tries.spread(pause / 2)
            except (Problem, Unreachable) as error:
                pause = tries.pause(error)
            await self._caller.sleep(pause)

    async def logs(self, execution: Ref, stream: Optional[str] = None) -> AsyncIterator[str]:
        """Gives the log line by line as it comes, until the end; stream="stdout" or "stderr" is one of the two.

        Bytes that are no UTF-8 are replaced; output_bytes() has them all. A line says where events are no longer kept.
        """
        lines = _Lines()
        events = self.stream(execution, types=["log"])
        try:
            async for event in events:
                if event.type == "gap":
                    yield f"[longhaul: events {event.data.get('from')} to {event.data.get('to')} are gone: {event.data.get('reason')}]"
                elif event.type == "log" and stream in (None, event.data.get("stream")):
                    for line in lines.feed(event.data.get("stream", ""), event.chunk):
                        yield line
            for line in lines.rest():
                yield line
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    async def output(self, execution: Ref, after: int = 0, limit: Optional[int] = None, stream: Optional[str] = None) -> Output:
        """One page of events, with the result and the artifacts."""
        return Output.of(await self._get(path("execute", "output", _id(execution)), after=after, limit=limit, stream=stream))

    async def output_bytes(self, execution: Ref, stream: Optional[str] = None) -> bytes:
        """The log as it is now, byte for byte."""
        where, query = path("execute", "output", _id(execution)), {"format": "text", "stream": stream}
        tries = Backoff(self._caller.timeout)
        while True:
            try:
                response = await self._caller.open("GET", where, query=query, accept="text/plain")
                try:
                    return await response.all(self._caller.timeout, 1 << 40)
                finally:
                    response.close()
            except (Problem, Unreachable) as error:
                await self._caller.sleep(tries.pause(error))

    async def list(
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
        words = status if status is None or isinstance(status, str) else ",".join(status)
        query = {"status": words, "engine": engine, "label": [f"{k}={v}" for k, v in (labels or {}).items()], "limit": limit, "cursor": cursor}
        return Page.of(await self._get("/execute/list", **query, **{k: _word(v) for k, v in more.items()}))

    async def cancel(self, execution: Ref, wait: float = 0, force: bool = False) -> Cancelled:
        """Stops it, and waits up to `wait` seconds (60 at most) for the proof that nothing of it is left.

        With force it is killed at once, without its grace.

        One that had ended otherwise raises Conflict with its execution_status.
        """
        query = {"wait": f"{int(wait * 1000)}ms" if wait else None, "force": "true" if force else None}
        where = path("execute", "cancel", _id(execution))
        return Cancelled.of(await self._caller.call("POST", where, query=query, timeout=self._caller.timeout + wait))

    async def artifacts(self, execution: Ref) -> List[Artifact]:
        """The files that it left."""
        return Artifact.many((await self._get(path("outputs", _id(execution))))["artifacts"])

    async def download(self, execution: Ref, artifact: Union[str, Artifact], to: Union[str, Path, BinaryIO, None] = None) -> bytes:
        """One of them: to a path (whole or not at all), into a file, or, without `to`, as bytes. Cut lines are gone over."""
        name = artifact.path if isinstance(artifact, Artifact) else artifact
        return await download(self._caller, path("outputs", _id(execution), name), to)

    async def engines(self) -> List[Engine]:
        """What the catalog lets callers start."""
        return Engine.many((await self._get("/engines"))["engines"])

    async def workers(self) -> List[Worker]:
        """The workers, and what they run."""
        return Worker.many((await self._get("/workers"))["workers"])

    async def queue(self) -> QueueStats:
        """What waits and runs, and how many workers that wants."""
        return QueueStats.of(await self._get("/queue/stats"))

    async def _get(self, where: str, **query: Any) -> Any:
        return await self._caller.call("GET", where, query=query)


def _id(execution: Ref) -> str:
    name = execution if isinstance(execution, str) else execution.execution_id
    if not name or "/" in name:
        raise ValueError("an execution is named by its id, such as exec_1762548673499_vqx7d3cpo")
    return name


def _word(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else None
    return value.isoformat() if hasattr(value, "isoformat") else value


def _event(frame: Frame) -> Optional[Event]:
    """Reads a frame. Those without a number are none of the log."""
    number = frame.id.rpartition(":")[2]
    if not number.isdigit() or int(number) == 0:
        return None
    try:
        data = json.loads(frame.data)
    except ValueError:
        return None
    return Event(int(number), frame.event, data)


class _Lines:
    """Joins chunks, which may end anywhere, to lines: each of stdout and stderr for itself."""

    def __init__(self) -> None:
        self._decoders: dict[str, Any] = {}
        self._begun: dict[str, str] = {}

    def feed(self, stream: str, chunk: bytes) -> list[str]:
        decoder = self._decoders.setdefault(stream, codecs.getincrementaldecoder("utf-8")("replace"))
        *whole, self._begun[stream] = (self._begun.get(stream, "") + decoder.decode(chunk)).split("\n")
        return [line[:-1] if line.endswith("\r") else line for line in whole]

    def rest(self) -> list[str]:
        return [line for line in self._begun.values() if line]
