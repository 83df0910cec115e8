"""The agent's own way to answer, when no model is configured: a few rules from question to tools to sentences.

It understands little, and says so when it does not understand. What it says is counted, never made up.
"""

from __future__ import annotations

import re
from typing import Any, Callable

from .data import Desk

Call = Callable[..., dict[str, Any]]  # call(name, **arguments) -> what the tool returned

ARITHMETIC = re.compile(r"(?<![\w.])[-(]*\d[\d\s.+\-*/%()]*[+\-*/][\d\s.+\-*/%()]*\d\)*|(\d+(?:\.\d+)?)\s*(?:%|percent) of (\d+(?:\.\d+)?)", re.I)
NEGATIVE = re.compile(r"\b(?:complain\w*|problems?|issues?|unhappy|negative|angry|worst|bad|hate|wrong|pain\w*|trouble)\b", re.I)
POSITIVE = re.compile(r"\b(?:praise\w*|positive|happy|love|likes?|best|good|great|compliment\w*)\b", re.I)
TREND = re.compile(r"\b(?:trends?|rising|rise|falling|fall|grow\w*|increas\w*|decreas\w*|more than|less than|chang\w*|compared|week before|over time|new)\b", re.I)
QUOTE = re.compile(r"\b(?:quotes?|examples?|say|says|said|show me|exact words|verbatim|read)\b", re.I)
COUNT = re.compile(r"\b(?:how many|how often|count|number of)\b", re.I)
CHANNEL = re.compile(r"\b(?:channels?|email|chat|app reviews?|social)\b", re.I)
ONLY = re.compile(r"\b(?:negative|positive|unhappy|happy|angry)\b", re.I)  # asks for one feeling, unlike "login problems"
LAST_WEEK = re.compile(r"\blast week\b|\bweek before\b|\bprevious week\b", re.I)
ALWAYS = re.compile(r"\b(?:overall|ever|all (?:messages|time)|in total|altogether|month)\b", re.I)

# Words of the question itself, not of the messages it asks about.
ASKING = frozenset(
    "complain complaint customer message topic mention mentioned mentions week trend rising rise falling fall count number quote quotes example examples "
    "channel channels sentiment negative positive unhappy happy praise people users user summary summarize overview change changed changes said "
    "percent total overall compared increase decrease increasing growing often list find search verbatim exact top main biggest largest common".split()
)


def answer(question: str, desk: Desk, call: Call) -> str:
    """Choose tools by the words of the question, and word what they return."""
    sum_ = ARITHMETIC.search(question)
    if sum_:
        return _calculation(sum_, call)

    period = "last_week" if LAST_WEEK.search(question) and not TREND.search(question) else "all" if ALWAYS.search(question) else "week"
    feeling = "negative" if NEGATIVE.search(question) else "positive" if POSITIVE.search(question) else None
    words = _subject(question, desk)

    if words and COUNT.search(question):
        return _count(words, period, call)
    if words and TREND.search(question):
        return _trend_of(words, call)
    if words and not CHANNEL.search(question):
        return _about(words, period, feeling if ONLY.search(question) else None, call)
    if CHANNEL.search(question):
        return _channels(period, feeling, call)
    if TREND.search(question):
        return _what_changed(call)
    if feeling:
        return _most(feeling, period, call)
    if COUNT.search(question) or QUOTE.search(question) or re.search(r"\b(?:topics?|customers?|messages?|summar\w*|overview|about)\b", question, re.I):
        return _overview(period, call)
    return (
        "I can't answer that from the customer messages. I can count and search them, compare this week with the week before, "
        "quote them and calculate. Ask for example: What do customers complain about most this week?"
    )


def _calculation(match: "re.Match[str]", call: Call) -> str:
    expression = f"{match[1]} / 100 * {match[2]}" if match[1] else match[0].strip()
    got = call("calculate", expression=expression)
    if "error" in got:
        return f"I can't calculate {expression}: {got['error']}."
    return f"{expression} = {got['value']:g}."


def _subject(question: str, desk: Desk) -> str:
    """The words of the question that occur in messages; the rarest two name the subject best."""
    from voc import text

    asking = {text.stem(word) for word in ASKING}
    known = {}
    for key, form in text.terms(question):
        if " " not in key and key not in asking and not (NEGATIVE.fullmatch(form) or POSITIVE.fullmatch(form) or TREND.fullmatch(form)):
            n = desk.knows(form)
            if n:
                known[form] = n
    chosen = sorted(known, key=lambda form: (known[form], form))[:2]
    return " ".join(chosen) if chosen and desk.knows(" ".join(chosen)) else " ".join(chosen[:1])


def _count(words: str, period: str, call: Call) -> str:
    got = call("search", words=words, period=period, limit=1)
    out = f"{got['count']} message{' mentions' if got['count'] == 1 else 's mention'} “{words}” {_when(period)}."
    if got["count"] and period == "week":
        before = call("trend", words=words)["week_before"]
        out += f" In the week before it was {before}."
    if got["messages"]:
        out += f" The newest one: “{got['messages'][0]['text']}”"
    return out


def _trend_of(words: str, call: Call) -> str:
    got = call("trend", words=words)
    out = f"Messages about “{words}” are {got['direction']}: {_compared(got)}."
    days = call("count_by", field="day", words=words, period="week")["rows"]
    if days:
        peak = max(days, key=lambda row: row["count"])
        out += f" Most came on {peak['day']} ({peak['count']})."
    return out + _quoted(call("quote", words=words, period="week", limit=1))


def _about(words: str, period: str, feeling: "str | None", call: Call) -> str:
    filters = {"words": words, "period": period, **({"sentiment": feeling} if feeling else {})}
    got = call("search", limit=3, **filters)
    kind = (f"{feeling} " if feeling else "") + ("message" if got["count"] == 1 else "messages")
    if not got["count"]:
        return f"I found no {kind} about “{words}” {_when(period)}."
    topics = call("count_by", field="topic", **filters)["rows"]
    out = f"I found {got['count']} {kind} about “{words}” {_when(period)}. Mostly they belong to the topic “{topics[0]['topic']}” ({topics[0]['count']})."
    return out + _quoted(call("quote", limit=2, **filters))


def _channels(period: str, feeling: "str | None", call: Call) -> str:
    filters = {"period": period, **({"sentiment": feeling} if feeling else {})}
    got = call("count_by", field="channel", **filters)
    rows = ", ".join(f"{row['channel']} {row['count']}" for row in got["rows"])
    return f"By channel, {got['total']} {feeling + ' ' if feeling else ''}messages {_when(period)}: {rows}."


def _what_changed(call: Call) -> str:
    rows = call("count_by", field="topic", period="week")["rows"]
    changes = [(row["topic"], call("trend", topic=row["topic"])) for row in rows[:8] if row["topic"] != "(other)"]
    moved = [(topic, got) for topic, got in changes if got["direction"] != "steady"]
    if not moved:
        return "No topic changed more than chance explains, compared with the week before."
    lines = "; ".join(f"“{topic}” is {got['direction']} ({_compared(got)})" for topic, got in moved)
    return f"Compared with the week before: {lines}. The other topics are steady." + _quoted(call("quote", topic=moved[0][0], period="week", limit=1))


def _most(feeling: str, period: str, call: Call) -> str:
    got = call("count_by", field="topic", sentiment=feeling, period=period)
    rows = [row for row in got["rows"] if row["topic"] != "(other)"]
    if not rows:
        return f"There are no {feeling} messages {_when(period)}."
    top = rows[0]
    share = call("calculate", expression=f"100 * {top['count']} / {got['total']}")["value"]
    verb = "complain" if feeling == "negative" else "are happy"
    out = f"Customers {verb} most about “{top['topic']}”: {top['count']} of {got['total']} {feeling} messages {_when(period)} ({share:.0f}%)."
    if period == "week":
        change = call("trend", topic=top["topic"], sentiment=feeling)
        out += f" That is {change['direction']}: {_compared(change)}."
    if len(rows) > 1:
        out += " Next come " + " and ".join(f"“{row['topic']}” ({row['count']})" for row in rows[1:3]) + "."
    return out + _quoted(call("quote", topic=top["topic"], sentiment=feeling, period=period, limit=2))


def _overview(period: str, call: Call) -> str:
    topics = call("count_by", field="topic", period=period)
    feelings = {row["sentiment"]: row["count"] for row in call("count_by", field="sentiment", period=period)["rows"]}
    rows = [row for row in topics["rows"] if row["topic"] != "(other)"][:4]
    lines = ", ".join(f"“{row['topic']}” ({row['count']})" for row in rows)
    mood = ", ".join(f"{feelings.get(name, 0)} {name}" for name in ("negative", "neutral", "positive"))
    return f"There are {topics['total']} messages {_when(period)}: {mood}. The largest topics are {lines}."


def _when(period: str) -> str:
    return {"week": "this week", "last_week": "in the week before", "all": "in the last month"}[period]


def _compared(got: dict[str, Any]) -> str:
    return f"{got['this_week']} this week, {got['week_before']} in the week before"


def _quoted(got: dict[str, Any]) -> str:
    lines = [f"“{q['text']}” ({q['channel']}, {q['date']})" for q in got["quotes"]]
    return ("\n\nIn their words:\n" + "\n".join(lines)) if lines else ""
