"""How well two groupings of the same messages agree. Used against known categories, and against a second run."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from typing import Hashable, Sequence


def purity(topics: Sequence[Hashable], categories: Sequence[Hashable]) -> float:
    """Share of messages that carry the most frequent category of their topic. Rises with the number of topics."""
    inside: dict[Hashable, Counter] = defaultdict(Counter)
    for topic, category in zip(topics, categories):
        inside[topic][category] += 1
    return sum(max(c.values()) for c in inside.values()) / max(1, len(topics))


def mutual_information(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """Normalized mutual information (arithmetic mean): 0 = independent, 1 = the same grouping."""
    n = len(a)
    if not n:
        return 0.0
    in_a, in_b, both = Counter(a), Counter(b), Counter(zip(a, b))
    shared = sum(c / n * math.log(c * n / (in_a[x] * in_b[y])) for (x, y), c in both.items())
    mean = (_entropy(in_a, n) + _entropy(in_b, n)) / 2
    return max(0.0, shared / mean) if mean else 1.0


def by_chance(topics: Sequence[Hashable], categories: Sequence[Hashable], seed: int) -> tuple[float, float]:
    """Purity and mutual information after shuffling: what the numbers above are worth nothing below."""
    shuffled = list(categories)
    random.Random(seed).shuffle(shuffled)
    return purity(topics, shuffled), mutual_information(topics, shuffled)


def _entropy(counts: Counter, n: int) -> float:
    return -sum(c / n * math.log(c / n) for c in counts.values())
