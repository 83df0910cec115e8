"""topics.csv: one row per topic, for spreadsheets."""

from __future__ import annotations

import csv
import io

from ..analysis import Analysis


def render(a: Analysis) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["number", "topic", "messages", "share", "negative", "neutral", "positive", "mean_sentiment", "urgent", "trend", "before", "now", "terms", "quote"])
    for t in a.topics:
        s = t.sentiment or {}
        writer.writerow(
            [t.number, _plain(t.label), t.size, f"{t.share:.4f}"]
            + [s.get(k, "") for k in ("negative", "neutral", "positive", "mean")]
            + [t.urgent, t.trend.direction if t.trend else "", t.trend.before if t.trend else "", t.trend.now if t.trend else ""]
            + [_plain(" | ".join(t.terms)), _plain(t.quotes[0].text) if t.quotes else ""]
        )
    return out.getvalue()


def _plain(text: str) -> str:
    """A customer's text that starts like a formula must not become one in a spreadsheet."""
    return "'" + text if text[:1] in "=+-@\t" else text
