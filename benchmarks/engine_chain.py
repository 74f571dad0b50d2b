"""What does a chain cost whose nodes do next to nothing, the first time and again?

Each node needs the one before it, so nothing can be done side by side: what is left is the overhead of a node. Beside
it, in the same run: daggr 0.8, Hamilton, joblib, diskcache, plain Python; and the floor: as many records of the store,
one after the other. Of the others only the sheet of daggr 0.8 waits for the disk.

python benchmarks/engine_chain.py [--full]
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
    rows = race("chain", size, rounds, NAMES)
    show(rows, {"first": "first run, a node", "replay": "replay, a node"})
    beyond = added(rows, RELAXED, RELAXED_FLOOR, "first") * 1e6
    return judge((f"a first run of {size} nodes, beyond the records", beyond, BUDGET, "µs a node"))


if __name__ == "__main__":
    sys.exit(main())
