"""How long does a replay take when every result is known?

A chain of functions is called once; then the same call is repeated, which executes nothing: it plans with look-ups.
Beside it, in the same run: the plain Python calls that it replaces, and the floor: one read of LMDB for every node.

python benchmarks/replay.py [--full]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lmdb

from daggr import FnNode, Graph
from daggr.engine.engine import Engine
from daggr.graph.graph import drawing_of
from daggr.store.store import Store

BUDGET = 150
"""Microseconds for each node, at most."""


def step(x: int) -> int:
    return x + 1


def chain(length: int) -> Graph:
    node = FnNode(step, name="n0", inputs={"x": 0}, outputs={"y": None})
    for index in range(1, length):
        node = FnNode(step, name=f"n{index}", inputs={"x": node.y}, outputs={"y": None})
    return Graph("Chain", nodes=[node])


def median(work: Callable[[], object], times: int, nodes: int) -> float:
    """Microseconds for each node: the median of several rounds."""
    rounds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        rounds.append((time.perf_counter() - start) / nodes * 1e6)
    return statistics.median(rounds)


def floor(folder: Path, nodes: int) -> Callable[[], object]:
    environment = lmdb.open(str(folder), map_size=2**30)
    keys = [f"key {index}".encode() for index in range(nodes)]
    with environment.begin(write=True) as txn:
        for key in keys:
            txn.put(key, b"x" * 400)

    def read() -> None:
        with environment.begin() as txn:
            for key in keys:
                txn.get(key)

    return read


def plain(nodes: int) -> Callable[[], object]:
    def run() -> int:
        x = 0
        for _ in range(nodes):
            x = step(x)
        return x

    return run


def main() -> int:
    nodes = 1000 if "--full" in sys.argv else 100
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store") as store:
        engine = Engine(store)
        program = engine.load(drawing_of(chain(nodes)))
        wanted = frozenset(program.drawing.nodes)

        def replay() -> str:
            return engine.call(program, "local", {}, wanted).result().cache

        assert replay() == "miss"
        assert replay() == "hit"
        rows = {
            "replay, all known": median(replay, 31, nodes),
            "LMDB: one get a node": median(floor(Path(folder) / "floor", nodes), 31, nodes),
            "plain Python calls": median(plain(nodes), 31, nodes),
        }
        engine.close()
    for name, figure in rows.items():
        print(f"{name:<24} {figure:9.2f} µs a node   {figure / rows['replay, all known']:8.4f} × replay")
    return 0 if rows["replay, all known"] <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
