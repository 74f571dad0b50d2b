"""The shapes as plain loops, for plain Python and for caches that wrap a function."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from turns import Figures, replayed, seconds, twice
from work import ANSWERS, fan, middle, numbers, sink, step, total

Wrap = Callable[[Callable[..., int]], Callable[..., int]]


def chain(size: int, wrap: Wrap) -> Figures:
    wrapped = wrap(step)

    def run() -> int:
        x = 0
        for _ in range(size):
            x = wrapped(x)
        return x

    return twice("chain", size, run)


def diamond(size: int, folder: Path, wrap: Wrap) -> Figures:
    first, between, last = wrap(step), wrap(middle), wrap(sink(size, folder))

    def run() -> int:
        x = first(0)
        return last(*[between(x, k) for k in fan(size)])

    return twice("diamond", size, run)


def scatter(size: int, wrap: Wrap) -> Figures:
    """The items one after the other; each is there as soon as it is made."""
    wrapped, seen = wrap(step), [0.0]

    def run() -> int:
        items = numbers(size)
        made = [wrapped(items[0])]
        seen[0] = time.perf_counter()
        made += [wrapped(item) for item in items[1:]]
        return total(made)

    start, answer = time.perf_counter(), ANSWERS["scatter"](size)
    took = seconds(run, answer)
    item = seen[0] - start
    return {"first": took, "item": item, "replay": replayed(run, answer)}
