"""Dates as people export them."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Optional, Sequence

SLASHED = re.compile(r"^(\d{1,2})[/.](\d{1,2})[/.](\d{4})(?:[ T,]+(\d{1,2}):(\d{2}))?")
TIDY_FRACTION = re.compile(r"(\.\d{1,6})\d*")


def parse_all(values: Sequence[str]) -> tuple[list[Optional[datetime]], str]:
    """Parse a whole column at once, since one value alone can't tell 03/04 from 04/03.

    Returns the dates (None where unreadable; instants with a zone become UTC) and a note, or ''.
    """
    pairs = [SLASHED.match(v.strip()) for v in values]
    slashed = [m for m in pairs if m and "/" in m.group(0)[:3]]
    month_first = bool(slashed) and not any(int(m.group(1)) > 12 for m in slashed)
    note = ""
    if month_first and not any(int(m.group(2)) > 12 for m in slashed):
        note = "Dates like 03/04/2025 were read as month/day, since nothing in the column shows the order"
    return [_slashed(m, month_first and "/" in m.group(0)[:3]) if m else _iso(v) for m, v in zip(pairs, values)], note


def _slashed(match: "re.Match[str]", month_first: bool) -> Optional[datetime]:
    first, second, year = int(match[1]), int(match[2]), int(match[3])
    month, day = (first, second) if month_first else (second, first)
    try:
        return datetime(year, month, day, int(match[4] or 0), int(match[5] or 0))
    except ValueError:
        return None


def _iso(value: str) -> Optional[datetime]:
    value = value.strip()
    if len(value) < 8:
        return None
    if value[-1] in "Zz":
        value = value[:-1] + "+00:00"
    value = TIDY_FRACTION.sub(lambda m: m[1].ljust(7, "0"), value, count=1)  # before 3.11 only 3 or 6 digits are read
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return None
    return when.astimezone(timezone.utc).replace(tzinfo=None) if when.tzinfo else when
