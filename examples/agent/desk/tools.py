"""What the agent can do. Each tool is a method; TOOLS describes them to a model in the usual JSON Schema form."""

from __future__ import annotations

import ast
import math
import operator
from collections import Counter
from typing import Any, Callable

from .data import PERIODS, Desk, Entry, mask

FIELDS = ("topic", "channel", "sentiment", "day")
SENTIMENTS = ("negative", "neutral", "positive")
MOST_ROWS = 20

_PERIOD = {"type": "string", "enum": list(PERIODS), "description": "week = the seven days up to the newest message"}
_FILTERS = {
    "period": _PERIOD,
    "sentiment": {"type": "string", "enum": list(SENTIMENTS)},
    "topic": {"type": "string", "description": "a topic label, or part of one"},
    "words": {"type": "string", "description": "only messages that hold all these words"},
}


def _describe(name: str, description: str, properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS = [
    _describe("search", "Find messages; returns their number and a few of them.", {**_FILTERS, "limit": {"type": "integer", "minimum": 1, "maximum": MOST_ROWS}}),
    _describe("count_by", "Count messages by topic, channel, sentiment or day.", {"field": {"type": "string", "enum": list(FIELDS)}, **_FILTERS}, ("field",)),
    _describe("trend", "Compare this week with the week before.", {k: v for k, v in _FILTERS.items() if k != "period"}),
    _describe("quote", "Give short verbatim quotes.", {**_FILTERS, "limit": {"type": "integer", "minimum": 1, "maximum": 5}}),
    _describe("calculate", "Evaluate arithmetic such as 100 * 27 / 225.", {"expression": {"type": "string"}}, ("expression",)),
]
NAMES = [tool["function"]["name"] for tool in TOOLS]


class ToolError(Exception):
    """A call that can't be done; the text tells the caller (perhaps a model) how to do better."""


class Toolbox:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run one tool. Arguments may come from a model, so nothing about them is trusted."""
        if name not in NAMES:
            raise ToolError(f"there is no tool {name!r}; the tools are {', '.join(NAMES)}")
        known = TOOLS[NAMES.index(name)]["function"]["parameters"]
        unknown = [key for key in arguments if key not in known["properties"]]
        missing = [key for key in known["required"] if key not in arguments]
        if unknown or missing:
            raise ToolError(f"{name}: " + "; ".join([f"unknown argument {k!r}" for k in unknown] + [f"{k!r} is missing" for k in missing]))
        for key, value in arguments.items():
            kind = known["properties"][key]
            if kind["type"] == "string" and not isinstance(value, str) or kind["type"] == "integer" and (not isinstance(value, int) or isinstance(value, bool)):
                raise ToolError(f"{name}: {key!r} must be a {kind['type']}")
            if value not in kind.get("enum", [value]):
                raise ToolError(f"{name}: {key!r} must be one of {', '.join(kind['enum'])}")
        tool: Callable[..., dict[str, Any]] = getattr(self, name)
        return tool(**arguments)

    def search(self, limit: int = 5, **filters: str) -> dict[str, Any]:
        found = self.desk.select(**filters)
        shown = found[-max(1, min(MOST_ROWS, limit)) :]
        return {"count": len(found), "messages": [{"date": e.when, "channel": e.channel, "text": mask(e.text)} for e in reversed(shown)]}

    def count_by(self, field: str, **filters: str) -> dict[str, Any]:
        found = self.desk.select(**filters)
        key = {"topic": lambda e: e.topic, "channel": lambda e: e.channel, "sentiment": lambda e: e.sentiment, "day": lambda e: e.when}[field]
        counts = Counter(map(key, found))
        rows = sorted(counts.items()) if field == "day" else sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return {"total": len(found), "rows": [{field: name, "count": n} for name, n in rows[:MOST_ROWS]]}

    def trend(self, **filters: str) -> dict[str, Any]:
        now, before = (len(self.desk.select(period=period, **filters)) for period in ("week", "last_week"))
        scatter = math.sqrt(now + before)
        distance = (now - before) / scatter if scatter else 0.0
        direction = "rising" if distance >= 2 else "falling" if distance <= -2 else "steady"
        return {"this_week": now, "week_before": before, "direction": direction, "note": "rising and falling mean a change of two standard deviations or more"}

    def quote(self, limit: int = 2, **filters: str) -> dict[str, Any]:
        found = self.desk.select(**filters)
        # Short messages make quotes that are read; the newest come first, and no two that say the same.
        chosen: list[Entry] = []
        for e in reversed([e for e in found if 25 <= len(e.text) <= 160] or found):
            if all(len(e.stems & other.stems) < 0.4 * len(e.stems | other.stems) for other in chosen):
                chosen.append(e)
            if len(chosen) == max(1, min(5, limit)):
                break
        return {"quotes": [{"date": e.when, "channel": e.channel, "text": mask(e.text)} for e in chosen]}

    def calculate(self, expression: str) -> dict[str, Any]:
        return {"value": _evaluate(expression)}


_OPERATORS: dict[type, Callable[..., float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip


def _evaluate(expression: str) -> float:
    """Arithmetic only: the tree is walked by hand, so that no name, call or attribute can ever run."""

    def value(node: ast.AST) -> float:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return node.value
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            left, right = value(node.left), value(node.right)
            if isinstance(node.op, ast.Pow) and (abs(left) > 1e6 or abs(right) > 64):
                raise ToolError("the power is too large")
            return _OPERATORS[type(node.op)](left, right)
        if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](value(node.operand))
        raise ToolError("only numbers and + - * / // % ** ( ) can be calculated")

    if len(expression) > 200:
        raise ToolError("the expression is too long")
    try:
        result = value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError) as error:
        raise ToolError(f"{expression!r} is not arithmetic") from error
    except (ZeroDivisionError, OverflowError) as error:
        raise ToolError(str(error)) from error
    if isinstance(result, complex) or result != result or abs(result) == float("inf"):
        raise ToolError("the result is not a number")
    return round(result, 6)
