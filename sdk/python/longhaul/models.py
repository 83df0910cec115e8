"""What the server answers, as dataclasses.

Fields that this version does not know are left out, so that a newer server breaks nothing; `raw` of an
Execution has them all. A field that the server did not send has its default.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Callable, TypeVar

T = TypeVar("T", bound="Shape")
TERMINAL = frozenset({"completed", "failed", "timeout", "cancelled", "error"})


def _time(text: str | None) -> datetime | None:
    # fromisoformat knows no Z before Python 3.11.
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def _as(convert: Callable[[Any], Any], **default: Any) -> Any:
    return field(metadata={"as": convert}, **default)


def _instant() -> Any:
    return _as(_time, default=None)


class Shape:
    """A dataclass that is read from a JSON object."""

    @classmethod
    def of(cls: type[T], data: dict[str, Any]) -> T:
        known = {}
        for f in fields(cls):  # type: ignore[arg-type]
            if data.get(f.name) is not None:
                known[f.name] = f.metadata.get("as", lambda value: value)(data[f.name])
        return cls(**known)

    @classmethod
    def many(cls: type[T], rows: list[dict[str, Any]]) -> list[T]:
        return [cls.of(row) for row in rows]


@dataclass(frozen=True)
class FieldError(Shape):
    """One field of a request that is wrong."""

    location: str = ""
    message: str = ""


@dataclass(frozen=True)
class Started(Shape):
    """The answer to a start."""

    execution_id: str = ""
    status: str = ""
    queue_position: int | None = None
    message: str = ""
    stream_token: str = ""


@dataclass(frozen=True)
class Execution(Shape):
    """Where an execution stands. None means "not yet" or "does not apply"."""

    execution_id: str = ""
    status: str = ""
    command: str | None = None
    args: list[str] = field(default_factory=list)
    engine: str | None = None
    queue_position: int | None = None
    created_at: datetime | None = _instant()
    started_at: datetime | None = _instant()
    completed_at: datetime | None = _instant()
    duration_seconds: float = 0.0
    return_code: int | None = None
    error_message: str | None = None
    reason: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    attempt: int = 0
    max_attempts: int = 1
    worker: str | None = None
    timeout_seconds: int = 0
    deadline: datetime | None = _instant()
    cancel_requested_at: datetime | None = _instant()
    progress: dict[str, Any] | None = None
    metrics: dict[str, Any] | None = None
    labels: dict[str, str] = field(default_factory=dict)
    last_event: int = 0
    log_bytes: int = 0
    rerun_of: str | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Execution:
        return super().of({**data, "raw": data})

    @property
    def ended(self) -> bool:
        """The status is final and will not change."""
        return self.status in TERMINAL

    @property
    def ok(self) -> bool:
        return self.status == "completed"


@dataclass(frozen=True)
class Event(Shape):
    """One event of an execution: `seq` is its number and the cursor, `data` as docs/protocol.md says."""

    seq: int = 0
    type: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def chunk(self) -> bytes:
        """Of a log event: exactly what the engine wrote."""
        if "base64" in self.data:
            return base64.b64decode(self.data["base64"])
        return str(self.data.get("text", "")).encode()

    @property
    def text(self) -> str:
        """The same as text; bytes that are no UTF-8 are replaced."""
        return self.chunk.decode("utf-8", "replace")

    @property
    def time(self) -> datetime | None:
        return _time(self.data.get("time"))


@dataclass(frozen=True)
class Artifact(Shape):
    """A file that the engine left."""

    path: str = ""
    size: int = 0
    content_type: str = ""
    url: str = ""


@dataclass(frozen=True)
class Output(Shape):
    """One page of events, with result and artifacts."""

    execution_id: str = ""
    status: str = ""
    return_code: int | None = None
    events: list[Event] = _as(Event.many, default_factory=list)
    next_after: int = 0
    more: bool = False
    output: str = ""
    result: Any = None
    artifacts: list[Artifact] = _as(Artifact.many, default_factory=list)


@dataclass(frozen=True)
class Finished:
    """What run() gives: how it ended, what it gave back, which files it left."""

    execution: Execution
    result: Any
    artifacts: list[Artifact]

    @property
    def ok(self) -> bool:
        return self.execution.ok

    def __str__(self) -> str:
        e = self.execution
        why = f": {e.error_message}" if e.error_message else ""
        return f"{e.execution_id} is {e.status}{why}" + ("" if self.result is None else f", result {json.dumps(self.result)[:200]}")


@dataclass(frozen=True)
class Page(Shape):
    """One page of a list, newest first."""

    executions: list[Execution] = _as(Execution.many, default_factory=list)
    next_cursor: str | None = None
    counts: dict[str, int] | None = None


@dataclass(frozen=True)
class Cancelled(Shape):
    """What a cancel has done. `group_empty_at` is the proof: from then on no process of it was left."""

    execution_id: str = ""
    status: str = ""
    message: str = ""
    delivered: str = ""
    cancel_requested_at: datetime | None = _instant()
    signal_sent_at: datetime | None = _instant()
    group_empty_at: datetime | None = _instant()


@dataclass(frozen=True)
class Engine(Shape):
    """One entry of the catalog."""

    name: str = ""
    kind: str = ""
    description: str = ""
    params: dict[str, Any] | None = None
    allows_args: bool = False
    takes_input: bool = False
    env: list[str] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Worker(Shape):
    """A worker, and what it runs."""

    worker: str = ""
    version: str = ""
    started_at: datetime | None = _instant()
    last_seen_at: datetime | None = _instant()
    slots: int = 0
    running: int = 0
    draining: bool = False
    queues: list[str] = field(default_factory=list)
    executions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class QueueStats(Shape):
    """What waits and runs, and how many workers that wants."""

    depth: int = 0
    delayed: int = 0
    oldest_age_seconds: float = 0.0
    running: int = 0
    workers: int = 0
    draining: int = 0
    capacity: int = 0
    wanted_replicas: int = 0
    throughput_per_minute: float | None = None
    expected_wait_seconds: float | None = None
    queues: dict[str, dict[str, Any]] = field(default_factory=dict)
