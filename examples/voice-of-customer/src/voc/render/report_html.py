"""report.html: one file, nothing loaded from elsewhere, light and dark, wide and narrow, screen and paper."""

from __future__ import annotations

from typing import Callable

from ..analysis import Analysis, Topic
from . import plots
from .page import FONT, esc, head, kind_words, quote_html

CSS = """
*{box-sizing:border-box}
html{font:17px/1.55 """ + FONT + """;background:var(--bg);color:var(--ink);-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:52rem;padding:2.5rem 1.25rem 5rem}
h1{font-size:2.1rem;line-height:1.15;letter-spacing:-.02em;margin:0 0 .3rem}
h2{font-size:1.35rem;letter-spacing:-.01em;margin:3.2rem 0 .8rem;padding-top:1rem;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:0}
p{margin:.6rem 0;max-width:44rem}
.sub,.fine{color:var(--muted)}.sub{margin:0 0 1.6rem}.fine{font-size:.88rem}
.partial{background:var(--warn);color:var(--warnink);padding:.8rem 1rem;border-radius:6px;margin:1rem 0}
.lead{font-size:1.15rem;line-height:1.5}
dl.key{display:grid;grid-template-columns:repeat(auto-fit,minmax(6.6rem,1fr));gap:1rem 1.5rem;margin:2rem 0 0;padding:1.2rem 0 0;border-top:1px solid var(--line)}
dl.key div{display:flex;flex-direction:column-reverse;justify-content:flex-end}
dl.key dt{color:var(--muted);font-size:.85rem}dl.key dd{margin:0;font-size:1.7rem;font-weight:600;line-height:1.2;font-variant-numeric:tabular-nums}
ol.findings,ul.plain{padding-left:1.25rem;margin:.6rem 0}ol.findings li,ul.plain li{margin:.4rem 0;max-width:44rem}
figure{margin:1.2rem 0}figcaption{color:var(--muted);font-size:.88rem;margin-top:.5rem}
svg{display:block;max-width:100%;height:auto}
.narrow{display:none}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(14rem,1fr));gap:1.4rem 1.6rem;margin:1.2rem 0}
.grid figure{margin:0}.grid svg{width:100%}
.grid figcaption{margin:0 0 .3rem;color:var(--ink);line-height:1.35}
.topic{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1rem 1.2rem;margin:1rem 0}
.topic header{display:flex;flex-wrap:wrap;gap:.2rem 1rem;align-items:baseline;justify-content:space-between}
.topic .fine{margin:.25rem 0 .6rem}
blockquote{margin:.7rem 0;padding:.05rem 0 .05rem .9rem;border-left:3px solid var(--neu);max-width:44rem}
blockquote p{margin:0}blockquote footer{color:var(--muted);font-size:.82rem}
.q-negative{border-left-color:var(--neg)}.q-positive{border-left-color:var(--pos)}
.up{color:var(--neg)}.tag{font-size:.82rem;color:var(--muted)}
.scroll{overflow-x:auto}.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--accent);outline-offset:3px}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--muted);padding-bottom:.4rem}
th,td{text-align:right;padding:.4rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0;white-space:normal;min-width:11rem}th{color:var(--muted);font-weight:500}
summary{cursor:pointer;color:var(--accent);margin:.6rem 0}
.checks{list-style:none;padding:0}.checks li{margin:.5rem 0;padding-left:4rem;position:relative;max-width:44rem}
.checks b{position:absolute;left:0;font-size:.78rem;letter-spacing:.04em;text-transform:uppercase;top:.2rem;color:var(--pos)}
.checks .look b{color:var(--neg)}
@media (max-width:46rem){html{font-size:16px}body{padding-top:1.5rem}h1{font-size:1.7rem}.wide{display:none}.narrow{display:block}.narrow svg{width:100%}}
@media print{html{font-size:11pt}body{max-width:none;padding:0}.topic,figure{break-inside:avoid}details>*{display:block}}
"""


def render(a: Analysis) -> str:
    parts = [
        head(f"{a.title}: {a.period}", CSS),
        "<body>\n<main>\n",
        f"<h1>{esc(a.title)}</h1>\n<p class=\"sub\">{esc(kind_words(a))} · {esc(a.period)} · {esc(a.source)}</p>\n",
        f'<p class="partial" role="status"><strong>Partial report:</strong> {esc(a.partial)}. What was finished by then is below.</p>\n' if a.partial else "",
        "".join(f'<p class="lead">{esc(p)}</p>\n' for p in a.summary.split("\n") if p.strip()),
        _numbers(a),
        _list("Findings", a.findings, "ol", "findings"),
        _list("Look here first", a.actions, "ol", "findings", "Ordered by a rule: unhappy messages, more if they rise or press. It knows nothing of your plans."),
        _topics(a),
        _sentiment(a),
        _time(a),
        _urgent(a),
        _agreement(a),
        _checks(a),
        _list("How this was made", [f"Topic names and summary: {a.model if a.model != 'none' else 'from the statistics, no model was used'}.", _method(a), *a.notes], "ul", "plain fine"),
        "</main>\n</body>\n</html>\n",
    ]
    return "".join(parts)


def _numbers(a: Analysis) -> str:
    pairs = [("messages", f"{a.messages:,}")]
    if a.previous:
        pairs.append(("in the period before", f"{a.previous:,}"))
    if a.topics:
        pairs.append(("topics", str(len(a.topics))))
    if a.sentiment and a.messages:
        pairs.append(("negative", f"{a.sentiment['negative'] / a.messages:.0%}"))
        pairs.append(("positive", f"{a.sentiment['positive'] / a.messages:.0%}"))
    if "urgency" in a.finished:
        pairs.append(("look urgent", f"{a.urgent:,}"))
    return '<dl class="key">' + "".join(f"<div><dt>{esc(k)}</dt><dd>{esc(v)}</dd></div>" for k, v in pairs) + "</dl>\n"


def _list(title: str, lines: list[str], tag: str, css: str, under: str = "") -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{esc(line)}</li>\n" for line in lines)
    return f'<section><h2>{esc(title)}</h2>\n<{tag} class="{css}">\n{items}</{tag}>\n' + (f'<p class="fine">{esc(under)}</p>\n' if under else "") + "</section>\n"


def _two_widths(draw: Callable[[Analysis, int], str], a: Analysis, caption: str) -> str:
    """Both drawings are in the page; the style sheet shows the one that fits."""
    return f'<figure><div class="wide">{draw(a, plots.WIDE)}</div><div class="narrow">{draw(a, plots.NARROW)}</div><figcaption>{esc(caption)}</figcaption></figure>\n'


def _topics(a: Analysis) -> str:
    if not a.topics:
        return ""
    caption = f"Messages per topic. {a.unclustered:,} of {a.messages:,} messages are near to no topic."
    if len(a.topics) > plots.MOST_ROWS:
        caption += f" The plot shows the {plots.MOST_ROWS} largest of {len(a.topics)} topics."
    return "<section><h2>Topics</h2>\n" + _two_widths(plots.topics, a, caption) + "".join(map(_topic, a.topics)) + _table(a) + "</section>\n"


def _topic(t: Topic) -> str:
    facts = [f"{t.size:,} messages", f"{t.share:.0%}"]
    if t.sentiment:
        facts.append(f"{t.negative_share:.0%} negative")
    if t.urgent:
        facts.append(f"{t.urgent} urgent")
    if t.trend and t.trend.direction != "unknown":
        facts.append(t.trend.words())
    quotes = "".join(map(quote_html, t.quotes[:2]))
    more = "".join(map(quote_html, t.quotes[2:]))
    if more:
        quotes += f"<details><summary>More quotes</summary>{more}</details>"
    return (
        f'<article class="topic"><header><h3>{t.number}. {esc(t.label)}</h3><span class="tag">{esc(" · ".join(facts))}</span></header>'
        f'<p class="fine">{esc(", ".join(t.terms))}</p>{quotes}</article>\n'
    )


def _table(a: Analysis) -> str:
    rows = ""
    for t in a.topics:
        s = t.sentiment
        cells = [f"{t.size:,}", f"{t.share:.1%}"] + ([f"{s['negative']:,}", f"{s['neutral']:,}", f"{s['positive']:,}"] if s else ["", "", ""])
        cells += [str(t.urgent), t.trend.words() if t.trend else ""]
        rows += f'<tr><th scope="row">{esc(t.label)}</th>' + "".join(f"<td>{esc(c)}</td>" for c in cells) + "</tr>\n"
    names = ["topic", "messages", "share", "negative", "neutral", "positive", "urgent", "trend"]
    header = "".join(f'<th scope="col">{n}</th>' for n in names)
    return f'<details><summary>The numbers as a table</summary><div class="scroll" tabindex="0" role="region" aria-label="Topics as a table"><table><caption>Topics of the period</caption><thead><tr>{header}</tr></thead><tbody>\n{rows}</tbody></table></div></details>\n'


def _sentiment(a: Analysis) -> str:
    if not a.sentiment:
        return ""
    out = "<section><h2>Sentiment</h2>\n<p>Counted with a lexicon: cue words with a sign, negation and emphasis. It misses irony and context, so read it as a comparison between topics, not as a measurement of one message.</p>\n"
    if a.topics:
        out += _two_widths(plots.sentiment, a, "Share of negative, neutral and positive messages in each topic.")
    for label, cues in a.cues.items():
        if cues:
            out += f"<p><strong>{esc(label.capitalize())} cues:</strong> " + esc(", ".join(f"{cue} ({n:,})" for cue, n in cues)) + "</p>\n"
    if a.kind != "topic-based":
        for label, quotes in a.extremes.items():
            if quotes:
                out += f"<h3>Clearest {esc(label)} messages</h3>\n" + "".join(map(quote_html, quotes))
        if a.channels:
            rows = "".join(f'<tr><th scope="row">{esc(c["channel"])}</th><td>{c["messages"]:,}</td><td>{c["negative"] / c["messages"]:.0%}</td><td>{c["positive"] / c["messages"]:.0%}</td></tr>' for c in a.channels)
            out += f'<div class="scroll" tabindex="0" role="region" aria-label="Sentiment by channel"><table><caption>Sentiment by channel</caption><thead><tr><th scope="col">channel</th><th scope="col">messages</th><th scope="col">negative</th><th scope="col">positive</th></tr></thead><tbody>{rows}</tbody></table></div>\n'
    return out + "</section>\n"


def _time(a: Analysis) -> str:
    if not a.volume:
        return ""
    if not a.dated:
        lines = '<p class="partial">The data has no dates. The messages were spread evenly over the period, so the curves below show chance and nothing else.</p>'
    elif a.previous:
        lines = "<p>A topic counts as rising or falling when its count differs from the period before by more than two standard deviations of chance.</p>"
    else:
        lines = "<p>There is nothing before this period in the data, so the second half of the period is compared with the first.</p>"
    out = f"<section><h2>Over time</h2>\n{lines}\n" + _two_widths(plots.volume, a, "Messages over the period; the darker part is negative.")
    if a.topics and a.topics[0].series:
        cells = ""
        for i, t in enumerate(a.topics[: plots.MOST_ROWS]):
            words = f'<br><span class="tag">{esc(t.trend.words())}</span>' if t.trend and t.trend.direction != "unknown" else ""
            cells += f"<figure><figcaption>{esc(t.label)}{words}</figcaption>{plots.trend_line(a, t, i)}</figure>\n"
        out += f'<div class="grid">\n{cells}</div>\n<p class="fine">All curves share one scale; the dot marks the peak.</p>\n'
    return out + "</section>\n"


def _urgent(a: Analysis) -> str:
    if not a.urgent_quotes:
        return ""
    cues = ", ".join(f"{name} ({n:,})" for name, n in a.urgent_cues.items())
    return f"<section><h2>Urgent messages</h2>\n<p>{a.urgent:,} messages carry enough signs of urgency: {esc(cues)}.</p>\n" + "".join(map(quote_html, a.urgent_quotes)) + "</section>\n"


def _agreement(a: Analysis) -> str:
    if not a.agreement:
        return ""
    g = a.agreement
    return (
        "<section><h2>Compared with the categories in the data</h2>\n"
        f"<p>The data names {g['categories']} categories. The {g['topics']} topics were found without them. Purity is {g['purity']:.2f} "
        f"(shuffled labels reach {g['purity_by_chance']:.2f}), normalized mutual information {g['nmi']:.2f} (shuffled: {g['nmi_by_chance']:.2f}; 1 would be the same grouping).</p>\n"
        + ("<p>There are fewer topics than categories, so one topic gathers several categories and purity can't be high.</p>\n" if g["topics"] < g["categories"] else "")
        + "</section>\n"
    )


def _checks(a: Analysis) -> str:
    if not a.checks:
        return ""
    items = "".join(f'<li class="{"ok" if c.ok else "look"}"><b>{"ok" if c.ok else "look"}</b>{esc(c.name)}. <span class="fine">{esc(c.detail)}</span></li>\n' for c in a.checks)
    return f'<section><h2>Quality check</h2>\n<ul class="checks">\n{items}</ul></section>\n'


def _method(a: Analysis) -> str:
    if not a.topics:
        return "Sentiment and urgency are counted from cue words."
    return f"Topics: TF-IDF over words and pairs of words, spherical k-means, then merging. {a.reason[:1].upper()}{a.reason[1:]}. Sentiment and urgency are counted from cue words."
