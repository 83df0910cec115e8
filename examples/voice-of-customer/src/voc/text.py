"""From a message to words: one place, so that topics, sentiment and labels agree on what a word is."""

from __future__ import annotations

import re
from functools import lru_cache

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")

# Words that say nothing about the subject. Kept OUT of this list on purpose: "up", "out", "off",
# "on" in "top up", "locked out": they are dropped alone but may take part in a two-word term.
STOP = frozenset(
    """
    a about above after again against ago all already also although always am an and any anybody anyone are aren't as
    at be because been before being below between both but by came can can't cannot come comes coming could couldn't
    dear did didn't do does doesn't doing don't done down during each else ever every few for from further get gets
    getting give given go goes going gone good got had hadn't has hasn't have haven't having he he'd he'll hello her
    here hers hey hi him his how however i i'd i'll i'm i've if in instead into is isn't it it's its itself just keep keeps kept
    kind know let like likely ll look make makes making many may maybe me might mine more most much must my myself need
    needs never new next no nobody nor not nothing now of off often ok okay on once one only or other otherwise our
    ours out over own perhaps please possible put quite rather re really regards right same say says see seem seems
    send shall she should shouldn't show shows simply since so some somebody someone something soon still such sure
    take taken tell than thank thanks that that's the their theirs them themselves then there there's these they
    they're thing things think this those though through time to today together told too tried try trying two under
    until up us use used using ve very via want wanted was wasn't way we we'd we'll we're we've went were weren't what
    what's whatever when where whether which while who whom whose why will wish wishes with within without won't would
    wouldn't yes yet you you'd you'll you're you've your yours yourself able actually anymore best big couple
    different else's getting guys happen happened happening happens help hour hours day days week weeks month months
    year years minute minutes monday tuesday wednesday thursday friday saturday sunday morning evening first second
    third last three four five six seven eight nine ten twice times
    """.split()
)

# Stop words that carry meaning beside a content word: "top up", "locked out", and only there "log in".
PARTICLES = frozenset("up ups out off down".split())
IN_AFTER = frozenset("log sign pay".split())

BREAK = re.compile(r"[.!?;:\n]")
MOST_BETWEEN = 1  # stop words that may stand inside a pair: "cancel my subscription" yes, "due on Monday and has not arrived" no


def words(text: str) -> list[str]:
    """The words of a message in order, lower case, with plain apostrophes."""
    return [w.replace("’", "'") for w in WORD.findall(text.lower())]


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Fold the endings that only grammar needs: charge, charges, charged, charging -> charg.

    Much weaker than Porter's rules, because labels are shown to people: two different words that fall
    together do more harm here than two forms of one word that stay apart.
    """
    word = word[:-2] if word.endswith("'s") else word
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith("sses"):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def terms(text: str) -> list[tuple[str, str]]:
    """The terms of a message, each as (key, the form as it was written).

    Keys are stems ("charg") and pairs of neighbouring stems ("app crash"). Stop words fall out before
    pairs are made, except particles, which bind to the word before them ("top up").
    """
    found: list[tuple[str, str]] = []
    before: tuple[str, str] | None = None  # the content word that may begin a pair
    between = end = 0
    for match in WORD.finditer(text):
        word = match.group().lower().replace("’", "'")
        if BREAK.search(text, end, match.start()):
            before = None
        end = match.end()
        if before and (word in PARTICLES or (word == "in" and before[0] in IN_AFTER)):
            found.append((f"{before[0]} {word.rstrip('s')}", f"{before[1]} {word}"))
            continue
        if word in STOP or word in PARTICLES or len(word) < 2:
            between += 1
            continue
        key = stem(word)
        found.append((key, word))
        if before and between <= MOST_BETWEEN and before[0] != key:
            found.append((f"{before[0]} {key}", f"{before[1]} {word}"))
        before, between = (key, word), 0
    return found
