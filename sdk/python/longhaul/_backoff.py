"""Pauses between the tries of one call.

They are random up to a bound that doubles, so that clients that a deploy has cut do not come back as one.
"""

from __future__ import annotations

import random
import time
from typing import Optional, Union

from .errors import Problem, Unreachable

_FIRST, _LONGEST = 0.25, 15.0


class Backoff:
    def __init__(self, give_up_after: float) -> None:
        self._give_up_after = give_up_after
        self.reset()

    def reset(self) -> None:
        """Notes a success."""
        self._since: Optional[float] = None
        self._bound = 0.0

    def pause(self, error: Union[Problem, Unreachable]) -> float:
        """How long to wait after error; raises it where trying on is vain."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        if not error.passes or now - self._since >= self._give_up_after:
            raise error
        self._bound = min(max(2 * self._bound, _FIRST), _LONGEST)
        told = min(error.retry_after, _LONGEST) if isinstance(error, Problem) else 0
        return self.spread(self._bound) + told

    @staticmethod
    def spread(bound: float) -> float:
        return random.uniform(0, bound)
