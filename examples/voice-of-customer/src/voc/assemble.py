"""Put the agents' results together. Works with whatever is there, so a stopped run can report too."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

from . import agents, writer
from .analysis import Analysis, Topic
from .messages import Corpus
from .sentiment import tally

CUES_SHOWN = 10


def begin(corpus: Corpus, options: Any) -> Analysis:
    """What is known before any agent has worked."""
    if corpus.dated:
        last = corpus.end - timedelta(days=1)
        period = f"{corpus.start:%d %b %Y}" + (f" to {last:%d %b %Y}" if last.date() != corpus.start.date() else "")
    else:
        period = f"one {options.time_period}, dates not in the data"
    return Analysis(
        title="Voice of the customer",
        kind=options.analysis_type,
        source=corpus.source,
        period=period,
        messages=len(corpus.current),
        previous=len(corpus.previous),
        dated=corpus.dated,
        notes=list(corpus.notes),
    )


def fill(a: Analysis, corpus: Corpus, results: dict[str, Any]) -> None:
    """Take over what the agents found so far."""
    a.finished = list(results)
    if "sentiment" in results:
        _sentiment(a, corpus, results["sentiment"])
    if "urgency" in results:
        a.urgent = len(results["urgency"])
        a.urgent_cues = dict(Counter(cue for cues in results["urgency"].values() for cue in cues).most_common())
    if "topics" in results:
        _topics(a, corpus, results)
    if "trends" in results:
        found = results["trends"]
        a.buckets, a.volume, a.volume_negative, a.volume_trend = found["buckets"], found["volume"], found["negative"], found["all"]
    if "quotes" in results:
        a.extremes, a.urgent_quotes = results["quotes"]["extremes"], results["quotes"]["urgent"]
    if "quality-check" in results:
        a.checks = results["quality-check"]["checks"]
        a.agreement = results["quality-check"].get("agreement", {})
    a.findings = writer.findings(a)
    a.actions = writer.actions(a)
    a.summary = writer.summary(a)


def _sentiment(a: Analysis, corpus: Corpus, feelings: list) -> None:
    a.sentiment = tally(feelings)
    for label in ("negative", "positive"):
        counted = Counter(cue for f in feelings if f.label == label for cue in set(f.cues))
        a.cues[label] = sorted(counted.items(), key=lambda c: (-c[1], c[0]))[:CUES_SHOWN]
    by_channel = defaultdict(list)
    for message, feeling in zip(corpus.current, feelings):
        by_channel[message.channel].append(feeling)
    if any(by_channel):
        a.channels = [
            {"channel": name or "(none)", "messages": len(part), **tally(part)}
            for name, part in sorted(by_channel.items(), key=lambda item: (-len(item[1]), item[0]))
        ]


def _topics(a: Analysis, corpus: Corpus, results: dict[str, Any]) -> None:
    found = results["topics"]
    current, _ = agents.members(found, corpus)
    feelings, urgent = results.get("sentiment"), results.get("urgency", {})
    rows = []
    for number, (label, terms, cohesion, mine) in enumerate(zip(found.labels, found.terms, found.cohesion, current)):
        if not mine:
            continue  # it lived in the period before only
        topic = Topic(0, label, terms, len(mine), len(mine) / max(1, a.messages), round(cohesion, 3))
        if feelings:
            topic.sentiment = tally([feelings[i] for i in mine])
        topic.urgent = sum(i in urgent for i in mine)
        if results.get("trends", {}).get("topics"):
            topic.trend, topic.series = results["trends"]["topics"][number]
        if results.get("quotes", {}).get("topics"):
            topic.quotes = results["quotes"]["topics"][number]
        rows.append(topic)
    rows.sort(key=lambda t: -t.size)
    for place, topic in enumerate(rows, start=1):
        topic.number = place
    a.topics = rows
    a.unclustered = a.messages - sum(t.size for t in rows)
    a.reason = found.reason
