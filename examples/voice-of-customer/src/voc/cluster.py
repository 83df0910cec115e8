"""Spherical k-means: groups of messages that point the same way.

Everything random comes from a seed, and ties break by number, so a run can be repeated exactly.
How many groups to make is decided in merge.py.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Callable, Sequence

from .vectors import Vector, dot, unit

MAX_ROUNDS = 25
SETTLED = 0.002  # stop when fewer than this share of the messages still change their group
CENTRE_TERMS = 120  # a centre keeps its heaviest terms: as good, and several times faster
TRIES = 6  # candidates for each starting centre; the best one is taken

Tick = Callable[[float], None]  # told how far the work is, 0..1


@dataclass(frozen=True)
class Clustering:
    """groups[i] is the group of message i, or -1 when it is near to none; fit[i] its cosine there."""

    k: int
    groups: list[int]
    fit: list[float]
    second: list[float]  # cosine to the next nearest group
    centres: list[Vector]

    @property
    def cohesion(self) -> float:
        return sum(self.fit) / max(1, len(self.fit))


def kmeans(vectors: Sequence[Vector], k: int, seed: int, tick: Tick = lambda share: None) -> Clustering:
    """One run: starting centres, then rounds of assign and re-centre until hardly anybody moves."""
    rng = random.Random(seed * 1_000_003 + k)
    centres = _start(vectors, k, rng)
    groups: list[int] = [-1] * len(vectors)
    for round_ in range(MAX_ROUNDS):
        now, fit, second = assign(vectors, centres)
        moved = sum(a != b for a, b in zip(groups, now))
        groups = now
        tick((round_ + 1) / MAX_ROUNDS)
        if moved <= SETTLED * len(vectors):
            break
        centres = recentre(vectors, groups, fit, k)
    tick(1.0)
    return Clustering(k, groups, fit, second, centres)


def assign(vectors: Sequence[Vector], centres: Sequence[Vector]) -> tuple[list[int], list[float], list[float]]:
    """Nearest centre of each vector, its cosine, and the cosine of the runner-up."""
    postings: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for c, centre in enumerate(centres):
        for term, weight in centre.items():
            postings[term].append((c, weight))
    groups, fit, second = [], [], []
    k = len(centres)
    for vector in vectors:
        score = [0.0] * k
        for term, weight in vector.items():
            for c, other in postings.get(term, ()):
                score[c] += weight * other
        best = max(score)
        if best <= 0.0:
            groups.append(-1), fit.append(0.0), second.append(0.0)
            continue
        at = score.index(best)
        score[at] = -1.0
        groups.append(at), fit.append(best), second.append(max(0.0, max(score)))
    return groups, fit, second


def _start(vectors: Sequence[Vector], k: int, rng: random.Random) -> list[Vector]:
    """k-means++: each new centre is drawn far from those before; of a few draws the most useful is kept."""
    filled = [v for v in vectors if v]
    sample = rng.sample(filled, min(len(filled), 1500))
    centres = [rng.choice(sample)]
    gap = [1.0 - dot(v, centres[0]) for v in sample]
    while len(centres) < k:
        best: tuple[float, Vector, list[float]] | None = None
        for draw in rng.choices(range(len(sample)), weights=[g * g + 1e-9 for g in gap], k=TRIES):
            candidate = sample[draw]
            closer = [min(g, 1.0 - dot(v, candidate)) for g, v in zip(gap, sample)]
            total = sum(closer)
            if best is None or total < best[0]:
                best = (total, candidate, closer)
        assert best is not None
        centres.append(best[1])
        gap = best[2]
    return centres


def recentre(vectors: Sequence[Vector], groups: Sequence[int], fit: Sequence[float], k: int) -> list[Vector]:
    """The mean direction of each group; a group that lost everybody restarts at the worst-placed message."""
    sums: list[dict[int, float]] = [defaultdict(float) for _ in range(k)]
    for vector, group in zip(vectors, groups):
        if group >= 0:
            into = sums[group]
            for term, weight in vector.items():
                into[term] += weight
    strays = iter(sorted((i for i, v in enumerate(vectors) if v), key=lambda i: (fit[i], i)))
    centres = []
    for total in sums:
        if total:
            heaviest = sorted(total.items(), key=lambda item: (-item[1], item[0]))[:CENTRE_TERMS]
            centres.append(unit(dict(heaviest)))
        else:
            centres.append(vectors[next(strays)])
    return centres
