"""What can go wrong, as exceptions. All are LonghaulError."""

from __future__ import annotations

import json
from typing import Any

from .models import FieldError, Finished


class LonghaulError(Exception):
    """Whatever this package raises on purpose."""


class Unreachable(LonghaulError):
    """The server did not answer, or the line broke. `passes` says whether trying again may help."""

    passes = True


class ExecutionFailed(LonghaulError):
    """run() ended otherwise than completed; `finished` says how."""

    def __init__(self, finished: Finished) -> None:
        super().__init__(str(finished))
        self.finished = finished


class Problem(LonghaulError):
    """An answer of 400 and up (RFC 9457). `code` is for programs and stays, `detail` is for people."""

    def __init__(self, status: int, body: dict[str, Any], retry_after: float = 0) -> None:
        self.status = status
        self.code: str = body.get("code", "")
        self.title: str = body.get("title", "")
        self.detail: str = body.get("detail", "")
        self.type: str = body.get("type", "about:blank")
        self.instance: str = body.get("instance", "")
        self.request_id: str = body.get("request_id", "")
        self.errors: list[FieldError] = FieldError.many(body.get("errors") or [])
        self.execution_id: str = body.get("execution_id", "")
        self.execution_status: str = body.get("execution_status", "")
        self.retry_after = retry_after
        super().__init__("; ".join([self.detail, *(f"{e.location} {e.message}" for e in self.errors)]))

    @property
    def passes(self) -> bool:
        """The same request may succeed later."""
        return self.status >= 500 or self.status in (408, 429)


class Unauthorized(Problem):
    """401: no token, or one that the server does not know."""


class Forbidden(Problem):
    """403: this token may not do that."""


class NotFound(Problem):
    """404."""


class Conflict(Problem):
    """409: it had ended already (`execution_status`), or an idempotency key was used for something else."""


class TooLarge(Problem):
    """413: the detail names the setting."""


class Invalid(Problem):
    """400, 422 and the like: `errors` names each field that is wrong."""


class QueueFull(Problem):
    """429: the line is full; try again after `retry_after` seconds."""


class Unavailable(Problem):
    """5xx: the server has trouble of its own."""


_BY_STATUS = {401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict, 413: TooLarge, 429: QueueFull}
# What a proxy on the way answers has no code; this one is guessed.
_CODES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 413: "too_large", 429: "queue_full"}


def problem_of(status: int, headers: dict[str, str], body: bytes) -> Problem:
    """Makes an exception of an answer, also of one that no server of ours wrote."""
    kind = _BY_STATUS.get(status, Unavailable if status >= 500 else Invalid)
    after = headers.get("retry-after", "")
    wait = float(after) if after.isdigit() else 0.0
    if headers.get("content-type", "").startswith("application/problem+json"):
        try:
            read = json.loads(body)
        except ValueError:
            read = None
        if isinstance(read, dict) and read.get("code"):
            return kind(status, read, wait)
    detail = f"the server, or a proxy before it, answered {status}"
    if "location" in headers:
        detail += f" and points to {headers['location']}: use that as the client's URL"
    code = _CODES.get(status, "unavailable" if status >= 500 else "invalid")
    return kind(status, {"code": code, "title": "", "detail": detail}, wait)
