"""From the command line to an exit code.

0 done · 1 failed, with a partial report · 2 bad input, nothing done · 130 and 143 stopped by SIGINT and SIGTERM,
with a partial report.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Optional, Sequence

from . import options
from .contract import Contract
from .log import Log
from .problem import Problem
from .run import Run, Stopped
from .team import STOP_SIGNALS, Broken


def main(argv: Optional[Sequence[str]] = None) -> int:
    try:
        chosen = options.parse(argv)
        contract = Contract.from_environment()
    except Problem as problem:
        return _refuse(problem)
    except OSError as error:
        return _refuse(Problem(f"EXECUTION_OUTPUT_DIR: {error.filename or 'outputs'} can't be made ({error.strerror}): name a directory that can be written."))

    log = Log()
    for warning in contract.warnings:
        log.warn("contract", warning)
    run = Run(chosen, contract, log)
    _listen()
    try:
        _greet(log, contract, chosen)
        run.work()
        _deaf()  # the report is complete; a late signal should not call it partial
        log.say("team", f"done in {log.seconds():.1f} s")
        return 0
    except Problem as problem:
        return _refuse(problem)
    except Stopped as stop:
        _deaf()
        name = signal.Signals(stop.args[0]).name
        log.warn("team", f"{name}: stopping, writing what is there as a partial report")
        run.save_partial(f"stopped by {name} after {log.seconds():.0f} s")
        return 128 + stop.args[0]
    except Broken as broken:
        _deaf()
        print(f"error: the analysis could not be finished. {broken}", file=sys.stderr)
        run.save_partial(f"an agent failed ({broken})")
        return 1


def _greet(log: Log, contract: Contract, chosen: Any) -> None:
    log.say("team", f"voice of the customer: {chosen.analysis_type}, {chosen.time_period}, execution {contract.execution_id}, attempt {contract.attempt}")
    left = contract.seconds_left()
    if left is not None:
        log.say("team", f"must be done in {left:.0f} s")


def _listen() -> None:
    def stop(number: int, frame: Any) -> None:
        _deaf()  # a second signal must not interrupt the partial report; SIGKILL is the runner's last word
        raise Stopped(number)

    for number in STOP_SIGNALS:
        signal.signal(number, stop)


def _deaf() -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _refuse(problem: Problem) -> int:
    try:
        print(f"error: {problem}", file=sys.stderr)
    except OSError:
        os._exit(2)
    return 2
