"""What the caller asked, from the JSON on stdin."""

from __future__ import annotations

import json
from typing import Any

LONGEST = 20_000  # characters of one question
ROLES = ("system", "user", "assistant")


class BadPayload(Exception):
    """Ends the run with exit code 2 and this sentence."""


def conversation(raw: str) -> list[dict[str, str]]:
    """The conversation so far; the last message is the user's question."""
    if not raw.strip():
        raise BadPayload('stdin is empty: send a JSON object like {"input": "What do customers complain about most?"}.')
    try:
        payload = json.loads(raw)
    except ValueError as error:
        raise BadPayload(f'stdin is not valid JSON ({error}): send an object like {{"input": "..."}}.') from error
    if not isinstance(payload, dict):
        raise BadPayload(f'the payload is a JSON {type(payload).__name__}, not an object: send {{"input": "..."}} or {{"messages": [...]}}.')

    if "messages" in payload:
        messages = _messages(payload["messages"])
    elif "input" in payload:
        messages = [{"role": "user", "content": _text(payload["input"], "input")}]
    else:
        raise BadPayload(f'the payload has neither "input" nor "messages" (it has: {", ".join(map(repr, payload)) or "nothing"}).')

    if messages[-1]["role"] != "user" or not messages[-1]["content"].strip():
        raise BadPayload("there is no question: the last message must come from the user and must not be empty.")
    return messages


def _messages(value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list) or not value:
        raise BadPayload('"messages" must be a list with at least one {"role": ..., "content": ...}.')
    messages = []
    for i, message in enumerate(value):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise BadPayload(f'messages[{i}] must be an object with a "role" ({", ".join(ROLES)}) and a "content".')
        messages.append({"role": message["role"], "content": _text(message.get("content"), f"messages[{i}].content")})
    return messages


def _text(value: Any, where: str) -> str:
    """A string, or the list of text parts that some clients send."""
    if isinstance(value, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in value):
        value = "\n".join(part["text"] for part in value)
    if not isinstance(value, str):
        raise BadPayload(f"{where} must be a string.")
    if len(value) > LONGEST:
        raise BadPayload(f"{where} is longer than {LONGEST:,} characters: shorten the question.")
    return value
