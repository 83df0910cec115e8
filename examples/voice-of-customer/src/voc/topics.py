"""Turn groups of vectors into topics a reader can use: a name, its terms, quotes that stand for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Sequence

from . import merge, vectors
from .cluster import Tick
from .messages import Message

NEAR = 0.12  # a message less alike than this (cosine) belongs to no topic
SMALLEST = 3
PAIR_SHARE = 0.35  # of the messages with the word, that many must hold the pair
QUOTES = 4
QUOTE_LENGTH = (25, 240)  # characters of a good quote; others only if there is nothing better


@dataclass(frozen=True)
class Found:
    """Topics over all messages given. groups[i] is a topic number (0..) or -1; labels go by topic number."""

    groups: list[int]
    fit: list[float]
    labels: list[str]
    terms: list[list[str]]
    cohesion: list[float]
    reason: str
    curve: list[tuple[int, float]]


def find(texts: Sequence[str], wanted: Optional[int], restarts: int, seed: int, tick: Tick) -> Found:
    """Vectors, groups, names."""
    space = vectors.build(texts)
    tick(0.05)
    choice = merge.find(space.vectors, wanted, restarts, seed, lambda share: tick(0.05 + 0.9 * share))
    c = choice.clustering
    groups = [g if f >= NEAR else -1 for g, f in zip(c.groups, c.fit)]
    members = [[i for i, g in enumerate(groups) if g == topic] for topic in range(c.k)]

    # Renumber by size, drop what is too small to be called a topic.
    order = sorted((t for t in range(c.k) if len(members[t]) >= SMALLEST), key=lambda t: (-len(members[t]), t))
    place = {topic: i for i, topic in enumerate(order)}
    labels, terms = [], []
    taken: set[str] = set()
    for topic in order:
        ranked = _ranked_terms(space, c.centres[topic], members[topic])
        labels.append(_label(ranked, taken))
        terms.append([term.form for term in ranked[:8]])
    tick(1.0)
    return Found(
        [place.get(g, -1) for g in groups],
        c.fit,
        labels,
        terms,
        [sum(c.fit[i] for i in members[t]) / len(members[t]) for t in order],
        choice.reason,
        choice.curve,
    )


@dataclass(frozen=True)
class _Term:
    key: str
    form: str
    inside: int  # messages of the topic that hold it

    @property
    def parts(self) -> set[str]:
        return set(self.key.split())


def _ranked_terms(space: vectors.Space, centre: vectors.Vector, members: Sequence[int]) -> list[_Term]:
    """Terms of a topic, best first: heavy in its centre, and more frequent inside than outside."""
    inside = {term: 0 for term in centre}
    for i in members:
        for term in space.vectors[i]:
            if term in inside:
                inside[term] += 1
    everywhere = max(1, len(space.vectors))

    def worth(term: int) -> float:
        coverage = inside[term] / len(members)
        lift = coverage / (space.frequency[term] / everywhere)
        return centre[term] * math.sqrt(coverage) * math.log1p(lift)

    best = sorted((t for t in centre if inside[t]), key=lambda t: (-worth(t), t))
    return [_Term(space.keys[t], space.forms[t], inside[t]) for t in best[:12]]


def _label(ranked: Sequence[_Term], taken: set[str]) -> str:
    """Two or three terms that do not repeat each other; one more if another topic has this name already."""
    chosen: list[str] = []
    used: set[str] = set()
    for term in ranked:
        if term.parts & used:
            continue
        # A pair says more than its first word alone ("top up", not "top"), if it is what people mostly write.
        pairs = [other for other in ranked if len(other.parts) == 2 and term.parts < other.parts and not other.parts & used]
        best = max(pairs, key=lambda other: other.inside, default=None)
        if best and best.inside >= PAIR_SHARE * term.inside:
            term = best
        chosen.append(term.form)
        used |= term.parts
        enough = 2 if any(" " in form for form in chosen) else 3
        if len(chosen) >= enough and _join(chosen) not in taken:
            break
    label = _join(chosen)
    taken.add(label)
    return label


def _join(terms: Sequence[str]) -> str:
    text = ", ".join(terms)
    return text[:1].upper() + text[1:]


def representative(members: Sequence[int], fit: Sequence[float], messages: Sequence[Message], count: int = QUOTES) -> list[int]:
    """Messages near the centre, of readable length, and not saying the same thing twice."""
    low, high = QUOTE_LENGTH

    def worth(i: int) -> tuple[float, int]:
        length = len(messages[i].text)
        return (-(fit[i] * (1.0 if low <= length <= high else 0.4)), i)

    chosen: list[int] = []
    seen: list[set[str]] = []
    for i in sorted(members, key=worth):
        words = set(messages[i].text.lower().split())
        if all(len(words & other) / max(1, len(words | other)) < 0.4 for other in seen):
            chosen.append(i)
            seen.append(words)
            if len(chosen) == count:
                break
    return chosen
