"""What does a scatter cost whose items do next to nothing, and how soon is the first result there?

A list is split, each item goes through a function, and the results are gathered. The first result is there when
somebody outside of the run can hear of it: an event, or the return of the call. Beside it, in the same run: daggr 0.8,
joblib, diskcache, plain Python, and Hamilton, with fewer items: what it takes for each grows with their number.

python benchmarks/engine_scatter.py [--full]
"""

from __future__ import annotations

import sys

from peers.race import OURS, RELAXED, judge, middle, race, show

BUDGET = 50
"""Milliseconds to the first result, at most."""

NAMES = (
    OURS, RELAXED, "daggr 0.8, keeps nothing", "daggr 0.8, a sheet", "Hamilton, cached", "joblib.Memory",
    "diskcache", "plain Python",
)  # fmt: skip
LIMITS = {"Hamilton, cached": 1000}


def main() -> int:
    size, rounds = (10_000, 5) if "--full" in sys.argv else (500, 3)
    rows = race("scatter", size, rounds, NAMES, LIMITS)
    show(rows, {"first": "first run, an item", "replay": "replay, an item"})
    print()
    show(rows, {"item": "to the first result"}, "ms", 1e3)
    first = middle(rows, OURS, "item") * 1e3
    return judge((f"the first result of {size} items", first, BUDGET, "ms"))


if __name__ == "__main__":
    sys.exit(main())
