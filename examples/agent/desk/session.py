"""One question, one answer.

Exit codes: 0 answered · 1 the model's line broke in the middle of its answer · 2 bad payload · 143 cancelled.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from . import model, planner
from .contract import Contract
from .payload import BadPayload, conversation
from .tools import Toolbox, ToolError

PLANNER = "rule-based planner"
MOST_CALLS = 40  # a model that loops is stopped here


class Stopped(BaseException):
    """SIGTERM or SIGINT; not an Exception, so that no ordinary handler swallows it."""


def main() -> int:
    try:
        talk = conversation(sys.stdin.buffer.read().decode("utf-8", "replace"))
    except BadPayload as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    session = Session(Contract(), talk)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        return session.answer()
    except Stopped as stop:
        session.finish("cancelled")
        return 128 + stop.args[0]
    except BrokenPipeError:
        # Nobody reads the answer any more. Say so by the code, and keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def _stop(number: int, frame: Any) -> None:
    for other in (signal.SIGTERM, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)


class Session:
    def __init__(self, contract: Contract, talk: list[dict[str, str]]) -> None:
        self.contract = contract
        self.talk = talk
        self.tools_used: list[dict[str, Any]] = []
        self.model = PLANNER
        self.notes: list[str] = []

    def answer(self) -> int:
        self.contract.event("agent", name="agent", status="running", message="reading the messages")
        # Imported late: a bad payload is refused before any data is read.
        from .data import Desk

        self.desk = Desk()
        self.toolbox = Toolbox(self.desk)
        chosen = model.configured()
        if chosen:
            if chosen.key:
                self.contract.event("redact", value=chosen.key)
            self._use(chosen.name, f"answers come from {chosen.name} at {chosen.url}")
            try:
                chosen.answer(self.talk, self.call, self.contract.token)
                return self._done()
            except model.NoAnswer as reason:
                note = f"{chosen.name} could not be used: {reason}"
                self.notes.append(note)
                print(f"warning: {note}", file=sys.stderr)
                if self.contract.said:  # half an answer is out; a second voice would contradict it
                    self.finish("failed")
                    return 1
        self._use(PLANNER, "no model is configured: answers come from a few rules" if not chosen else "going on with a few rules")
        self.contract.speak(planner.answer(self.talk[-1]["content"], self.desk, self.call))
        return self._done()

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Run a tool and tell it as an event. A wrong call is answered, not raised: a model can then do better."""
        if len(self.tools_used) >= MOST_CALLS:
            return {"error": "too many tool calls; answer with what you have"}
        self.tools_used.append({"name": name, "arguments": arguments})
        self.contract.event("tool", name=name, status="running", arguments=arguments)
        try:
            got = self.toolbox.call(name, arguments)
        except ToolError as error:
            self.contract.event("tool", name=name, status="failed", message=str(error))
            return {"error": str(error)}
        self.contract.event("tool", name=name, status="completed", message=_brief(got))
        return got

    def finish(self, status: str) -> None:
        """Result and last event; also for an answer that was cut short."""
        self.contract.result(
            {"status": status, "answer": self.contract.said.strip(), "tools_used": self.tools_used, "model": self.model, "notes": self.notes}
        )
        self.contract.event("agent", name="agent", status="completed" if status == "completed" else "failed", message=status)

    def _done(self) -> int:
        self.contract.token("\n")
        self.finish("completed")
        return 0

    def _use(self, name: str, message: str) -> None:
        self.model = name
        self.contract.event("agent", name="agent", status="running", message=message, model=name)


def _brief(got: dict[str, Any]) -> str:
    """What a tool returned, in a few words."""
    parts = [f"{key} {len(value)}" if isinstance(value, list) else f"{key} {value}" for key, value in got.items() if key != "note"]
    return ", ".join(parts)[:200]
