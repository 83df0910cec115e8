"""The command line."""

from __future__ import annotations

import argparse
from typing import NoReturn, Optional, Sequence

from .problem import Problem

PERIODS = ("day", "week", "month", "quarter", "year")
ANALYSES = ("topic-based", "sentiment", "full")
MODELS = ("openai", "none")

EXAMPLES = """\
examples:
  python src/main.py voice-of-customer --multi-agent --time-period week
  python src/main.py voice-of-customer --input reviews.csv --text-column body --date-column created
  python src/main.py voice-of-customer --input - < messages.json
  python src/main.py voice-of-customer --analysis-type topic-based --ai-model openai --generate-gamma

environment (all optional):
  OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL   the model behind --ai-model openai
  EXECUTION_OUTPUT_DIR                            where the files go (default: ./outputs)
  EXECUTION_RESULT_FILE, EXECUTION_EVENTS_FD, EXECUTION_DEADLINE, EXECUTION_ID, EXECUTION_ATTEMPT
"""


class _Parser(argparse.ArgumentParser):
    """Raises instead of exiting, so that every bad input ends at the same place."""

    def error(self, message: str) -> NoReturn:
        raise Problem(f"{message[0].upper()}{message[1:]}. See --help for the options.")


def parse(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line, or raise Problem."""
    parser = _Parser(
        prog="main.py",
        description="Find out what customers write about, how they feel, and what changes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("command", choices=["voice-of-customer"], help="the analysis to run (there is one)")

    data = parser.add_argument_group("data")
    data.add_argument("--input", metavar="FILE", help="CSV with a header line, or - for CSV or JSON on stdin (default: the sample)")
    data.add_argument("--text-column", metavar="NAME", help="column with the message (default: guessed)")
    data.add_argument("--date-column", metavar="NAME", help="column with the date (default: guessed; a file may have none)")
    data.add_argument("--category-column", metavar="NAME", help="column with known categories to compare with (default: 'category' if there)")
    data.add_argument("--time-period", choices=PERIODS, default="week", help="the last day, week, ... up to the newest message (default: week)")
    data.add_argument("--test-mode", action="store_true", help="analyse a small sample only")

    work = parser.add_argument_group("analysis")
    work.add_argument("--analysis-type", choices=ANALYSES, default="topic-based", help="default: topic-based")
    work.add_argument("--topics", type=int, metavar="N", help="number of topics (default: chosen from the data)")
    work.add_argument("--restarts", type=int, default=3, metavar="N", help="runs of the clustering, the best one counts (default: 3)")
    work.add_argument("--seed", type=int, default=7, metavar="N", help="same seed and same data, same result (default: 7)")
    work.add_argument("--multi-agent", action="store_true", help="run the agents side by side, each in its own process")
    work.add_argument("--workers", type=int, metavar="N", help="processes at once with --multi-agent (default: one per core, at most 4)")

    text = parser.add_argument_group("report")
    text.add_argument("--ai-model", choices=MODELS, default="none", help="who names the topics and writes the summary (default: none, plain statistics)")
    text.add_argument("--generate-gamma", action="store_true", help="also make a slide deck (made here; no Gamma service is called)")

    options = parser.parse_args(argv)
    for name, low, high in (("topics", 2, 200), ("restarts", 1, 50), ("workers", 1, 64)):
        value = getattr(options, name)
        if value is not None and not low <= value <= high:
            raise Problem(f"--{name} {value} is out of range: give a number from {low} to {high}.")
    return options
