"""How long does a replay take when every result is known?

A chain of functions is called once; then the same call is repeated, which executes nothing: it plans with look-ups and
loads the last value. Beside it, in the same run: `graph.run()`, which opens the store each time; what other caches take
(each loads every value; diskcache does not look at the code; daggr 0.8 does not look at anything, or executes it all);
the plain Python calls that a replay stands for; and the floor: one read of LMDB for every node.

python benchmarks/engine_replay.py [--full]
"""

from __future__ import annotations

import sys

from peers.race import CONTENDERS, FLOOR, OURS, judge, middle, race, show

BUDGET = 50
"""Microseconds for each node, at most."""

SIZE = 100


def main() -> int:
    rows = race("chain", SIZE, 31 if "--full" in sys.argv else 5, [name for name in CONTENDERS if name != FLOOR])
    show(rows, {"replay": "replay, a node"})
    return judge((f"a replay of {SIZE} nodes", middle(rows, OURS, "replay") * 1e6, BUDGET, "µs a node"))


if __name__ == "__main__":
    sys.exit(main())
