"""slides.html: a deck in one file. Keys, touch and links work; without JavaScript it is a page to scroll."""

from __future__ import annotations

from ..analysis import Analysis, Topic
from . import plots
from .page import FONT, esc, head, kind_words, quote_html

TOPIC_SLIDES = 4
CURVES = 6
ROWS = 10  # bars on a slide

CSS = """
*{box-sizing:border-box}
html{font:clamp(15px,.55vw + .75vh + 6px,24px)/1.45 """ + FONT + """;background:var(--bg);color:var(--ink)}
body{margin:0}
section{min-height:100vh;min-height:100svh;padding:7vh max(6vw,1.25rem) 9vh;display:flex;flex-direction:column;justify-content:center;border-bottom:1px solid var(--line)}
section>*{width:100%;max-width:66rem;margin-left:auto;margin-right:auto}
.js section{display:none;border:0}.js section.on{display:flex}
h1{font-size:2.9rem;line-height:1.08;letter-spacing:-.025em;margin-top:0;margin-bottom:.6rem}
h2{font-size:1.9rem;line-height:1.15;letter-spacing:-.015em;margin-top:0;margin-bottom:1.2rem}
p{margin-top:.3rem;margin-bottom:.6rem}.lead{font-size:1.25rem}.sub,.fine{color:var(--muted)}.fine{font-size:.85rem}
.partial{background:var(--warn);color:var(--warnink);padding:.6rem 1rem;border-radius:6px}
ol.big{padding-left:1.6rem;font-size:1.2rem}ol.big li{margin:.7rem 0;padding-left:.3rem}ol.big li::marker{color:var(--muted)}
.two{display:grid;grid-template-columns:minmax(15rem,2fr) 3fr;gap:2rem 3rem;align-items:start}
dl{display:grid;grid-template-columns:repeat(2,1fr);gap:1rem 1.5rem;margin:0 0 1.2rem}
dl div{display:flex;flex-direction:column-reverse;justify-content:flex-end}dt{color:var(--muted);font-size:.85rem}dd{margin:0;font-size:1.8rem;font-weight:600;line-height:1.15}
blockquote{margin:0 0 1rem;padding-left:1rem;border-left:4px solid var(--neu)}blockquote p{margin:0}blockquote footer{color:var(--muted);font-size:.8rem}
.q-negative{border-left-color:var(--neg)}.q-positive{border-left-color:var(--pos)}
.grid figure{margin:0}figure{margin-top:0;margin-bottom:0}svg{display:block;width:100%;height:auto;max-height:66vh}.narrow{display:none}
.grid{display:grid;grid-template-columns:repeat(3,1fr);gap:1.6rem 2rem}figcaption{line-height:1.3;margin-bottom:.3rem}
nav{position:fixed;inset:auto 0 0 0;display:none;align-items:center;gap:.4rem;padding:.5rem .8rem;color:var(--muted);font-size:.85rem;background:var(--bg);border-top:1px solid var(--line)}
.js nav{display:flex}nav output{margin:0 auto}
button{font:inherit;color:inherit;background:none;border:1px solid var(--line);border-radius:6px;min-width:2.75rem;min-height:2.4rem;cursor:pointer}
button:hover:not(:disabled){color:var(--ink);border-color:var(--muted)}button:disabled{opacity:.35;cursor:default}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}section:focus{outline:none}
#bar{position:fixed;left:0;top:0;height:3px;background:var(--accent);width:0}
@media (max-width:44rem){.two{grid-template-columns:1fr}.grid{grid-template-columns:repeat(2,1fr);gap:1rem}.wide{display:none}.narrow{display:block}svg{max-height:none}h1{font-size:2.1rem}h2{font-size:1.5rem}.js section.on{justify-content:flex-start}section{padding-bottom:5rem}ol.big{font-size:1.05rem}}
@media print{@page{size:297mm 167mm;margin:0}.js section,section{display:flex;break-after:page;min-height:0;height:167mm}nav,#bar{display:none!important}}
"""

SCRIPT = """
(function () {
  var root = document.documentElement, slides = Array.prototype.slice.call(document.querySelectorAll('section'));
  var bar = document.getElementById('bar'), count = document.querySelector('nav output');
  var back = document.getElementById('back'), next = document.getElementById('next'), at = 0, x0 = null;
  root.classList.add('js');
  function show(n, quiet) {
    at = Math.max(0, Math.min(slides.length - 1, n));
    slides.forEach(function (s, i) { s.classList.toggle('on', i === at); });
    bar.style.width = (100 * (at + 1) / slides.length) + '%';
    count.textContent = (at + 1) + ' / ' + slides.length;
    back.disabled = at === 0; next.disabled = at === slides.length - 1;
    if (!quiet) { try { history.replaceState(null, '', '#' + (at + 1)); } catch (e) { /* opened from a sandbox */ } slides[at].focus(); window.scrollTo(0, 0); }
  }
  function fromHash() { return (parseInt(location.hash.slice(1), 10) || 1) - 1; }
  document.addEventListener('keydown', function (e) {
    if (e.altKey || e.ctrlKey || e.metaKey) return;
    var k = e.key, on = e.target.tagName === 'BUTTON' && (k === ' ' || k === 'Enter');
    if (on) return;
    if (k === 'ArrowRight' || k === 'PageDown' || (k === ' ' && !e.shiftKey)) show(at + 1);
    else if (k === 'ArrowLeft' || k === 'PageUp' || k === ' ') show(at - 1);
    else if (k === 'Home') show(0);
    else if (k === 'End') show(slides.length - 1);
    else if (k === 'f' && root.requestFullscreen) document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen();
    else return;
    e.preventDefault();
  });
  document.addEventListener('touchstart', function (e) { x0 = e.touches[0].clientX; }, { passive: true });
  document.addEventListener('touchend', function (e) {
    var dx = e.changedTouches[0].clientX - (x0 === null ? 0 : x0);
    if (x0 !== null && Math.abs(dx) > 60) show(at + (dx < 0 ? 1 : -1));
    x0 = null;
  });
  back.onclick = function () { show(at - 1); };
  next.onclick = function () { show(at + 1); };
  window.addEventListener('hashchange', function () { show(fromHash()); });
  show(fromHash(), true);
})();
"""


def render(a: Analysis) -> str:
    slides = [_title(a), _lines("What we found", a.findings)]
    if a.topics:
        slides.append(_plot("What customers write about", a, plots.topics))
        if a.sentiment:
            slides.append(_plot("How they feel about it", a, plots.sentiment, "Counted with a lexicon of cue words; read it as a comparison."))
    if a.volume and a.dated:
        slides.append(_plot("When they write", a, plots.volume, "Messages over the period; the darker part is negative."))
    if a.dated and any(t.series for t in a.topics):
        slides.append(_curves(a))
    slides += [_topic(t) for t in a.topics[:TOPIC_SLIDES]]
    slides.append(_lines("Look here first", a.actions))
    slides.append(_method(a))
    shown = [s for s in slides if s]
    sections = "".join(f'<section tabindex="-1" aria-roledescription="slide" aria-label="{i} of {len(shown)}">\n{s}</section>\n' for i, s in enumerate(shown, 1))
    nav = (
        '<nav aria-label="Slides"><button id="back" type="button" aria-label="Previous slide">←</button>'
        '<output aria-live="polite"></output><button id="next" type="button" aria-label="Next slide">→</button></nav>\n'
    )
    return head(f"{a.title}: slides", CSS) + f'<body>\n<div id="bar" aria-hidden="true"></div>\n<main>\n{sections}</main>\n{nav}<script>{SCRIPT}</script>\n</body>\n</html>\n'


def _title(a: Analysis) -> str:
    partial = f'<p class="partial"><strong>Partial:</strong> {esc(a.partial)}.</p>' if a.partial else ""
    return f'<h1>{esc(a.title)}</h1>\n<p class="lead sub">{esc(kind_words(a))} · {esc(a.period)} · {a.messages:,} messages</p>\n{partial}<p class="lead">{esc(a.summary)}</p>\n'


def _lines(title: str, lines: list[str]) -> str:
    return f'<h2>{esc(title)}</h2>\n<ol class="big">' + "".join(f"<li>{esc(line)}</li>" for line in lines[:6]) + "</ol>\n" if lines else ""


def _plot(title: str, a: Analysis, draw, under: str = "") -> str:
    shown = _largest(a)
    if len(shown.topics) < len(a.topics) and draw is not plots.volume:
        under = f"The {ROWS} largest of {len(a.topics)} topics. {under}".strip()
    note = f'<p class="fine">{esc(under)}</p>' if under else ""
    return f'<h2>{esc(title)}</h2>\n<figure><div class="wide">{draw(shown, plots.WIDE)}</div><div class="narrow">{draw(shown, plots.NARROW)}</div></figure>\n{note}\n'


def _largest(a: Analysis) -> Analysis:
    """The same analysis with only the topics that fit a slide."""
    return Analysis(**{**a.__dict__, "topics": a.topics[:ROWS]})


def _curves(a: Analysis) -> str:
    order = {"rising": 0, "falling": 1}
    chosen = sorted((t for t in a.topics if t.trend), key=lambda t: (order.get(t.trend.direction, 2), t.number))[:CURVES]
    cells = "".join(f'<figure><figcaption>{esc(t.label)}<br><span class="fine">{esc(t.trend.words())}</span></figcaption>{plots.trend_line(a, t, i)}</figure>' for i, t in enumerate(chosen))
    return f'<h2>What changes</h2>\n<div class="grid">{cells}</div>\n<p class="fine">Rising and falling means: more than chance explains, against {esc(chosen[0].trend.basis)}.</p>\n' if chosen else ""


def _topic(t: Topic) -> str:
    facts = [("messages", f"{t.size:,}"), ("of all", f"{t.share:.0%}")]
    if t.sentiment:
        facts += [("negative", f"{t.negative_share:.0%}"), ("urgent", str(t.urgent))]
    numbers = "".join(f"<div><dt>{k}</dt><dd>{esc(v)}</dd></div>" for k, v in facts)
    trend = f"<p>{esc(t.trend.words().capitalize())} against {esc(t.trend.basis)}</p>" if t.trend and t.trend.direction != "unknown" else ""
    return f'<h2>{t.number}. {esc(t.label)}</h2>\n<div class="two"><div><dl>{numbers}</dl>{trend}<p class="fine">{esc(", ".join(t.terms))}</p></div><div>{"".join(map(quote_html, t.quotes[:3]))}</div></div>\n'


def _method(a: Analysis) -> str:
    checks = "".join(f"<li>{'' if c.ok else 'Look: '}{esc(c.name)}. {esc(c.detail)}</li>" for c in a.checks)
    model = a.model if a.model != "none" else "from the statistics, no model was used"
    dates = "" if a.dated else "<p>The data has no dates, so no trend is stated.</p>"
    return f'<h2>How far to trust this</h2>\n<ul>{checks}</ul>\n{dates}<p class="fine">Topics: TF-IDF and spherical k-means. Sentiment and urgency: cue words. Names and summary: {esc(model)}. The full report is report.html.</p>\n'
