"""Urgency by cues: signs that somebody should look at a message today rather than this week."""

from __future__ import annotations

import re

# name: (pattern, points); from URGENT points on a message is urgent
CUES = {
    "says so": (re.compile(r"\b(?:urgent(?:ly)?|asap|immediately|emergency|right (?:now|away)|at once|straight away|quickly as possible)\b", re.I), 2),
    "has a date": (re.compile(r"\b(?:today|tonight|tomorrow|this (?:week|morning)|by (?:mon|tues|wednes|thurs|fri|satur|sun)day|before the next)\b", re.I), 1),
    "locked out": (re.compile(r"\b(?:locked out|can'?t (?:log ?in|get in(?:to)?|access|sign in)|account (?:is )?(?:blocked|locked)|unblock|unlock)\b", re.I), 1),
    "money at risk": (re.compile(r"\b(?:fraud\w*|stolen|stole|scam\w*|hacked|compromised|unauthori[sz]ed|charged twice|paid twice|didn'?t make|don'?t recogni[sz]e|lost my card)\b", re.I), 2),
    "will leave": (re.compile(r"\b(?:chargeback|lawyer|legal|consumer protection|switch(?:ing)? to|leav(?:e|ing) you|cancel(?:ling)? everything|never order)\b", re.I), 2),
    "asked before": (re.compile(r"\b(?:(?:second|third|fourth|fifth) time|(?:three|four|five|several|many) times|again and again|asked twice|no repl(?:y|ies)|still no)\b", re.I), 1),
    "loud": (re.compile(r"!!|\b[A-Z]{4,}(?: [A-Z]{2,}){2,}"), 1),
}
URGENT = 2


def cues(text: str) -> list[str]:
    """The names of the cues in a message; [] when they do not add up to urgency."""
    found = [name for name, (pattern, _) in CUES.items() if pattern.search(text)]
    return found if sum(CUES[name][1] for name in found) >= URGENT else []
