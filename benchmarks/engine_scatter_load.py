"""Does a large scatter of one user leave room for the clicks of another?

While the items of one session run, another user clicks on a node every 50 ms, which executes it. How soon is the first
result there, how much more memory is needed than before, how long does a click wait? Beside it, in the same run:
relaxed durability, and daggr 0.8 (two sessions of one server, in its loop).

python benchmarks/engine_scatter_load.py [--full]
"""

from __future__ import annotations

import math
import statistics
import sys

from peers.race import OURS, RELAXED, judge, seats

FIRST, GROWTH, CLICK = 50, 50, 200
"""Milliseconds to the first result; megabytes; milliseconds for the slowest twentieth of the clicks."""

NAMES = (OURS, RELAXED, "daggr 0.8, keeps nothing")
COLUMNS = {
    "item": "first result ms", "list": "of it the list", "resident": "memory MB", "own": "not of files MB",
    "p50": "click p50 ms", "p95": "click p95 ms", "clicks": "clicks", "first": "in all s",
}  # fmt: skip
SCALES = {"item": 1e3, "list": 1e3, "p50": 1e3, "p95": 1e3}


def measure(size: int, rounds: int) -> dict[str, dict[str, float]]:
    """The medians of some rounds. Each contender warms up with a few items; what it needs then is its memory before."""
    seen: dict[str, dict[str, list[float]]] = {name: {} for name in NAMES}
    for _ in range(rounds):
        with seats(NAMES) as made:  # anew each round: memory that was once taken is seldom given back
            for name, seat in made.items():
                seat.ask("load", 200)
                with seat.watched() as memory:
                    figures = seat.ask("load", size)
                for kind in ("resident", "own"):
                    figures[kind] = max(getattr(one, kind) for one in memory) - getattr(memory[0], kind)
                for figure, value in figures.items():
                    seen[name].setdefault(figure, []).append(value * SCALES.get(figure, 1))
    return {name: {figure: statistics.median(found) for figure, found in row.items()} for name, row in seen.items()}


def main() -> int:
    size, rounds = (100_000, 3) if "--full" in sys.argv else (2000, 1)
    rows = measure(size, rounds)
    print(f"{size:,} items".ljust(26) + "".join(f"{title:>17}" for title in COLUMNS.values()))
    for name, row in rows.items():
        print(f"{name:<26}" + "".join(f"{row.get(figure, math.nan):17,.1f}" for figure in COLUMNS))
    ours = rows[OURS]
    return judge(
        ("the first result", ours["item"], FIRST, "ms"),
        ("the growth of memory", ours["resident"], GROWTH, "MB"),
        ("the slowest twentieth of the clicks", ours["p95"], CLICK, "ms"),
    )


if __name__ == "__main__":
    sys.exit(main())
