"""The live log: one line per step on stdout, warnings on stderr, each with the seconds since the start."""

from __future__ import annotations

import sys
import time


class Log:
    def __init__(self) -> None:
        self.begun = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self.begun

    def say(self, who: str, text: str) -> None:
        self._write(sys.stdout, who, text)

    def warn(self, who: str, text: str) -> None:
        self._write(sys.stderr, who, f"warning: {text}")

    def _write(self, stream, who: str, text: str) -> None:
        lines = "".join(f"[{self.seconds():6.1f}s] {who:<15} {line}\n" for line in text.splitlines() or [""])
        try:
            stream.write(lines)
            stream.flush()  # somebody may be watching live
        except OSError:
            pass  # nobody reads any more; the files are still worth making
