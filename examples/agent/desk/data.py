"""The messages the agent works on: the sample of the voice-of-customer example, and its reading of them."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

# The neighbouring example already reads, splits and scores messages. One reading for both means that the
# agent's numbers are the report's numbers.
VOICE = Path(__file__).resolve().parents[2] / "voice-of-customer"
sys.path.insert(0, str(VOICE / "src"))

from voc import messages as reading, sentiment, text, topics  # noqa: E402
from voc.privacy import mask  # noqa: E402,F401  (for the tools)

PERIODS = ("week", "last_week", "all")


@dataclass(frozen=True)
class Entry:
    when: str  # ISO date
    channel: str
    text: str
    sentiment: str
    topic: str
    stems: frozenset[str]


class Desk:
    """All messages with topic and sentiment. "week" is the week up to the newest message."""

    def __init__(self) -> None:
        options = argparse.Namespace(
            input=None, text_column=None, date_column=None, category_column=None, time_period="month", test_mode=False, seed=7
        )
        corpus = reading.read(options)
        found = topics.find([m.text for m in corpus.current], 12, 2, 7, lambda share: None)
        self.entries = [
            Entry(
                m.when.date().isoformat(),
                m.channel,
                m.text,
                sentiment.feel(m.text).label,
                found.labels[group] if group >= 0 else "(other)",
                stems(m.text),
            )
            for m, group in zip(corpus.current, found.groups)
        ]
        days = sorted({e.when for e in self.entries})
        self.weeks = {"week": set(days[-7:]), "last_week": set(days[-14:-7])}

    def select(self, period: str = "all", sentiment: Optional[str] = None, topic: Optional[str] = None, words: str = "") -> list[Entry]:
        """Messages that fit everything given. Words count by their stem: "crash" finds "crashed"."""
        wanted = stems(words)
        return [
            e
            for e in self.entries
            if (period == "all" or e.when in self.weeks[period])
            and (not sentiment or e.sentiment == sentiment)
            and (not topic or topic.lower() in e.topic.lower())
            and wanted <= e.stems
        ]

    def knows(self, word: str) -> int:
        """In how many messages a word occurs."""
        return len(self.select(words=word))

    def topics(self) -> Counter:
        return Counter(e.topic for e in self.entries)


def stems(content: str) -> frozenset[str]:
    """The content words, cut to their stems; stop words say nothing about a message."""
    return frozenset(key for key, _ in text.terms(content) if " " not in key)
