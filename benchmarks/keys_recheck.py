"""How long does it take to see that nothing changed?

A graph of functions that call helpers in two modules of the user's own, with constants, a table and a class, is read
once; then it is checked again, as every `graph.run()` and every load of a script does. Beside it, in the same run: what
an engine does that looks at the text of each function alone (and so serves stale results when a helper is edited).

python benchmarks/keys_recheck.py [--full]
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daggr import FnNode, Graph
from daggr.digest import Digest
from daggr.engine.program import define
from daggr.graph.drawing import Drawing
from daggr.graph.graph import drawing_of

BUDGET = 5.0
"""Milliseconds for the check of 100 nodes, at most."""

HELPERS = """
LIMIT = 3
def clean(text): return text.strip()[:LIMIT]
def lower(text): return clean(text).lower()
class Scale:
    factor = 2
    def __init__(self, bias): self.bias = bias
    def apply(self, x): return x * self.factor + self.bias
"""
HEAD = (
    "import json\nimport bench_helpers\nfrom bench_helpers import Scale\nRATE = 3\nTABLE = {'a': 1, 'b': [1, 2, 3]}\n"
)
NODE = """
def step_{0}(x, k={0}):
    text = bench_helpers.lower(str(x))
    return json.dumps([text, k * RATE, TABLE, Scale(k).apply(1)])
"""


def project(folder: Path, nodes: int) -> Any:
    (folder / "bench_helpers.py").write_text(HELPERS, encoding="utf-8")
    (folder / "bench_app.py").write_text(HEAD + "".join(NODE.format(n) for n in range(nodes)), encoding="utf-8")
    sys.path.insert(0, str(folder))
    return importlib.import_module("bench_app")


def chain(app: Any, nodes: int) -> Drawing:
    node = FnNode(app.step_0, inputs={"x": "text"}, outputs={"y": None})
    made = [node]
    for number in range(1, nodes):
        node = FnNode(getattr(app, f"step_{number}"), inputs={"x": node.y}, outputs={"y": None})
        made.append(node)
    return drawing_of(Graph("Bench", nodes=made))


def timed(work: Callable[[], object], times: int) -> float:
    """Milliseconds: the median of several rounds."""
    rounds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        rounds.append((time.perf_counter() - start) * 1e3)
    return statistics.median(rounds)


def main() -> int:
    nodes = 1000 if "--full" in sys.argv else 100
    with tempfile.TemporaryDirectory() as folder:
        app = project(Path(folder), nodes)
        drawing = chain(app, nodes)
        functions = [getattr(app, f"step_{number}") for number in range(nodes)]

        def check() -> list[Digest]:
            program = define(drawing, lambda _: Digest(b""))
            return [one.fingerprint.digest for one in program.definitions.values()]

        def texts() -> list[bytes]:
            return [hashlib.sha256(inspect.getsource(function).encode()).digest() for function in functions]

        first = timed(check, 1)
        before = check()
        rows = {"checked again, nothing changed": timed(check, 31), "text of each function alone": timed(texts, 5)}
        assert check() == before
        app.bench_helpers.LIMIT = 4
        assert not set(check()) & set(before), "a helper's constant changed: every node is another"
    print(f"read for the first time          {first:9.2f} ms")
    for name, figure in rows.items():
        print(f"{name:<32} {figure:9.2f} ms   {figure / nodes * 1e3:7.1f} µs a node")
    return 0 if rows["checked again, nothing changed"] <= BUDGET * nodes / 100 else 1


if __name__ == "__main__":
    sys.exit(main())
