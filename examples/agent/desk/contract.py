"""The engine's side of the contract: events, result, and an answer that flows token by token."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, Mapping

TOKEN = re.compile(r"\s*\S+")


class Contract:
    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self.result_file = env.get("EXECUTION_RESULT_FILE") or ""
        self.output_dir = Path(env.get("EXECUTION_OUTPUT_DIR") or "outputs")
        self.delay = _seconds(env.get("AGENT_TOKEN_DELAY"))
        self.said = ""
        self._fd = _open_fd(env.get("EXECUTION_EVENTS_FD"))

    def event(self, type_: str, **fields: Any) -> None:
        """One NDJSON line on the events pipe; without a pipe, nothing. Short, so that a pipe never tears it."""
        if self._fd is None:
            return
        line = json.dumps({"type": type_, **fields})
        if len(line) > 4000:
            fields = {k: v if len(json.dumps(v)) < 500 else "(too long)" for k, v in fields.items()}
            line = json.dumps({"type": type_, **fields})
        try:
            os.write(self._fd, line.encode() + b"\n")
        except OSError:
            self._fd = None

    def token(self, text: str) -> None:
        """Write a piece of the answer now: readers see it at once, no newline needed."""
        self.said += text
        sys.stdout.write(text)
        sys.stdout.flush()

    def speak(self, text: str) -> None:
        """Say a text the way a model would: word by word."""
        end = 0
        for match in TOKEN.finditer(text):
            self.token(match.group())
            end = match.end()
            if self.delay:
                time.sleep(self.delay)
        self.token(text[end:])

    def result(self, value: Mapping[str, Any]) -> None:
        """Written aside and renamed, so that nobody reads half of it."""
        target = Path(self.result_file) if self.result_file else self.output_dir / "result.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.part")
        draft.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        os.replace(draft, target)
        if not self.result_file:
            print(f"result: {target}", file=sys.stderr)


DELAY = 0.02  # about the pace of a model


def _seconds(text: "str | None") -> float:
    try:
        return min(2.0, max(0.0, float(text))) if text else DELAY
    except ValueError:
        return DELAY


def _open_fd(text: "str | None") -> "int | None":
    try:
        fd = int(text or "")
        os.fstat(fd)
    except (ValueError, OSError):
        return None
    return fd
