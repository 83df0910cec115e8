"""An event stream as WHATWG HTML 9.2.6 says: lines end with LF, CR or CRLF, a blank one ends an event, and
an event that the end of the stream cuts off is dropped."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import Unreachable

_LONGEST_LINE = 32 << 20  # the largest event of the server, with room
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # a CR that is the last byte may be half of CRLF


@dataclass
class Frame:
    id: str
    event: str
    data: str


class Parser:
    """Takes bytes as they come and gives the frames that are whole."""

    def __init__(self) -> None:
        self._buffer = b""
        self._begun = False
        self._event = ""
        self._data: list[str] = []
        self._id = ""  # stays until the next, as the standard has it
        self.retry: float | None = None  # seconds; the server's last word on when to reconnect

    def feed(self, data: bytes) -> list[Frame]:
        half = self._buffer.endswith(b"\r")
        self._buffer += data
        if len(self._buffer) > _LONGEST_LINE:
            raise Unreachable("the stream has a line of more than 32 MiB")
        if b"\n" not in data and b"\r" not in data and not half:
            return []  # a large event comes in many pieces: only what is new is searched
        *lines, self._buffer = _LINE_END.split(self._buffer)
        frames = []
        for line in lines:
            if not self._begun:
                self._begun, line = True, line[3:] if line.startswith(b"\xef\xbb\xbf") else line
            frame = self._line(line.decode("utf-8", "replace"))
            if frame:
                frames.append(frame)
        return frames

    def _line(self, line: str) -> Frame | None:
        if not line:
            frame = Frame(self._id, self._event or "message", "\n".join(self._data)) if self._data else None
            self._event, self._data = "", []
            return frame
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value) / 1000
        return None
