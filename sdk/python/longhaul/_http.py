"""HTTP/1.1 (RFC 9112), as much as one client of one API needs: a connection for each request.

The standard library has no HTTP client for asyncio, and its blocking one cannot be asked to read a stream
in pieces with a time limit of their own. A body that ends too early is an error: a log that was cut off
must not look whole.
"""

from __future__ import annotations

import ssl
from typing import Any, AsyncIterator, Callable, Mapping
from urllib.parse import urlsplit

from ._transport import Address
from .errors import Unreachable

_LONGEST_LINE = 64 << 10
_MOST_HEADERS = 200


class Body:
    """What is sent: its length, and pieces of it that can be made again for another try."""

    def __init__(self, kind: str, length: int, pieces: Callable[[], AsyncIterator[bytes]]) -> None:
        self.kind, self.length, self.pieces = kind, length, pieces

    @classmethod
    def of(cls, kind: str, data: bytes) -> Body:
        async def pieces() -> AsyncIterator[bytes]:
            yield data

        return cls(kind, len(data), pieces)


class Origin:
    """A server as its URL names it."""

    def __init__(self, url: str, transport: Any, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url.rstrip("/"))
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise ValueError("the server's URL must look like http://localhost:8080")
        secure = parts.scheme == "https"
        self.prefix = parts.path
        self.host = parts.netloc
        self.transport = transport
        self._at = Address(parts.hostname, parts.port or (443 if secure else 80), (tls or ssl.create_default_context()) if secure else None)

    async def send(self, method: str, target: str, headers: Mapping[str, str], body: Body | None, timeout: float) -> Response:
        """Sends a request and reads the head of the answer. The caller closes the response."""
        lines = [f"{method} {self.prefix}{target} HTTP/1.1", f"Host: {self.host}", "Connection: close", "Accept-Encoding: identity"]
        if body:
            lines += [f"Content-Type: {body.kind}", f"Content-Length: {body.length}"]
        elif method == "POST":
            lines.append("Content-Length: 0")
        for name, value in headers.items():
            if any(c in value for c in "\r\n\0"):
                raise ValueError(f"the header {name} must be one line")
            lines.append(f"{name}: {value}")
        connection = self.transport(self._at)
        try:
            await connection.open(timeout)
            await connection.send("\r\n".join([*lines, "", ""]).encode(), timeout)
            try:
                if body:
                    async for piece in body.pieces():
                        await connection.send(piece, timeout)
            except Unreachable:
                pass  # the server may have refused it early, and said why
            response = Response(connection)
            await response.head(timeout)
            return response
        except BaseException:
            connection.close()
            raise


class Response:
    """An answer whose body is read bit by bit."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self._left: int | None = None  # bytes of the body, or of its chunk; None: until the connection ends
        self._chunked = False
        self._over = False
        self.status = 0
        self.headers: dict[str, str] = {}

    def close(self) -> None:
        self._connection.close()

    async def head(self, timeout: float) -> None:
        while self.status < 200:  # 100 and 103 come before the answer
            version, _, rest = (await self._line(timeout)).partition(" ")
            if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
                stranger = Unreachable("the server does not speak HTTP/1.1: is the URL that of Longhaul's API?")
                stranger.passes = False
                raise stranger
            self.status = int(rest[:3])
            self.headers = await self._fields(timeout)
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            self._chunked, self._left = True, 0
        elif self.headers.get("content-length", "").isdigit():
            self._left = int(self.headers["content-length"])
        self._over = self.status in (204, 304) or (self._left == 0 and not self._chunked)

    async def read(self, timeout: float) -> bytes:
        """What has come of the body; b"" is its end."""
        if self._over:
            return b""
        if self._chunked and self._left == 0:
            await self._next_chunk(timeout)
            if self._over:
                return b""
        if not self._buffer and not await self._fill(timeout):
            if self._left is None:
                self._over = True
                return b""
            raise Unreachable("the connection was cut in the middle of an answer")
        n = len(self._buffer) if self._left is None else min(self._left, len(self._buffer))
        data = bytes(self._buffer[:n])
        del self._buffer[:n]
        if self._left is not None:
            self._left -= n
            if self._chunked and self._left == 0 and await self._line(timeout):
                raise Unreachable("a chunk of the answer has no end")
            self._over = self._left == 0 and not self._chunked
        return data

    async def all(self, timeout: float, most: int) -> bytes:
        data = bytearray()
        while len(data) <= most:
            piece = await self.read(timeout)
            if not piece:
                return bytes(data)
            data += piece
        raise Unreachable(f"the answer is larger than {most} bytes")

    async def _next_chunk(self, timeout: float) -> None:
        size = (await self._line(timeout)).partition(";")[0].strip()
        try:
            self._left = int(size, 16)
        except ValueError:
            raise Unreachable("a chunk of the answer has no length") from None
        if self._left == 0:
            await self._fields(timeout)  # trailers
            self._over = True

    async def _fields(self, timeout: float) -> dict[str, str]:
        fields: dict[str, str] = {}
        for _ in range(_MOST_HEADERS):
            line = await self._line(timeout)
            if not line:
                return fields
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
        raise Unreachable("the answer has too many headers")

    async def _line(self, timeout: float) -> str:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise Unreachable("a header of the answer is too long")
            if not await self._fill(timeout):
                raise Unreachable("the connection was cut before the answer was whole")
        line = self._buffer[:end].decode("latin-1").rstrip("\r")
        del self._buffer[: end + 1]
        return line

    async def _fill(self, timeout: float) -> bool:
        data = await self._connection.read(timeout)
        self._buffer += data
        return bool(data)
