"""How bytes get to the server and time passes: once by blocking, once by asyncio.

Everything above is written once, as coroutines. Client runs them on Blocking, whose coroutines never
suspend: one send(None) carries them to their end, and no event loop is needed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import Any, Coroutine, TypeVar

from .errors import Unreachable

T = TypeVar("T")
_READ = 64 << 10


class Address:
    """Where a server listens."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.host, self.port, self.tls = host, port, tls

    def failed(self, doing: str, error: BaseException) -> Unreachable:
        why = str(error) or ("it took too long" if isinstance(error, (OSError, asyncio.TimeoutError)) else repr(error))
        unreachable = Unreachable(f"{doing} {self.host}:{self.port}: {why}")
        unreachable.passes = not isinstance(error, ssl.SSLCertVerificationError)
        return unreachable


# asyncio.TimeoutError is no OSError before Python 3.11; ValueError is what a name of a host that cannot be one raises.
_ERRORS = (OSError, asyncio.TimeoutError, ValueError)


class Blocking:
    """One connection over a plain socket."""

    def __init__(self, at: Address) -> None:
        self._at = at
        self._socket: Any = None

    async def open(self, timeout: float) -> None:
        try:
            self._socket = socket.create_connection((self._at.host, self._at.port), timeout)
            if self._at.tls:
                self._socket = self._at.tls.wrap_socket(self._socket, server_hostname=self._at.host)
        except _ERRORS as error:
            self.close()
            raise self._at.failed("connect to", error) from error

    async def send(self, data: bytes, timeout: float) -> None:
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(data)
        except _ERRORS as error:
            raise self._at.failed("write to", error) from error

    async def read(self, timeout: float) -> bytes:
        try:
            self._socket.settimeout(timeout)
            return self._socket.recv(_READ)
        except _ERRORS as error:
            raise self._at.failed("read from", error) from error

    def close(self) -> None:
        if self._socket:
            self._socket.close()

    @staticmethod
    async def sleep(seconds: float) -> None:
        time.sleep(seconds)


class Loop:
    """One connection over asyncio's streams."""

    def __init__(self, at: Address) -> None:
        self._at = at
        self._writer: Any = None

    async def open(self, timeout: float) -> None:
        name = self._at.host if self._at.tls else None
        opening = asyncio.open_connection(self._at.host, self._at.port, ssl=self._at.tls, server_hostname=name)
        try:
            self._reader, self._writer = await asyncio.wait_for(opening, timeout)
        except _ERRORS as error:
            raise self._at.failed("connect to", error) from error

    async def send(self, data: bytes, timeout: float) -> None:
        try:
            self._writer.write(data)
            await asyncio.wait_for(self._writer.drain(), timeout)
        except _ERRORS as error:
            raise self._at.failed("write to", error) from error

    async def read(self, timeout: float) -> bytes:
        try:
            return await asyncio.wait_for(self._reader.read(_READ), timeout)
        except _ERRORS as error:
            raise self._at.failed("read from", error) from error

    def close(self) -> None:
        if self._writer:
            # At once, without TLS' farewell: whoever closes has what it wants, or is cancelled.
            self._writer.transport.abort()

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on Blocking to its end."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise AssertionError("a coroutine on the blocking transport has suspended")
