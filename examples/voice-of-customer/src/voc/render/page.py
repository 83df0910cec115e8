"""What report and slides share: colours, escaping, small words."""

from __future__ import annotations

from html import escape

from ..analysis import Analysis, Quote

# Negative and positive differ in lightness as well as hue, so they stay apart without colour vision.
LIGHT = {
    "bg": "#fcfbf9", "card": "#ffffff", "ink": "#1b1c1f", "muted": "#5f6168", "line": "#dcd9d2",
    "accent": "#23508f", "soft": "#e4ebf5", "neg": "#b5452a", "neu": "#c9c6be", "pos": "#2a7f8e", "warn": "#fff3d6", "warnink": "#5c4300",
}
DARK = {
    "bg": "#141619", "card": "#1c1f23", "ink": "#ececee", "muted": "#a7a9b0", "line": "#34373d",
    "accent": "#8ab4f8", "soft": "#243246", "neg": "#f08f6c", "neu": "#5d6067", "pos": "#5fbccb", "warn": "#3d3113", "warnink": "#ffe2a0",
}


def variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def palette(root: str) -> str:
    """CSS that sets the colours for light and dark."""
    return f"{root}{{{variables(LIGHT)}}}@media (prefers-color-scheme:dark){{{root}{{{variables(DARK)}}}}}"


# The same classes serve the plots inside the page and the plots as files of their own.
PLOT_CSS = """
.v-label{fill:var(--ink)}.v-small{fill:var(--muted)}.v-bar{fill:var(--accent)}.v-track{fill:var(--soft)}
.v-neg{fill:var(--neg)}.v-neu{fill:var(--neu)}.v-pos{fill:var(--pos)}
.v-line{fill:none;stroke:var(--accent);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.v-area{fill:var(--accent);opacity:.13}.v-dot{fill:var(--accent)}.v-axis{stroke:var(--line);stroke-width:1}
"""

FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif'


def esc(text: object) -> str:
    return escape(str(text), quote=True)


def kind_words(a: Analysis) -> str:
    return {"topic-based": "Topics", "sentiment": "Sentiment", "full": "Full analysis"}[a.kind]


def head(title: str, css: str) -> str:
    """The start of a page that loads nothing from anywhere; the policy makes the browser enforce it."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{esc(title)}</title>\n<style>\n{palette(':root')}\n{PLOT_CSS}{css}</style>\n</head>\n"
    )


def quote_html(q: Quote) -> str:
    origin = " · ".join(esc(part) for part in (q.channel, q.when) if part)
    footer = f"<footer>{origin}</footer>" if origin else ""
    return f'<blockquote class="q-{esc(q.sentiment)}"><p>{esc(q.text)}</p>{footer}</blockquote>'
