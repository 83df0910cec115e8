"""From many small groups to a few topics: merge what costs least, and stop at the bend.

k-means alone needs the number of topics beforehand and depends on its starting points. So it first makes
about three times too many small groups, which are pure. Then the two groups are joined whose union loses
the least of what k-means maximizes (the sum of all cosines to the own centre), again and again. The losses
form a curve over the number of topics: flat while near-duplicates are joined, steep once different subjects are.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Sequence

from .cluster import Clustering, Tick, assign, kmeans, recentre
from .vectors import Vector, dot, unit

FEWEST = 3
MOST = 24  # more topics than this nobody reads; --topics goes beyond it
LEAST = 8  # messages; with fewer, read them
FINE = 3  # small groups per topic at the start
POLISH = 4  # rounds of k-means after the merge, for messages that ended up on the wrong side


@dataclass(frozen=True)
class Choice:
    """The topics, how many, and the sentence that says why so many."""

    clustering: Clustering
    reason: str
    curve: list[tuple[int, float]]  # (number of topics, mean cosine of a message to its topic)


def find(vectors: Sequence[Vector], wanted: int | None, restarts: int, seed: int, tick: Tick) -> Choice:
    """Group the messages into `wanted` topics, or into as many as the curve suggests."""
    filled = sum(1 for v in vectors if v)
    if filled < LEAST:
        raise ValueError(
            f"Only {filled} messages share words with others, and topics need at least {LEAST}: "
            "give more messages, a longer --time-period, or --analysis-type sentiment"
        )
    most = min(wanted or most_topics(filled), filled)
    fine = min(FINE * most, max(most, filled // 3))

    best: Clustering | None = None
    for run in range(restarts):
        done = kmeans(vectors, fine, seed + run, lambda share, run=run: tick(0.85 * (run + share) / restarts))
        if best is None or done.cohesion > best.cohesion:
            best = done
    assert best is not None

    path = _merge_path(vectors, best)
    if wanted:
        k, reason = most, f"{most} topics, as --topics asked"
    else:
        k, reason = _bend(path, most)
    clustering = _polish(vectors, best, path.owners(k), k)
    tick(1.0)
    shown = [(n, path.total[n] / filled) for n in sorted(path.total) if n <= max(most, k)]
    return Choice(clustering, reason, shown)


def most_topics(messages: int) -> int:
    """A topic should hold a few dozen messages, and a reader a few dozen topics at most."""
    return max(FEWEST, min(MOST, int(math.sqrt(messages) / 1.6)))


@dataclass(frozen=True)
class _Path:
    """The joins in order (each: b goes into a), and the sum of cosines that each number of groups reaches."""

    start: int
    joins: list[tuple[int, int]]
    total: dict[int, float]

    def owners(self, k: int) -> list[int]:
        """For each small group the topic (0..k-1) it belongs to when k topics are left."""
        owner = list(range(self.start))
        for a, b in self.joins[: self.start - k]:
            owner = [a if o == b else o for o in owner]
        names = {o: i for i, o in enumerate(sorted(set(owner)))}
        return [names[o] for o in owner]


def _merge_path(vectors: Sequence[Vector], fine: Clustering) -> _Path:
    """Join greedily down to one group. |a+b|² = |a|² + |b|² + 2ab, so the table of dot products is enough."""
    sums: list[Vector] = [defaultdict(float) for _ in range(fine.k)]
    for vector, group in zip(vectors, fine.groups):
        if group >= 0:
            for term, weight in vector.items():
                sums[group][term] += weight
    table = [[dot(a, b) for b in sums] for a in sums]
    alive = list(range(fine.k))
    total = {len(alive): sum(math.sqrt(table[i][i]) for i in alive)}
    joins: list[tuple[int, int]] = []

    def loss(a: int, b: int) -> float:
        together = table[a][a] + table[b][b] + 2 * table[a][b]
        return math.sqrt(table[a][a]) + math.sqrt(table[b][b]) - math.sqrt(max(0.0, together))

    while len(alive) > 1:
        cost, a, b = min((loss(a, b), a, b) for i, a in enumerate(alive) for b in alive[i + 1 :])
        alive.remove(b)
        own = table[a][a] + table[b][b] + 2 * table[a][b]
        for other in alive:
            table[a][other] = table[other][a] = table[a][other] + table[b][other]
        table[a][a] = own
        joins.append((a, b))
        total[len(alive)] = total[len(alive) + 1] - cost
    return _Path(fine.k, joins, total)


def _bend(path: _Path, most: int) -> tuple[int, str]:
    """The number of topics where the curve bends most: farthest above the straight line between its ends."""
    low, high = FEWEST, min(path.start, 2 * most)
    rise = (path.total[high] - path.total[low]) / max(1, high - low)
    above = {k: path.total[k] - (path.total[low] + rise * (k - low)) for k in range(FEWEST, high + 1)}
    k = min(range(FEWEST, min(most, high) + 1), key=lambda k: (-above[k], k))
    if k == most:
        return k, f"{k} topics: the curve of cohesion would allow more, but {most} is what can be read for so many messages (--topics goes beyond)"
    gain = path.total[k] - path.total[k - 1]
    after = path.total[k + 1] - path.total[k]
    reason = (
        f"{k} topics: tried {FEWEST} to {min(most, high)}; the curve of cohesion bends most here "
        f"(topic {k} adds {gain:.1f} to the sum of cosines, topic {k + 1} would add {after:.1f})"
    )
    return k, reason


def _polish(vectors: Sequence[Vector], fine: Clustering, owner: list[int], k: int) -> Clustering:
    """A few rounds of k-means from the merged groups."""
    groups = [owner[g] if g >= 0 else -1 for g in fine.groups]
    fit = fine.fit
    for _ in range(POLISH):
        centres = recentre(vectors, groups, fit, k)
        groups, fit, second = assign(vectors, centres)
    return Clustering(k, groups, fit, second, [unit(c) for c in centres])
