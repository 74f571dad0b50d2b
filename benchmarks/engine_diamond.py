"""What does a fan cost: one source, many nodes that need only it, and one sink that needs them all?

Each of the middle has a number of its own, so each is executed. Beside it, in the same run: daggr 0.8, Hamilton,
joblib, diskcache and plain Python; and the floor: as many records of the store, one after the other.

python benchmarks/engine_diamond.py [--full]
"""

from __future__ import annotations

import sys

from peers.race import CONTENDERS, RELAXED, RELAXED_FLOOR, added, judge, race, show

BUDGET = 300
"""Microseconds a node, beyond the function and the record of what it gave. It is judged where neither waits for the
disk: from one minute to the next, a disk varies by more than this."""

NAMES = [name for name in CONTENDERS if name != "daggr, graph.run()"]


def main() -> int:
    size, rounds = (1000, 7) if "--full" in sys.argv else (100, 3)
    rows = race("diamond", size, rounds, NAMES)
    show(rows, {"first": "first run, a node", "replay": "replay, a node"})
    beyond = added(rows, RELAXED, RELAXED_FLOOR, "first") * 1e6
    return judge((f"a first run of {size} nodes, beyond the records", beyond, BUDGET, "µs a node"))


if __name__ == "__main__":
    sys.exit(main())
