"""A file from the server, taken up where a cut line left it."""

from __future__ import annotations

import io
import os
import secrets
from pathlib import Path
from typing import BinaryIO, Union

from ._backoff import Backoff
from ._call import Caller
from .errors import Problem, Unreachable


async def download(caller: Caller, where: str, to: Union[str, Path, BinaryIO, None]) -> bytes:
    if to is None:
        memory = io.BytesIO()
        await _copy(caller, where, memory)
        return memory.getvalue()
    if not isinstance(to, (str, os.PathLike)):
        await _copy(caller, where, to)
        return b""
    target = Path(to)
    aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with aside.open("wb") as file:
            await _copy(caller, where, file)
        aside.replace(target)  # nobody ever reads half a file
    finally:
        aside.unlink() if aside.exists() else None
    return b""


async def _copy(caller: Caller, where: str, file: BinaryIO) -> None:
    done, tries = 0, Backoff(caller.give_up_after)
    while True:
        try:
            asked = {"Range": f"bytes={done}-"} if done else {}
            response = await caller.open("GET", where, accept="*/*", headers=asked)
            try:
                skip = done if response.status != 206 else 0  # a proxy that knows no ranges sends it from the beginning
                while data := await response.read(caller.timeout):
                    data, skip = data[skip:], max(0, skip - len(data))
                    file.write(data)
                    done += len(data)
                    tries.reset()
                return
            finally:
                response.close()
        except (Problem, Unreachable) as error:
            if isinstance(error, Problem) and error.status == 416 and done:
                return  # the line was cut after the last byte
            await caller.sleep(tries.pause(error))
