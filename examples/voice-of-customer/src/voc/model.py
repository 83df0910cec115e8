"""A model behind an OpenAI-compatible chat-completions endpoint, by urllib. Optional: the analysis never needs it."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Optional

DEFAULT_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "gpt-4o-mini"
TIMEOUT = 30.0  # seconds for one answer; a summary of two paragraphs takes a few
RETRIES = 2
PAUSE = 1.0  # seconds before the first retry, doubled each time
AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504})  # answers that may be better next time


class NoAnswer(Exception):
    """The model could not be used; the text says why in one sentence."""


@dataclass(frozen=True)
class Model:
    url: str
    key: str
    name: str
    log: Callable[[str], None]
    seconds_left: Callable[[], Optional[float]] = lambda: None

    def ask(self, system: str, question: str) -> str:
        """One question, one answer, with two retries. Raises NoAnswer."""
        body = {
            "model": self.name,
            "temperature": 0.2,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": question}],
        }
        for attempt in range(RETRIES + 1):
            left = self.seconds_left()
            timeout = TIMEOUT if left is None else min(TIMEOUT, left - 10)  # keep time to write the report
            if timeout <= 1:
                raise NoAnswer("there is no time left before the deadline")
            try:
                return self._post(body, timeout)
            except urllib.error.HTTPError as error:
                reason, hopeless = f"the endpoint answered {error.code} {error.reason}", error.code not in AGAIN
            except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
                reason, hopeless = f"no usable answer ({getattr(error, 'reason', None) or error or type(error).__name__})", False
            if hopeless or attempt == RETRIES:
                raise NoAnswer(reason)
            self.log(f"{reason}; trying again ({attempt + 1} of {RETRIES})")
            time.sleep(PAUSE * 2**attempt)
        raise AssertionError("unreachable")

    def _post(self, body: Mapping[str, Any], timeout: float) -> str:
        headers = {"Content-Type": "application/json", "User-Agent": "voice-of-customer"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(f"{self.url}/chat/completions", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=timeout) as response:
            answer = json.loads(response.read(1 << 20))
        text = answer["choices"][0]["message"]["content"]
        if not isinstance(text, str) or not text.strip():
            raise ValueError("the answer is empty")
        return text.strip()


def configured(log: Callable[[str], None], seconds_left: Callable[[], Optional[float]], env: Mapping[str, str] = os.environ) -> Optional[Model]:
    """The model that the environment names; None when it names neither a key nor an address."""
    key, url = env.get("OPENAI_API_KEY", "").strip(), env.get("OPENAI_BASE_URL", "").strip()
    if not key and not url:
        return None
    if url and not url.startswith(("http://", "https://")):
        log(f"OPENAI_BASE_URL={url!r} is no http(s) address; it is not used")
        return None
    return Model((url or DEFAULT_URL).rstrip("/"), key, env.get("OPENAI_MODEL", "").strip() or DEFAULT_MODEL, log, seconds_left)
