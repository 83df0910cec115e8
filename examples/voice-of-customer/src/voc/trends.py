"""Counts over the period, and whether a change is more than chance."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Sequence

from .analysis import Trend
from .messages import Corpus

BUCKETS = {"day": 24, "week": 7, "month": 30, "quarter": 13, "year": 12}
UNITS = {"day": "hour", "week": "day", "month": "day", "quarter": "week", "year": "month"}
CLEAR = 2.0  # standard deviations; about 1 in 20 steady topics crosses it by chance


def labels(corpus: Corpus, period: str) -> list[str]:
    """Names of the buckets: dates, or "day 1", "day 2", ... when the data has no dates."""
    count = BUCKETS[period]
    if not corpus.dated:
        return [f"{UNITS[period]} {i + 1}" for i in range(count)]
    width = (corpus.end - corpus.start) / count
    form = {"hour": "%H:00", "day": "%a %d %b", "week": "%d %b", "month": "%b %Y"}[UNITS[period]]
    return [(corpus.start + width * i).strftime(form) for i in range(count)]


def bucket(when: datetime, corpus: Corpus, period: str) -> int:
    count = BUCKETS[period]
    return max(0, min(count - 1, int((when - corpus.start) / (corpus.end - corpus.start) * count)))


def series(members: Sequence[int], corpus: Corpus, period: str) -> list[int]:
    """How many of these messages (numbers in corpus.current) fall into each bucket."""
    counts = [0] * BUCKETS[period]
    for i in members:
        when = corpus.current[i].when
        if when is not None:
            counts[bucket(when, corpus, period)] += 1
    return counts


def compare(now: int, before: int, basis: str) -> Trend:
    """Two counts of equally long times. Counts of independent messages scatter by their square root."""
    scatter = math.sqrt(now + before)
    distance = (now - before) / scatter if scatter else 0.0
    direction = "rising" if distance >= CLEAR else "falling" if distance <= -CLEAR else "steady"
    return Trend(direction, now, before, basis)


def trend(members: Sequence[int], previous: int, corpus: Corpus, period: str) -> Trend:
    """Compare with the period before if the data reaches so far back, else the two halves of this one."""
    if not corpus.dated:
        return Trend("unknown", len(members), 0, "the data has no dates")
    if corpus.previous:
        return compare(len(members), previous, f"the {period} before")
    middle = corpus.start + (corpus.end - corpus.start) / 2
    second = sum(1 for i in members if corpus.current[i].when and corpus.current[i].when >= middle)
    return compare(second, len(members) - second, f"first half of the {period}")
