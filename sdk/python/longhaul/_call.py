"""One call of the API: headers, JSON, problems, and trying again."""

from __future__ import annotations

import json
import ssl
from typing import Any, Mapping, Optional
from urllib.parse import quote, urlencode

from ._backoff import Backoff
from ._http import Body, Origin, Response
from .errors import LonghaulError, Problem, Unreachable, problem_of

_MOST = 64 << 20  # bytes of a JSON answer: the server's largest page, with room
_MOST_OF_A_PROBLEM = 256 << 10
LONG_POLL = 60.0  # the most that the server lets wait
FULL = ("queue_full", "storage_full")  # for the caller to know at once


def path(*parts: str) -> str:
    return "/" + "/".join(quote(part, safe="/") for part in parts)


class Caller:
    """Calls one server. It keeps nothing between calls, so any number of threads may share it."""

    def __init__(
        self, transport: Any, url: str, token: str, timeout: float, give_up_after: float, silence: float, tls: Optional[ssl.SSLContext]
    ) -> None:
        self.origin = Origin(url, transport, tls)
        self.sleep = transport.sleep
        self.timeout, self.give_up_after, self.silence = timeout, give_up_after, silence
        self._token = token
        self.closed = False

    async def open(
        self,
        method: str,
        where: str,
        query: Optional[Mapping[str, Any]] = None,
        body: Optional[Body] = None,
        accept: str = "application/json",
        headers: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = None,
    ) -> Response:
        """Sends one request. An answer of 300 and up is raised; else the caller closes the response."""
        if self.closed:
            raise LonghaulError("the client is closed")
        given = {k: v for k, v in (query or {}).items() if v is not None and v != []}
        target = where + ("?" + urlencode(given, doseq=True) if given else "")
        all_headers = {"Accept": accept, "User-Agent": "longhaul-python", **(headers or {})}
        if self._token:
            all_headers["Authorization"] = f"Bearer {self._token}"
        timeout = timeout or self.timeout
        response = await self.origin.send(method, target, all_headers, body, timeout)
        if response.status < 300:
            return response
        try:
            # One that is cut off raises Unreachable, and is asked for again: it would not say what is wrong.
            raise problem_of(response.status, response.headers, await response.all(timeout, _MOST_OF_A_PROBLEM))
        finally:
            response.close()

    async def once(self, method: str, where: str, **how: Any) -> Any:
        """Sends one request and reads JSON."""
        response = await self.open(method, where, **how)
        try:
            data = await response.all(how.get("timeout") or self.timeout, _MOST)
        finally:
            response.close()
        try:
            return json.loads(data)
        except ValueError:
            raise Unreachable(f"the answer to {method} {where} is no JSON: is the URL that of Longhaul's API?") from None

    async def call(self, method: str, where: str, give_up_after: Optional[float] = None, **how: Any) -> Any:
        """Sends a request that may be repeated until it is answered, or give_up_after seconds have passed."""
        tries = Backoff(self.timeout if give_up_after is None else give_up_after)
        while True:
            try:
                return await self.once(method, where, **how)
            except (Problem, Unreachable) as error:
                if isinstance(error, Problem) and error.code in FULL:
                    raise
                await self.sleep(tries.pause(error))
