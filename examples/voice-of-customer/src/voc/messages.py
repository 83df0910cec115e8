"""Read messages from a CSV (or JSON on stdin), and cut the time-period out of them."""

from __future__ import annotations

import csv
import io
import json
import random
import sys
import zlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Optional, Sequence

from .dates import parse_all
from .problem import Problem

SAMPLE = Path(__file__).resolve().parent.parent.parent / "data" / "messages.csv"
TEST_MODE_SIZE = 160
MEMORY_LIMIT = 512 * 1024 * 1024  # bytes of input; the analysis holds all messages in memory

TEXT_NAMES = ("text", "message", "body", "comment", "content", "review", "feedback", "question", "description", "verbatim")
DATE_NAMES = ("date", "datetime", "timestamp", "time", "created_at", "created", "sent_at", "day")
CHANNEL_NAMES = ("channel", "source", "medium")

DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}
UNDATED_START = datetime(2000, 1, 3)  # never shown: undated buckets are called "day 1", "day 2", ...


@dataclass(frozen=True)
class Message:
    text: str
    when: Optional[datetime] = None
    channel: str = ""
    category: str = ""


@dataclass(frozen=True)
class Corpus:
    """The messages of the period, those of the period before it, and what was noticed while reading."""

    source: str
    current: list[Message]
    previous: list[Message]  # as long a time, just before; empty when there is none
    start: datetime
    end: datetime
    dated: bool
    notes: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[Message]:
        """Current messages first, so that their numbers are the same in both lists."""
        return self.current + self.previous

    @property
    def has_categories(self) -> bool:
        return any(m.category for m in self.current)


def read(options: Any) -> Corpus:
    """Read what --input names and keep the chosen period."""
    source, rows, notes = _rows(options.input)
    columns = list(rows[0]) if rows else []
    if not rows:
        raise Problem(f"--input {source} has no messages: give a CSV with a header line and at least one row.")

    text_column = _column(options.text_column, "--text-column", TEXT_NAMES, columns) or _longest(rows, columns)
    date_column = _column(options.date_column, "--date-column", DATE_NAMES, columns)
    category_column = _column(options.category_column, "--category-column", ("category",), columns)
    channel_column = _column(None, "", CHANNEL_NAMES, columns)
    notes.append(f"Columns used: text = {text_column!r}" + (f", date = {date_column!r}" if date_column else ", no date"))

    dates: Sequence[Optional[datetime]] = [None] * len(rows)
    if date_column:
        dates, note = parse_all([row.get(date_column) or "" for row in rows])
        unreadable = sum(d is None for d in dates)
        if unreadable > len(rows) / 2:
            if options.date_column:
                raise Problem(
                    f"--date-column {date_column}: {unreadable} of {len(rows)} values are no dates "
                    f"(the first one: {next(r.get(date_column) for r, d in zip(rows, dates) if d is None)!r}). "
                    "Name another column, or use dates like 2025-11-07 or 2025-11-07T14:30."
                )
            notes.append(f"The column {date_column!r} holds no dates that can be read; it was not used")
            date_column, dates = "", [None] * len(rows)
        elif unreadable:
            notes.append(f"{unreadable} messages without a readable date were left out")
        if note:
            notes.append(note)

    messages = []
    empty = 0
    for row, when in zip(rows, dates):
        text = " ".join((row.get(text_column) or "").split())
        if not text:
            empty += 1
        elif when is not None or not date_column:
            messages.append(Message(text, when, row.get(channel_column) or "", row.get(category_column) or ""))
    if empty:
        notes.append(f"{empty} rows without text were left out")
    if not messages:
        raise Problem(f"--text-column {text_column} holds no text in any row: name the column with the messages (there are: {', '.join(columns)}).")
    return _period(source, messages, bool(date_column), options, notes)


def _rows(path: Optional[str]) -> tuple[str, list[dict[str, Any]], list[str]]:
    """The rows as dictionaries, and notes about the reading."""
    if path == "-":
        raw, name = sys.stdin.buffer.read(MEMORY_LIMIT + 1), "stdin"
    else:
        file = Path(path) if path else SAMPLE
        name = file.name if path else "the sample (data/messages.csv)"
        if not file.exists():
            raise Problem(f"--input {path}: there is no such file. Give a path relative to {Path.cwd().name}/, an absolute path, or - for stdin.")
        if not file.is_file():
            raise Problem(f"--input {path} is not a file: give one CSV file.")
        try:
            with file.open("rb") as stream:
                raw = stream.read(MEMORY_LIMIT + 1)
        except OSError as error:
            raise Problem(f"--input {path} can't be read ({error.strerror}): check its permissions.") from error
    if len(raw) > MEMORY_LIMIT:
        raise Problem(f"--input {name} is larger than {MEMORY_LIMIT >> 20} MB: split it, or cut it to the period you need.")

    notes: list[str] = []
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
        notes.append("The input is not UTF-8; it was read as Windows-1252")
    if "\0" in text[:4096]:
        raise Problem(f"--input {name} is not a text file: give a CSV (export spreadsheets as CSV, UTF-8).")
    if text.lstrip()[:1] in ("{", "["):
        return name, _from_json(text, name), notes
    return name, _from_csv(text, name), notes


def _from_csv(text: str, name: str) -> list[dict[str, Any]]:
    csv.field_size_limit(10_000_000)  # messages may be long; the module's own limit is 128 KiB
    header = text.partition("\n")[0]
    delimiter = max(",;\t|", key=header.count)  # a header holds no prose, so its most frequent separator is it
    try:
        rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter, restkey="_more"))
    except csv.Error as error:
        raise Problem(f"--input {name} is not a valid CSV ({error}): check its quotes.") from error
    for row in rows:
        row.pop("_more", None)
    return rows


def _from_json(text: str, name: str) -> list[dict[str, Any]]:
    """[...] or {"messages": [...]}; each message a string or an object with a text and perhaps a date."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Problem(f"--input {name} looks like JSON but is not valid ({error}): repair it, or give a CSV.") from error
    items = value.get("messages") if isinstance(value, dict) else value
    if not isinstance(items, list):
        raise Problem(f'--input {name}: the JSON must be a list of messages, or an object like {{"messages": [...]}}.')
    rows = []
    for item in items:
        if isinstance(item, dict):
            rows.append({str(k): "" if v is None else str(v) for k, v in item.items()})
        else:
            rows.append({"text": str(item)})
    return rows


def _column(wanted: Optional[str], option: str, names: Sequence[str], columns: Sequence[str]) -> str:
    """The column asked for, or the first with a usual name, or ''."""
    if wanted:
        if wanted not in columns:
            raise Problem(f"{option} {wanted}: there is no such column. The columns are: {', '.join(map(str, columns))}.")
        return wanted
    known = {str(c).strip().lower(): c for c in reversed(columns) if c}
    return next((known[n] for n in names if n in known), "")


def _longest(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """Without a usual name, the message is the column with the longest values."""
    return max(columns, key=lambda c: sum(len(row.get(c) or "") for row in rows[:300]))


def _period(source: str, messages: list[Message], dated: bool, options: Any, notes: list[str]) -> Corpus:
    """The last period up to the newest message. Undated messages are spread evenly and at random over it."""
    length = timedelta(days=DAYS[options.time_period])
    if dated:
        newest = max(m.when for m in messages if m.when)
        end = datetime(newest.year, newest.month, newest.day) + timedelta(days=1)
        start = end - length
        current = sorted((m for m in messages if m.when and start <= m.when), key=lambda m: m.when)
        previous = sorted((m for m in messages if m.when and start - length <= m.when < start), key=lambda m: m.when)
        older = len(messages) - len(current) - len(previous)
        notes.append(
            f"Period: {start:%Y-%m-%d} to {end - timedelta(days=1):%Y-%m-%d}, the last {options.time_period} up to the newest message; "
            f"{len(previous)} messages of the {options.time_period} before serve as comparison"
            + (f"; {older} older ones were not used" if older else "")
        )
    else:
        start, end = UNDATED_START, UNDATED_START + length
        # A hash of the position, not the order of the file: files are often sorted by subject, and that would look like a trend.
        def spread(i: int) -> float:
            return zlib.crc32(f"{options.seed}:{i}".encode()) / 2**32

        current = sorted((replace(m, when=start + length * spread(i)) for i, m in enumerate(messages)), key=lambda m: m.when)
        previous = []
        notes.append(
            f"The data has no dates. The messages were spread evenly over one {options.time_period} so that the same report can be "
            "made, but every curve over time is then an artefact, and no trend is stated"
        )
    if options.test_mode and len(current) + len(previous) > TEST_MODE_SIZE:
        share = TEST_MODE_SIZE / (len(current) + len(previous))
        notes.append(f"Test mode: a random sample of {share:.0%} of the messages")
        current, previous = (_sample(part, share, options.seed) for part in (current, previous))
    return Corpus(source, current, previous, start, end, dated, notes)


def _sample(messages: list[Message], share: float, seed: int) -> list[Message]:
    size = min(len(messages), max(1, round(len(messages) * share))) if messages else 0
    return [messages[i] for i in sorted(random.Random(seed).sample(range(len(messages)), size))]
