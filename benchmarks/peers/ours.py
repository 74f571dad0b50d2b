"""daggr as it is here, through the engine that servers and scripts come to.

`full`: results survive a power cut, the default. `relaxed`: they survive the end of the process. `run`: `graph.run()`,
which opens the store and reads the definitions at each call.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import turns
from turns import Figures, percentiles, serve
from work import ANSWERS, fan, middle, numbers, sink, step, total

from daggr import FnNode, Graph
from daggr.engine.engine import Engine
from daggr.engine.events import ItemsProgressed, StepEvent, StepFinished
from daggr.engine.program import Program
from daggr.graph.graph import drawing_of
from daggr.store.store import Store

CLICK_EVERY = 0.05
Way = Literal["full", "relaxed", "run"]
WAY: Way = {"relaxed": "relaxed", "run": "run"}.get("".join(sys.argv[1:]), "full")  # type: ignore[assignment]


@dataclass
class Desk:
    """An open store with an engine, and a graph that is loaded."""

    store: Store
    engine: Engine
    program: Program
    listed: float = 0.0
    first_heard: float = 0.0

    def run(self, last: str) -> int:
        """The value of the last node."""
        answer = self.engine.call(self.program, "local", {}, frozenset(self.program.drawing.nodes)).result()
        return self.store.load(answer.runs[last].outputs[0].digest)  # type: ignore[no-any-return]

    def hear(self, event: StepEvent) -> None:
        """Note when the list is there, and when the first result of an item is told of."""
        if event.node == "numbers" and isinstance(event, StepFinished) and not self.listed:
            self.listed = time.perf_counter()
        told = isinstance(event, StepFinished) or (isinstance(event, ItemsProgressed) and event.done > 0)
        if told and event.node == "item" and not self.first_heard:
            self.first_heard = time.perf_counter()


@contextmanager
def desk(graph: Graph, folder: Path) -> Iterator[Desk]:
    with Store(folder / "store", "relaxed" if WAY == "relaxed" else "full") as store:
        engine = Engine(store)
        try:
            yield Desk(store, engine, engine.load(drawing_of(graph)))
        finally:
            engine.close()


def twice(shape: str, size: int, folder: Path, graph: Graph, last: str) -> Figures:
    if WAY == "run":
        os.environ["DAGGR_STORE"] = str(folder / "store")
        return turns.twice(shape, size, lambda: graph.run()[last]["y"])
    with desk(graph, folder) as made:
        made.engine.observe(made.hear)
        start = time.perf_counter()
        figures = turns.twice(shape, size, lambda: made.run(last))
    return {**figures, "item": made.first_heard - start} if made.first_heard else figures


def chain(size: int, folder: Path) -> Figures:
    node = FnNode(step, name="n0", inputs={"x": 0}, outputs={"y": None})
    for index in range(1, size):
        node = FnNode(step, name=f"n{index}", inputs={"x": node.y}, outputs={"y": None})
    return twice("chain", size, folder, Graph("Chain", nodes=[node]), node.name)


def diamond(size: int, folder: Path) -> Figures:
    source = FnNode(step, name="source", inputs={"x": 0}, outputs={"y": None})
    middles = [FnNode(middle, name=f"m{k}", inputs={"x": source.y, "k": k}, outputs={"y": None}) for k in fan(size)]
    ports = {f"m{k}": node.y for k, node in enumerate(middles)}
    last = FnNode(sink(size, folder), name="sink", inputs=ports, outputs={"y": None})
    return twice("diamond", size, folder, Graph("Diamond", nodes=[last]), "sink")


def scattered(size: int) -> FnNode:
    source = FnNode(numbers, name="numbers", inputs={"count": size}, outputs={"items": None})
    item = FnNode(step, name="item", inputs={"x": source.items.each}, outputs={"y": None})
    return FnNode(total, name="total", inputs={"values": item.y.all()}, outputs={"y": None})


def scatter(size: int, folder: Path) -> Figures:
    return twice("scatter", size, folder, Graph("Scatter", nodes=[scattered(size)]), "total")


def load(size: int, folder: Path) -> Figures:
    """A scatter of one user, and clicks of another on a node that executes each time."""
    click = FnNode(step, name="click", inputs={"x": 0}, outputs={"y": None})
    with desk(Graph("Load", nodes=[scattered(size), click]), folder) as made:
        mine, other = (made.engine.sheets(made.program, owner).all()[0].id for owner in ("somebody", "another"))
        made.engine.observe(made.hear)
        waits: list[float] = []
        start = time.perf_counter()
        _, scatter = made.engine.start(made.program, "somebody", mine, "total", "to_here")
        while not scatter.done() or not waits:
            clicked = time.perf_counter()
            failure = made.engine.start(made.program, "another", other, "click", "to_here")[1].result()
            assert failure is None, failure
            waits.append(time.perf_counter() - clicked)
            time.sleep(CLICK_EVERY)
        took = time.perf_counter() - start
        assert scatter.result() is None, scatter.result()
        run = made.engine.sheets(made.program, "somebody").state(mine).results["total"].run
        assert made.store.load(run.outputs[0].digest) == ANSWERS["scatter"](size)
    assert made.first_heard, "nobody was told of any item"
    figures = {"first": took, "list": made.listed - start, "item": made.first_heard - start}
    return {**figures, **percentiles(waits)}


if __name__ == "__main__":
    serve({"chain": chain, "diamond": diamond, "scatter": scatter, "load": load})
