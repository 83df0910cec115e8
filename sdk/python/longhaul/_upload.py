"""A start with files, as multipart/form-data (RFC 7578): part `request` and parts `files`."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any, AsyncIterator, BinaryIO, Iterable, Mapping, Union

from ._http import Body

File = Union[str, "os.PathLike[str]", bytes, BinaryIO]
Files = Union[Mapping[str, File], Iterable[Union[str, "os.PathLike[str]"]]]
_PIECE = 256 << 10


def start_body(request: dict[str, Any], files: Files | None) -> Body:
    text = json.dumps(request).encode()
    if not files:
        return Body.of("application/json", text)
    named: dict[Any, File] = dict(files) if isinstance(files, Mapping) else {Path(p).name: p for p in files}
    boundary = "longhaul-" + secrets.token_hex(16)
    parts: list[tuple[bytes, bytes | Path, int]] = [(_head(boundary, "request", "", "application/json"), text, len(text))]
    for name, file in named.items():
        content = _content(file)
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        parts.append((_head(boundary, "files", os.fspath(name), "application/octet-stream"), content, size))
    tail = f"--{boundary}--\r\n".encode()

    async def pieces() -> AsyncIterator[bytes]:
        for head, content, size in parts:
            yield head
            if isinstance(content, bytes):
                yield content
            else:
                with content.open("rb") as file:
                    left = size
                    while left:
                        piece = file.read(min(_PIECE, left))
                        if not piece:
                            raise ValueError(f"{content} has become shorter while it was sent")
                        left -= len(piece)
                        yield piece
            yield b"\r\n"
        yield tail

    length = sum(len(head) + size + 2 for head, _, size in parts) + len(tail)
    return Body(f"multipart/form-data; boundary={boundary}", length, pieces)


def _content(file: File) -> bytes | Path:
    if isinstance(file, (bytes, bytearray)):
        return bytes(file)
    if isinstance(file, (str, os.PathLike)):
        return Path(file)
    return file.read()  # kept, since another try sends it again


def _head(boundary: str, field: str, filename: str, kind: str) -> bytes:
    # The escapes of WHATWG HTML, which RFC 7578 leaves to it.
    escaped = filename.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    name = f'name="{field}"' + (f'; filename="{escaped}"' if filename else "")
    return f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {kind}\r\n\r\n".encode()
