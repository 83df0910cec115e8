"""From an Analysis to files: (path, text) pairs. Nothing here computes a finding."""

from __future__ import annotations

from typing import Iterator

from ..analysis import Analysis
from . import plots, report_html, report_md, slides as slide_deck, table


def artifacts(a: Analysis, slides: bool) -> Iterator[tuple[str, str]]:
    """The files of a report, the most wanted first."""
    yield "report.md", report_md.render(a)
    yield "report.html", report_html.render(a)
    if slides:
        yield "slides.html", slide_deck.render(a)
    if a.topics:
        yield "topics.csv", table.render(a)
    for name, svg in plots.files(a):
        yield f"plots/{name}.svg", svg
