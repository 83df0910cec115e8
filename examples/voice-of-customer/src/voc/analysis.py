"""What the agents find, as plain data: the report, the slides and the result are made from this and nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Optional


@dataclass
class Quote:
    text: str  # as the customer wrote it, with mail addresses and long numbers masked
    when: str
    channel: str
    sentiment: str


@dataclass
class Trend:
    """How a count changed. `direction` is rising or falling only when chance is an unlikely reason."""

    direction: str  # rising | falling | steady | unknown
    now: int
    before: int
    basis: str  # what was compared

    @property
    def change(self) -> Optional[float]:
        return None if self.direction == "unknown" or not self.before else (self.now - self.before) / self.before

    def words(self) -> str:
        if self.direction == "unknown":
            return "unknown"
        change = "new" if not self.before and self.now else f"{self.change:+.0%}" if self.before else "none"
        return f"{self.direction} ({change})"


@dataclass
class Topic:
    number: int  # place by size, from 1
    label: str
    terms: list[str]
    size: int  # messages of the period
    share: float  # of all messages of the period
    cohesion: float  # mean cosine of its messages to its centre
    sentiment: dict[str, float] = field(default_factory=dict)
    urgent: int = 0
    trend: Optional[Trend] = None
    series: list[int] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)

    @property
    def negative_share(self) -> float:
        return self.sentiment.get("negative", 0) / self.size if self.size and self.sentiment else 0.0


@dataclass
class Check:
    name: str
    ok: bool
    detail: str


@dataclass
class Analysis:
    """Filled step by step; at any moment what is there can be reported."""

    title: str
    kind: str  # topic-based | sentiment | full
    source: str
    period: str
    messages: int
    previous: int
    dated: bool
    buckets: list[str] = field(default_factory=list)
    volume: list[int] = field(default_factory=list)
    volume_negative: list[int] = field(default_factory=list)
    volume_trend: Optional[Trend] = None
    topics: list[Topic] = field(default_factory=list)
    unclustered: int = 0
    reason: str = ""  # why so many topics
    sentiment: dict[str, float] = field(default_factory=dict)
    cues: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    extremes: dict[str, list[Quote]] = field(default_factory=dict)
    channels: list[dict[str, Any]] = field(default_factory=list)
    urgent: int = 0
    urgent_cues: dict[str, int] = field(default_factory=dict)
    urgent_quotes: list[Quote] = field(default_factory=list)
    agreement: dict[str, Any] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    summary: str = ""
    model: str = "none"  # who wrote labels and summary
    notes: list[str] = field(default_factory=list)
    partial: str = ""  # why the report is incomplete; '' when it is complete
    finished: list[str] = field(default_factory=list)  # agents that are done
    seconds: float = 0.0

    def result(self, artifacts: list[str]) -> dict[str, Any]:
        """The execution's result: what a program wants to read, without the curves."""
        return {
            "status": "partial" if self.partial else "complete",
            **({"partial_reason": self.partial} if self.partial else {}),
            "summary": self.summary,
            "messages": self.messages,
            "period": self.period,
            "source": self.source,
            "topics": [
                {
                    "label": t.label,
                    "terms": t.terms,
                    "size": t.size,
                    "share": round(t.share, 4),
                    "sentiment": t.sentiment,
                    "urgent": t.urgent,
                    "trend": {**asdict(t.trend), "change": None if t.trend.change is None else round(t.trend.change, 3)} if t.trend else None,
                    "quotes": [q.text for q in t.quotes],
                }
                for t in self.topics
            ],
            "sentiment": self.sentiment,
            "urgent": self.urgent,
            "headline_findings": self.findings,
            "next_steps": self.actions,
            "agreement": self.agreement or None,
            "checks": [asdict(c) for c in self.checks],
            "artifacts": artifacts,
            "model": self.model,
            "agents": self.finished,
            "seconds": round(self.seconds, 1),
            "notes": self.notes,
        }
