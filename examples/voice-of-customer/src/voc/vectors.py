"""TF-IDF: a message as a sparse unit vector over single words and two-word terms."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Sequence

from .text import terms

Vector = dict[int, float]  # term number -> weight; length 1, or empty

MAX_TERMS = 8000  # the rarer rest helps no cluster and costs time
MAX_SHARE = 0.5  # a term in more messages than this is the company's small talk, not a topic
PAIR_WEIGHT = 0.7  # a pair repeats what its two words already said


@dataclass(frozen=True)
class Space:
    """The terms that count, and every message as a vector over them."""

    keys: list[str]
    forms: list[str]  # how the term is mostly written, for labels
    frequency: list[int]  # in how many messages it occurs
    vectors: list[Vector]


def build(texts: Sequence[str]) -> Space:
    """Count, choose the terms, weigh. The same texts in the same order give the same space."""
    counted: list[Counter[str]] = []
    frequency: Counter[str] = Counter()
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        found = terms(text)
        count = Counter(key for key, _ in found)
        counted.append(count)
        frequency.update(count.keys())
        for key, form in found:
            forms[key][form] += 1

    rarest = 2 if len(texts) < 2000 else 3
    chosen = _choose(frequency, rarest, max(MAX_SHARE * len(texts), rarest))
    kept = set(chosen)
    if sum(1 for count in counted if any(key in kept for key in count)) < len(texts) / 2:
        chosen = _choose(frequency, rarest, len(texts))  # messages so alike that the common words are all there is
    number = {key: i for i, key in enumerate(chosen)}
    weight = [
        (math.log((1 + len(texts)) / (1 + frequency[key])) + 1) * (PAIR_WEIGHT if " " in key else 1.0)
        for key in chosen
    ]
    vectors = [
        unit({number[key]: (1 + math.log(n)) * weight[number[key]] for key, n in count.items() if key in number})
        for count in counted
    ]
    spelled = [min(forms[key].items(), key=lambda form: (-form[1], form[0]))[0] for key in chosen]
    return Space(chosen, spelled, [frequency[key] for key in chosen], vectors)


def _choose(frequency: Counter[str], rarest: float, commonest: float) -> list[str]:
    """The terms within these bounds, the most frequent first."""
    within = (key for key, n in frequency.items() if rarest <= n <= commonest)
    return sorted(within, key=lambda key: (-frequency[key], key))[:MAX_TERMS]


def unit(vector: Vector) -> Vector:
    """Scale to length 1, so that a dot product is the cosine."""
    length = math.sqrt(sum(w * w for w in vector.values()))
    return {term: w / length for term, w in vector.items()} if length else {}


def dot(a: Vector, b: Vector) -> float:
    if len(a) > len(b):
        a, b = b, a
    return sum(w * b[term] for term, w in a.items() if term in b)
