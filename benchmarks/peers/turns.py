"""The side of who is measured: it waits for its turn, does one round of a shape, and answers with seconds.

It runs in the peers' environment too, so it needs nothing but Python.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from work import ANSWERS

Figures = dict[str, float]
Round = Callable[[int, Path], Figures]
"""One round of a size, in an empty folder. Nothing is known when it begins."""

REPLAYS = 5
PATIENCE = 2.0
"""Seconds after which no further replay is begun."""


def serve(rounds: Mapping[str, Round]) -> None:
    """Answer requests until there are no more. What is printed meanwhile goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        shape, size = json.loads(line)
        gc.collect()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            figures = rounds[shape](size, Path(folder))
        answers.write(json.dumps(figures) + "\n")
        answers.flush()


def seconds(work: Callable[[], object], answer: object) -> float:
    """How long something takes that must give this answer."""
    start = time.perf_counter()
    given = work()
    took = time.perf_counter() - start
    assert given == answer, f"{given!r} came out, not {answer!r}"
    return took


def replayed(work: Callable[[], object], answer: object) -> float:
    """The median of several replays."""
    end, figures = time.perf_counter() + PATIENCE, [seconds(work, answer)]
    while len(figures) < REPLAYS and time.perf_counter() < end:
        figures.append(seconds(work, answer))
    return statistics.median(figures)


def twice(shape: str, size: int, work: Callable[[], object]) -> Figures:
    """The first run, and replays."""
    answer = ANSWERS[shape](size)
    return {"first": seconds(work, answer), "replay": replayed(work, answer)}


def percentiles(waits: list[float]) -> Figures:
    """What the waits of clicks were, in the middle and among the slowest."""
    ordered = sorted(waits)
    return {"clicks": len(ordered), "p50": statistics.median(ordered), "p95": ordered[len(ordered) * 95 // 100]}
