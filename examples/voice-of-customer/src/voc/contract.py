"""What the runner gives to an engine, and what it takes back. No SDK: a few variables, one pipe, two paths.

Everything here also works without a runner: then artifacts go to ./outputs and no events are sent.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Mapping, Optional

# A write of at most this many bytes to a pipe is never torn apart or mixed with another one (POSIX PIPE_BUF
# is at least 512; Linux has 4096). Events stay below it, so a signal can't leave half a line behind.
LONGEST_EVENT = 4000


@dataclass
class Contract:
    """One attempt as the engine sees it."""

    output_dir: Path
    result_file: Path
    execution_id: str = "by-hand"
    attempt: int = 1
    deadline: Optional[datetime] = None
    events_fd: Optional[int] = None
    warnings: list[str] = field(default_factory=list)
    _percent: int = -1

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> "Contract":
        """Read the variables; each may be missing."""
        output_dir = Path(env.get("EXECUTION_OUTPUT_DIR") or "outputs")
        output_dir.mkdir(parents=True, exist_ok=True)
        contract = cls(
            output_dir=output_dir,
            result_file=Path(env.get("EXECUTION_RESULT_FILE") or output_dir / "result.json"),
            execution_id=env.get("EXECUTION_ID") or "by-hand",
        )
        if env.get("EXECUTION_ATTEMPT", "").isdigit():
            contract.attempt = int(env["EXECUTION_ATTEMPT"])
        contract.deadline = contract._instant(env.get("EXECUTION_DEADLINE", ""))
        contract.events_fd = contract._pipe(env.get("EXECUTION_EVENTS_FD", ""))
        return contract

    def seconds_left(self) -> Optional[float]:
        """Time until the runner will end this attempt; None when it set no deadline."""
        return None if self.deadline is None else (self.deadline - datetime.now(timezone.utc)).total_seconds()

    def event(self, type_: str, **fields: Any) -> None:
        """Send one event. A reader that has gone away is no reason to stop the work."""
        if self.events_fd is None:
            return
        if isinstance(fields.get("message"), str):
            fields["message"] = fields["message"][:500]
        line = json.dumps({"type": type_, **fields}, ensure_ascii=True) + "\n"
        if len(line) > LONGEST_EVENT:
            return
        try:
            os.write(self.events_fd, line.encode("ascii"))
        except OSError:
            self.events_fd = None

    def progress(self, percent: float, message: str = "") -> None:
        """Report how far the work is. It never goes back, and the same percent is not sent twice."""
        whole = max(0, min(100, int(percent)))
        if whole > self._percent:
            self._percent = whole
            self.event("progress", percent=whole, message=message)

    def agent(self, name: str, status: str, message: str = "") -> None:
        self.event("agent", name=name, status=status, message=message)

    def artifact(self, path: str, text: str) -> None:
        """Keep a file. It appears whole or not at all, also when a signal comes in the middle."""
        target = self.output_dir / path
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(target, text)
        self.event("artifact", path=path)

    def result(self, value: Mapping[str, Any]) -> None:
        """The execution's result, as JSON."""
        _write_whole(self.result_file, json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def _instant(self, text: str) -> Optional[datetime]:
        if not text:
            return None
        try:
            # Python before 3.11 knows neither "Z" nor more than six digits of a second.
            plain = text.strip().replace("Z", "+00:00").replace("z", "+00:00")
            head, dot, tail = plain.partition(".")
            if dot:
                digits = len(tail) - len(tail.lstrip("0123456789"))
                plain = f"{head}.{tail[:digits][:6].ljust(6, '0')}{tail[digits:]}"
            instant = datetime.fromisoformat(plain)
        except ValueError:
            self.warnings.append(f"EXECUTION_DEADLINE={text!r} is not an RFC 3339 instant; going on without a deadline")
            return None
        return instant if instant.tzinfo else instant.replace(tzinfo=timezone.utc)

    def _pipe(self, text: str) -> Optional[int]:
        if not text:
            return None
        try:
            number = int(text)
            os.fstat(number)
        except (ValueError, OSError):
            self.warnings.append(f"EXECUTION_EVENTS_FD={text!r} is not an open file descriptor; going on without events")
            return None
        return number


def _write_whole(target: Path, text: str) -> None:
    draft = target.with_name(f".{target.name}.part")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, target)
