"""The agents: each one question about the messages, each a plain function that can run in its own process.

    topics ─────────┬─► trends ──┐
    second-opinion ─┤            ├─► quality-check
    sentiment ──────┼─► quotes ──┘
    urgency ────────┘
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any, Sequence

from . import agreement, sentiment, topics, trends, urgency
from .analysis import Check, Quote, Trend
from .messages import Corpus
from .privacy import mask
from .team import Job, Voice

STEP = 2000  # messages between two signs of life
SECOND_SEED = 1009  # the second opinion starts elsewhere


def jobs(corpus: Corpus, options: Any) -> list[Job]:
    """The agents that this analysis needs."""
    chosen = [
        Job("sentiment", partial(feel_all, corpus), weight=10),
        Job("urgency", partial(urgency_all, corpus), weight=3, essential=False),
    ]
    if options.analysis_type == "sentiment":
        chosen.append(Job("trends", partial(trends_of, corpus, options.time_period), ("sentiment",), 3, essential=False))
        chosen.append(Job("quotes", partial(quotes_of, corpus), ("sentiment", "urgency"), 3, essential=False))
        return chosen
    chosen[:0] = [Job("topics", partial(find_topics, corpus, options), weight=40)]
    chosen[1:1] = [Job("second-opinion", partial(second_opinion, corpus, options), weight=25, essential=False)]
    chosen += [
        Job("trends", partial(trends_of, corpus, options.time_period), ("topics", "sentiment"), 3, essential=False),
        Job("quotes", partial(quotes_of, corpus), ("topics", "sentiment", "urgency"), 4, essential=False),
        Job("quality-check", partial(quality_check, corpus, options.seed), ("topics", "second-opinion", "quotes"), 2, essential=False),
    ]
    return chosen


def find_topics(corpus: Corpus, options: Any, voice: Voice, inputs: dict[str, Any]) -> topics.Found:
    """Group all messages, those of the period before too, so that both are counted with the same topics."""
    voice.log(f"reading {len(corpus.all):,} messages as TF-IDF vectors over words and pairs of words")
    found = topics.find([m.text for m in corpus.all], options.topics, options.restarts, options.seed, voice.done)
    voice.log(found.reason)
    sizes = Counter(found.groups[: len(corpus.current)])
    for number, label in sorted(enumerate(found.labels), key=lambda topic: -sizes[topic[0]])[:5]:
        voice.log(f"{sizes[number]:>5,} messages: {label}")
    return found


def second_opinion(corpus: Corpus, options: Any, voice: Voice, inputs: dict[str, Any]) -> list[int]:
    """The same grouping from another starting point. If it differs much, the topics are not to be trusted."""
    voice.log("grouping once more from another starting point, to see whether the topics are stable")
    return topics.find([m.text for m in corpus.all], options.topics, 1, options.seed + SECOND_SEED, voice.done).groups


def feel_all(corpus: Corpus, voice: Voice, inputs: dict[str, Any]) -> list[sentiment.Feeling]:
    """Score every message of the period."""
    feelings = []
    for i, message in enumerate(corpus.current):
        feelings.append(sentiment.feel(message.text))
        if i % STEP == STEP - 1:
            voice.done((i + 1) / len(corpus.current))
            voice.log(f"{i + 1:,} of {len(corpus.current):,} messages scored")
    counts = sentiment.tally(feelings)
    voice.log(f"{counts['negative']:,} negative, {counts['neutral']:,} neutral, {counts['positive']:,} positive (by lexicon)")
    return feelings


def urgency_all(corpus: Corpus, voice: Voice, inputs: dict[str, Any]) -> dict[int, list[str]]:
    """Urgent messages (by number) with their cues."""
    found = {i: cues for i, cues in enumerate(urgency.cues(m.text) for m in corpus.current) if cues}
    voice.log(f"{len(found):,} messages look urgent")
    return found


def members(found: topics.Found, corpus: Corpus) -> tuple[list[list[int]], list[int]]:
    """For each topic: the numbers of its messages in the period, and how many it had in the period before."""
    current: list[list[int]] = [[] for _ in found.labels]
    for i, group in enumerate(found.groups[: len(corpus.current)]):
        if group >= 0:
            current[group].append(i)
    before = Counter(found.groups[len(corpus.current) :])
    return current, [before[topic] for topic in range(len(found.labels))]


def trends_of(corpus: Corpus, period: str, voice: Voice, inputs: dict[str, Any]) -> dict[str, Any]:
    """Curves and trends: of all messages, of the negative ones, of each topic."""
    everybody = range(len(corpus.current))
    feelings = inputs["sentiment"]
    result: dict[str, Any] = {
        "buckets": trends.labels(corpus, period),
        "volume": trends.series(everybody, corpus, period),
        "negative": trends.series([i for i in everybody if feelings[i].label == "negative"], corpus, period),
        "all": trends.trend(everybody, len(corpus.previous), corpus, period),
        "topics": [],
    }
    if not corpus.dated:
        voice.log("the data has no dates: no trend is stated")
    if "topics" in inputs:
        current, before = members(inputs["topics"], corpus)
        for label, mine, earlier in zip(inputs["topics"].labels, current, before):
            change: Trend = trends.trend(mine, earlier, corpus, period)
            result["topics"].append((change, trends.series(mine, corpus, period)))
            if change.direction in ("rising", "falling"):
                voice.log(f"{change.direction}: {label} ({change.before} -> {change.now}, against {change.basis})")
    return result


def quotes_of(corpus: Corpus, voice: Voice, inputs: dict[str, Any]) -> dict[str, Any]:
    """Quotes for each topic, the clearest good and bad ones, and urgent ones."""
    feelings = inputs["sentiment"]

    def quote(i: int) -> Quote:
        message = corpus.current[i]
        when = message.when.strftime("%Y-%m-%d") if corpus.dated and message.when else ""
        return Quote(mask(message.text), when, message.channel, feelings[i].label)

    def strongest(sign: int, candidates: Sequence[int]) -> list[int]:
        strength = [max(0.0, sign * f.score) for f in feelings]
        return topics.representative([i for i in candidates if strength[i]], strength, corpus.current)

    urgent = sorted(inputs["urgency"])
    result: dict[str, Any] = {
        "topics": [],
        "extremes": {
            "negative": [quote(i) for i in strongest(-1, range(len(feelings)))],
            "positive": [quote(i) for i in strongest(1, range(len(feelings)))],
        },
        "urgent": [quote(i) for i in topics.representative(urgent, [float(len(inputs["urgency"].get(i, ()))) for i in range(len(feelings))], corpus.current)],
    }
    if "topics" in inputs:
        found = inputs["topics"]
        current, _ = members(found, corpus)
        result["topics"] = [[quote(i) for i in topics.representative(mine, found.fit, corpus.current)] for mine in current]
        voice.log(f"{sum(map(len, result['topics']))} quotes for {len(current)} topics; mail addresses and long numbers are masked")
    return result


def quality_check(corpus: Corpus, seed: int, voice: Voice, inputs: dict[str, Any]) -> dict[str, Any]:
    """Doubt the others' work, and say so in the report."""
    found = inputs["topics"]
    current = found.groups[: len(corpus.current)]
    checks = []

    stable = agreement.mutual_information(found.groups, inputs["second-opinion"])
    checks.append(Check("Topics are stable", stable >= 0.6, f"A second grouping from another starting point agrees with NMI {stable:.2f} (1 = the same, 0 = unrelated)."))

    loose = sum(g < 0 for g in current) / max(1, len(current))
    checks.append(Check("Messages have a topic", loose <= 0.2, f"{loose:.0%} of the messages are near to no topic."))

    texts = [m.text.lower() for m in corpus.current]
    repeated = 1 - len(set(texts)) / max(1, len(texts))
    checks.append(Check("Few exact repeats", repeated <= 0.1, f"{repeated:.1%} of the messages repeat another one word for word."))

    known = {mask(m.text) for m in corpus.current}
    quotes = [q.text for group in inputs["quotes"]["topics"] for q in group]
    wrong = sum(q not in known for q in quotes)
    checks.append(Check("Quotes are verbatim", wrong == 0, f"All {len(quotes)} quotes were found again in the data." if not wrong else f"{wrong} quotes are not in the data."))

    thin = sum(n < 10 for n in Counter(g for g in current if g >= 0).values())
    checks.append(Check("Topics are large enough", thin == 0, f"{thin} topics have fewer than ten messages; their shares are rough." if thin else "Each topic has at least ten messages."))

    for check in checks:
        voice.log(f"{'ok  ' if check.ok else 'LOOK'} {check.name}: {check.detail}")

    result: dict[str, Any] = {"checks": checks}
    if corpus.has_categories:
        result["agreement"] = compare_with_categories(corpus, found, seed)
        voice.log(f"against the categories in the data: purity {result['agreement']['purity']:.2f}, NMI {result['agreement']['nmi']:.2f}")
    return result


def compare_with_categories(corpus: Corpus, found: topics.Found, seed: int) -> dict[str, Any]:
    """The data names categories: how well do the topics, found without them, agree?"""
    topic_of = found.groups[: len(corpus.current)]
    categories = [m.category for m in corpus.current]
    chance_purity, chance_nmi = agreement.by_chance(topic_of, categories, seed)
    return {
        "categories": len(set(categories)),
        "topics": len(found.labels),
        "purity": round(agreement.purity(topic_of, categories), 3),
        "purity_by_chance": round(chance_purity, 3),
        "nmi": round(agreement.mutual_information(topic_of, categories), 3),
        "nmi_by_chance": round(chance_nmi, 3),
    }
