"""SVG plots. Each is drawn for a width, since text in a scaled-down picture can't be read on a phone."""

from __future__ import annotations

from typing import Iterator, Sequence

from ..analysis import Analysis, Topic
from .page import FONT, PLOT_CSS, esc, palette

WIDE, NARROW = 760, 350
SMALL_WIDTH, SMALL_HEIGHT = 230, 92
LETTER = 0.54  # mean width of a letter in parts of the font size
MOST_ROWS = 24


def files(a: Analysis) -> Iterator[tuple[str, str]]:
    """(name, svg) of the plots as files of their own, with their colours inside."""
    if a.topics:
        yield "topics", _alone(topics(a, WIDE))
        if a.sentiment:
            yield "sentiment", _alone(sentiment(a, WIDE))
        if a.topics[0].series:
            yield "trends", _alone(trend_sheet(a))
    if a.volume:
        yield "volume", _alone(volume(a, WIDE))


def topics(a: Analysis, width: int) -> str:
    """Messages per topic: bars, the label beside them or, on a narrow one, above."""
    rows = a.topics[:MOST_ROWS]
    narrow = width < 500
    left, right, size = (0, 64, 14) if narrow else (270, 96, 14)
    step, bar = (48, 14) if narrow else (30, 18)
    longest = max(t.size for t in rows)
    room = width - left - right
    body = []
    for i, t in enumerate(rows):
        y = 6 + i * step
        length = max(2.0, t.size / longest * room)
        top = y + 22 if narrow else y
        body.append(_label(t.label, narrow, left, y, bar, width, size))
        body.append(f'<rect class="v-bar" x="{left}" y="{top}" width="{length:.1f}" height="{bar}" rx="2"/>')
        body.append(f'<text class="v-small" x="{left + length + 8:.1f}" y="{top + bar - 4 if not narrow else top + 12}" font-size="13">{t.size:,}{"" if narrow else f" · {t.share:.0%}"}</text>')
    text = "; ".join(f"{t.label}: {t.size}" for t in rows)
    return _svg("topics", width, 12 + len(rows) * step, "Messages per topic", text, body)


def sentiment(a: Analysis, width: int) -> str:
    """Shares of negative, neutral and positive messages per topic."""
    rows = [t for t in a.topics[:MOST_ROWS] if t.sentiment]
    narrow = width < 500
    left, size = (0, 14) if narrow else (270, 14)
    step, bar = (50, 16) if narrow else (30, 18)
    room = width - left
    body = []
    x = float(left)
    for kind, name in (("neg", "negative"), ("neu", "neutral"), ("pos", "positive")):
        body.append(f'<rect class="v-{kind}" x="{x}" y="2" width="12" height="12" rx="2"/><text class="v-small" x="{x + 18}" y="13" font-size="13">{name}</text>')
        x += 100
    for i, t in enumerate(rows):
        y = 28 + i * step
        top = y + 22 if narrow else y
        body.append(_label(t.label, narrow, left, y, bar, width, size))
        at = float(left)
        for kind, name in (("neg", "negative"), ("neu", "neutral"), ("pos", "positive")):
            share = t.sentiment[name] / t.size
            length = share * room
            if length > 0:
                body.append(f'<rect class="v-{kind}" x="{at:.1f}" y="{top}" width="{max(0.5, length - 1):.1f}" height="{bar}"><title>{esc(t.label)}: {share:.0%} {name}</title></rect>')
            if length > 44 and kind != "neu":
                body.append(f'<text x="{at + 6:.1f}" y="{top + bar - 4}" font-size="12" fill="var(--bg)">{share:.0%}</text>')
            at += length
    text = "; ".join(f"{t.label}: {t.sentiment['negative'] / t.size:.0%} negative, {t.sentiment['positive'] / t.size:.0%} positive" for t in rows)
    return _svg("sentiment", width, 32 + len(rows) * step, "Sentiment by topic", text, body)


def volume(a: Analysis, width: int) -> str:
    """Messages per bucket, the negative part in its own colour."""
    height, bottom, top = 200, 26, 18
    longest = max(max(a.volume), 1)
    slot = width / len(a.volume)
    scale = (height - bottom - top) / longest
    body = [f'<line class="v-axis" x1="0" x2="{width}" y1="{height - bottom}" y2="{height - bottom}"/>']
    every = max(1, round(len(a.volume) * 74 / width + 0.49))
    for i, (count, negative) in enumerate(zip(a.volume, a.volume_negative)):
        x, w = i * slot + slot * 0.12, slot * 0.76
        base = height - bottom
        body.append(
            f'<g><title>{esc(a.buckets[i])}: {count} messages, {negative} negative</title>'
            f'<rect class="v-neu" x="{x:.1f}" y="{base - count * scale:.1f}" width="{w:.1f}" height="{count * scale:.1f}"/>'
            f'<rect class="v-neg" x="{x:.1f}" y="{base - negative * scale:.1f}" width="{w:.1f}" height="{negative * scale:.1f}"/></g>'
        )
        if slot > 26 and count:
            body.append(f'<text class="v-small" x="{x + w / 2:.1f}" y="{base - count * scale - 5:.1f}" font-size="12" text-anchor="middle">{count:,}</text>')
        if i % every == 0:
            edge = every > 1 and i == 0
            body.append(f'<text class="v-small" x="{(x if edge else x + w / 2):.1f}" y="{height - 8}" font-size="12" text-anchor="{"start" if edge else "middle"}">{esc(a.buckets[i])}</text>')
    text = "; ".join(f"{b}: {n}" for b, n in zip(a.buckets, a.volume))
    return _svg("volume", width, height, "Messages over time, the negative part in colour", text, body)


def trend_line(a: Analysis, t: Topic, index: int) -> str:
    """One topic's curve. All topics share one scale, so that curves can be compared by eye."""
    body = _curve(a, t.series, SMALL_WIDTH, SMALL_HEIGHT)
    text = ", ".join(f"{b}: {n}" for b, n in zip(a.buckets, t.series))
    return _svg(f"trend{index}", SMALL_WIDTH, SMALL_HEIGHT, f"{t.label} over time", text, body)


def trend_sheet(a: Analysis) -> str:
    """All curves on one sheet, for the file."""
    columns, gap, title = 3, 24, 22
    cell_w, cell_h = SMALL_WIDTH + gap, SMALL_HEIGHT + title + gap
    rows = a.topics[:MOST_ROWS]
    body = []
    for i, t in enumerate(rows):
        x, y = (i % columns) * cell_w, (i // columns) * cell_h
        name = _cut(t.label, SMALL_WIDTH, 13)
        body.append(f'<g transform="translate({x} {y})"><text class="v-label" x="0" y="14" font-size="13">{esc(name)}</text><g transform="translate(0 {title})">{"".join(_curve(a, t.series, SMALL_WIDTH, SMALL_HEIGHT))}</g></g>')
    height = -(-len(rows) // columns) * cell_h
    return _svg("trends", columns * cell_w - gap, height, "Topics over time", "; ".join(f"{t.label}: {t.trend.words() if t.trend else 'unknown'}" for t in rows), body)


def _curve(a: Analysis, series: Sequence[int], width: int, height: int) -> list[str]:
    top, bottom, side = 16, 20, 4
    highest = max(max((max(t.series) for t in a.topics[:MOST_ROWS] if t.series), default=1), 1)
    base = height - bottom
    xs = [side + (width - 2 * side) * i / max(1, len(series) - 1) for i in range(len(series))]
    ys = [base - (base - top) * n / highest for n in series]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys))
    peak = series.index(max(series))
    anchor = "start" if peak < len(series) * 0.15 else "end" if peak > len(series) * 0.85 else "middle"
    return [
        f'<line class="v-axis" x1="0" x2="{width}" y1="{base}" y2="{base}"/>',
        f'<polygon class="v-area" points="{xs[0]:.1f},{base} {line} {xs[-1]:.1f},{base}"/>',
        f'<polyline class="v-line" points="{line}"/>',
        f'<circle class="v-dot" cx="{xs[peak]:.1f}" cy="{ys[peak]:.1f}" r="3"/>',
        f'<text class="v-small" x="{xs[peak]:.1f}" y="{ys[peak] - 6:.1f}" font-size="12" text-anchor="{anchor}">{series[peak]}</text>',
        f'<text class="v-small" x="0" y="{height - 5}" font-size="11">{esc(a.buckets[0])}</text>',
        f'<text class="v-small" x="{width}" y="{height - 5}" font-size="11" text-anchor="end">{esc(a.buckets[-1])}</text>',
    ]


def _label(text: str, narrow: bool, left: int, y: int, bar: int, width: int, size: int) -> str:
    room = width if narrow else left - 14
    x, at, anchor = (0, y + 14, "start") if narrow else (left - 12, y + bar - 4, "end")
    return f'<text class="v-label" x="{x}" y="{at}" font-size="{size}" text-anchor="{anchor}">{esc(_cut(text, room, size))}</text>'


def _cut(text: str, room: float, size: float) -> str:
    fits = int(room / (size * LETTER))
    return text if len(text) <= fits else text[: fits - 1].rstrip(" ,") + "…"


def _svg(name: str, width: int, height: int, title: str, text: str, body: Sequence[str]) -> str:
    key = f"{name}-{width}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-labelledby="{key}-t {key}-d" font-family="{esc(FONT)}">'
        f'<title id="{key}-t">{esc(title)}</title><desc id="{key}-d">{esc(text)}</desc>{"".join(body)}</svg>'
    )


def _alone(svg: str) -> str:
    """Add the style sheet and a background, so that the file looks right on its own."""
    start = svg.index(">") + 1
    return f'{svg[:start]}<style>{palette("svg")}{PLOT_CSS}svg{{background:var(--bg)}}</style>{svg[start:]}\n'
