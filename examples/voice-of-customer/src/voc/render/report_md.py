"""report.md: the whole report as text."""

from __future__ import annotations

import re

from ..analysis import Analysis, Quote
from .page import kind_words


def render(a: Analysis) -> str:
    out = [f"# {a.title}", "", f"{kind_words(a)} · {a.period} · {a.messages:,} messages from {_text(a.source)}", ""]
    if a.partial:
        out += [f"> **Partial report:** {_text(a.partial)}. What was finished by then is below.", ""]
    out += [_text(a.summary), ""]
    _list(out, "Findings", a.findings)
    _list(out, "Look here first", a.actions)
    if a.topics:
        out += ["## Topics", "", "![Messages per topic](plots/topics.svg)", "", "| # | topic | messages | share | negative | positive | urgent | trend |", "|--:|---|--:|--:|--:|--:|--:|---|"]
        for t in a.topics:
            negative, positive = (f"{t.sentiment[k] / t.size:.0%}" if t.sentiment else "" for k in ("negative", "positive"))
            out.append(f"| {t.number} | {_text(t.label)} | {t.size:,} | {t.share:.1%} | {negative} | {positive} | {t.urgent} | {t.trend.words() if t.trend else ''} |")
        out += ["", f"{a.unclustered:,} messages belong to no topic. {a.reason[:1].upper()}{a.reason[1:]}.", ""]
        for t in a.topics:
            out += [f"### {t.number}. {_text(t.label)}", "", f"Terms: {_text(', '.join(t.terms))}", ""]
            _quotes(out, t.quotes)
    if a.sentiment:
        out += ["## Sentiment", "", "By a lexicon of cue words with negation: a rough measure, good for comparing topics.", ""]
        if a.topics:
            out += ["![Sentiment by topic](plots/sentiment.svg)", ""]
        for label, cues in a.cues.items():
            out += [f"Most frequent {label} cues: " + ", ".join(f"{_text(cue)} ({n})" for cue, n in cues) + ".", ""] if cues else []
        if a.kind != "topic-based":
            for label, quotes in a.extremes.items():
                out += [f"### Clearest {label} messages", ""]
                _quotes(out, quotes)
            if a.channels:
                out += ["| channel | messages | negative | positive |", "|---|--:|--:|--:|"]
                out += [f"| {_text(c['channel'])} | {c['messages']:,} | {c['negative'] / c['messages']:.0%} | {c['positive'] / c['messages']:.0%} |" for c in a.channels]
                out.append("")
    if a.volume:
        out += ["## Over time", "", "![Messages over time](plots/volume.svg)", ""]
        if a.topics and a.topics[0].series:
            out += ["![Topics over time](plots/trends.svg)", ""]
        if not a.dated:
            out += ["The data has no dates: messages were spread evenly over the period, so these curves show nothing real.", ""]
    if a.urgent_quotes:
        out += [f"## Urgent ({a.urgent:,})", "", "Cues: " + ", ".join(f"{k} ({n})" for k, n in a.urgent_cues.items()), ""]
        _quotes(out, a.urgent_quotes)
    if a.agreement:
        g = a.agreement
        out += ["## Compared with the categories in the data", "", f"{g['topics']} topics against {g['categories']} categories: purity {g['purity']:.2f} (by chance {g['purity_by_chance']:.2f}), normalized mutual information {g['nmi']:.2f} (by chance {g['nmi_by_chance']:.2f}). The topics were found without the categories.", ""]
    if a.checks:
        out += ["## Quality check", ""] + [f"- {'ok' if c.ok else '**look**'}: {c.name}. {c.detail}" for c in a.checks] + [""]
    _list(out, "How this was made", [f"Labels and summary by: {a.model if a.model != 'none' else 'the statistics (no model)'}", *a.notes])
    return "\n".join(out)


def _list(out: list[str], title: str, lines: list[str]) -> None:
    if lines:
        out += [f"## {title}", ""] + [f"- {_text(line)}" for line in lines] + [""]


def _quotes(out: list[str], quotes: list[Quote]) -> None:
    for q in quotes:
        origin = ", ".join(part for part in (q.channel, q.when) if part)
        out += [f"> {_text(q.text)}" + (f" *({_text(origin)})*" if origin else ""), ""]


def _text(text: str) -> str:
    """Customers' words are text: no Markdown or HTML in them takes effect."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text)
