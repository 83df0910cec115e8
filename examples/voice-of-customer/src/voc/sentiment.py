"""Sentiment by a lexicon: words with a sign, negation and emphasis. No model, so it misses irony and context.

The score of a message is the sum of its cues, pressed into -1..1 by s / sqrt(s² + 9): one clear word gives
about ±0.5. From ±0.2 on a message counts as positive or negative; the rest is neutral, most questions are.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Sequence

from .text import stem, words

CLEAR = 0.2
REACH = 3  # a negation turns the cues within the next three words
TURN = -0.6  # "not great" is bad, but not as bad as "great" is good


def _lexicon(*groups: tuple[float, str]) -> dict[str, float]:
    return {stem(word): weight for weight, listed in groups for word in listed.split()}


LEXICON = _lexicon(
    (3.0, "amazing awesome brilliant delicious delighted excellent fantastic flawless incredible love loved outstanding perfect superb wonderful best"),
    (2.0, "glad gladly great happy helpful impressed lovely pleasant recommend recommended satisfied smooth super thrilled friendly delight fragrant beautiful"),
    (1.2, "easy enjoy fast fresh good kind nice quick reliable thanks thank solved works worked fine appreciate convenient"),
    (-3.0, "awful disgusting disgrace fraud fraudulent hate horrible nightmare outrageous scam scandal shameful stolen terrible theft unacceptable useless worst worthless unusable hacked"),
    (-2.0, "angry annoyed annoying bad broke broken crash crashed crashes crushed damaged disappointed disappointing fail failed failing fails failure frustrated frustrating poor ridiculous ruined sick stale torn unhappy upset unauthorized unauthorised"),
    (-1.5, "blocked cheated chargeback compromised complain complaint delayed defective dispute duplicate error errors expired freezes froze frozen hang hangs incorrect incorrectly invalid late lost missing overcharged rejected rude stuck suspicious unable unexpected unknown wet worried worry wrong wrongly"),
    (-1.0, "bug declined delay denied difficult empty glitch hidden impossible issue locked lacking mistake problem refused slow trouble unclear unfair confused confusing confuses killed reverted"),
)
# Politeness says nothing about satisfaction: "please", "thank you in advance", "keep me posted".
for _word in ("please", "keep", "thank"):
    LEXICON.pop(stem(_word), None)

# Cues that only several words make. They are matched first and hide their words from the lexicon.
PHRASES = [
    (re.compile(pattern), weight)
    for pattern, weight in [
        (r"\b(?:does|do|did|is|are|has|have|will)(?: not|n't) (?:work|working|arrive|arrived|come|help|understand|answer|load|open|show|moved?|let|reached?|received|accepted|saved)\b", -1.8),
        (r"\b(?:never|still not|not yet|no longer) (?:\w+ )?(?:arrive[ds]?|came|come|work(?:s|ed)?|received?)\b", -1.8),
        (r"\bstill (?:waiting|not|no|have(?:n't| no| not)|has(?:n't| no| not)|pending|missing)\b", -1.6),
        (r"\b(?:can't|cannot|can not|could not|couldn't|unable to)\b", -1.2),
        (r"\b(?:no|without(?: a| an| any)?|got no|not any) (?:reply|answer|response|help|refund|parcel|delivery|movement|reason|warning)\b", -1.6),
        (r"\bnobody (?:answers|told|replies|helps|cares)\b", -1.6),
        (r"\b(?:charged|paid|billed|debited) (?:me )?(?:twice|two times|again|double)\b", -1.6),
        (r"\bworked (?:\w+ )?(?:before|until)\b", -1.2),
        (r"\b(?:closes|closed|restarts|logs me out) (?:itself|by itself|on me)\b", -2.0),
        (r"\bnot acceptable\b", -2.5),
        (r"\b(?:second|third|fourth) time\b", -1.0),
        (r"\bwhy (?:was|were|is|are|has|have|did|does|do|can't|won't|isn't|hasn't) (?:i|my|you|it|the|there)\b", -0.8),
        (r"\b(?:five|5) stars\b", 2.5),
        (r"\bkeep it up\b", 2.0),
        (r"\bmade my (?:day|morning|week)\b", 2.5),
        (r"\bbig thanks\b|\bmany thanks\b|\bthanks (?:to|for)\b|\bthank you!", 1.8),
        (r"\blike (?:it|the|your|this) .{0,30}very much\b", 1.5),
        (r"\b(?:best wishes|would love|would like|would be (?:great|nice|good|fantastic|helpful)|good (?:morning|evening|day)|love to)\b", 0.0),
        (r"\bno (?:problems?|issues?|trouble|complaints?)\b", 1.0),
        (r"\b(?:lost|stole|stolen) my (?:card|phone|wallet)\b", -2.0),
    ]
]
NEGATIONS = frozenset("not no never nothing nobody without neither nor hardly isn't wasn't aren't weren't don't doesn't didn't won't wouldn't can't cannot couldn't haven't hasn't".split())
EMPHASIS = {"very": 1.3, "really": 1.3, "so": 1.2, "too": 1.2, "extremely": 1.5, "completely": 1.4, "totally": 1.4, "absolutely": 1.4, "super": 1.3, "much": 1.1, "slightly": 0.6, "bit": 0.7}


@dataclass(frozen=True)
class Feeling:
    score: float  # -1..1
    label: str  # negative | neutral | positive
    cues: tuple[str, ...]  # the words it rests on


def feel(text: str) -> Feeling:
    """Score one message."""
    rest = text.lower().replace("’", "'")
    total = 0.0
    cues: list[str] = []
    for pattern, weight in PHRASES:
        for match in pattern.finditer(rest):
            total += weight
            if weight:
                cues.append(match.group(0))
        rest = pattern.sub(" . ", rest)

    turned_until = -1
    emphasis = 1.0
    for position, word in enumerate(words(rest)):
        if word in NEGATIONS:
            turned_until = position + REACH
            continue
        weight = LEXICON.get(stem(word), 0.0)
        if weight:
            total += weight * emphasis * (TURN if position <= turned_until else 1.0)
            cues.append(f"not {word}" if position <= turned_until else word)
        emphasis = EMPHASIS.get(word, 1.0)
    if text.count("!") >= 2:
        total *= 1.15
    score = total / math.sqrt(total * total + 9.0)
    label = "negative" if score <= -CLEAR else "positive" if score >= CLEAR else "neutral"
    return Feeling(round(score, 3), label, tuple(cues))


def tally(feelings: Sequence[Feeling]) -> dict[str, float]:
    """Counts per label and the mean score."""
    counts = {label: sum(f.label == label for f in feelings) for label in ("negative", "neutral", "positive")}
    return {**counts, "mean": round(sum(f.score for f in feelings) / len(feelings), 3) if feelings else 0.0}
