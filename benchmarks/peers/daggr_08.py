"""daggr 0.8.0: the executor that its server and `node.test` use. It has no cache by content.

`memory`: as its API and scripts have it; everything is executed each time. `sheet`: with the results of a sheet, as its
canvas keeps them in SQLite; a replay takes the latest result of each node, whatever its inputs were.
"""

# ruff: noqa: I001  (this `daggr` is the other one)
from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from daggr.executor import AsyncExecutor
from daggr.session import ExecutionSession
from daggr.state import SessionState
from turns import REPLAYS, Figures, percentiles, serve
from work import ANSWERS, fan, middle, numbers, sink, step, total

from daggr import FnNode, Graph

CLICK_EVERY = 0.05


class Sheet:
    """What a run of a graph goes through, in either way."""

    def __init__(self, graph: Graph, last: str, folder: Path) -> None:
        self._graph, self._last = graph, last
        self._executor = AsyncExecutor(graph)
        self._order = graph.get_execution_order()
        self._state = SessionState(str(folder / "sessions.db"))
        self._sheet = self._state.create_sheet("somebody", "graph")

    async def run(self) -> Any:
        """The value of the last node; everything is executed."""
        session = ExecutionSession(self._graph)
        results = await self._executor.execute_all(session, {})
        return results[self._last]["y"]

    async def run_and_save(self) -> Any:
        """As its canvas runs a sheet: what is saved is taken, what is not is executed and saved."""
        session = ExecutionSession(self._graph)
        for name in self._order:
            known = self._state.get_latest_result(self._sheet, name)
            if known is None:
                known = await self._executor.execute_node(session, name, {})
                self._state.save_result(self._sheet, name, known)
            session.results[name] = known
        return session.results[self._last]["y"]


async def timed(work: Callable[[], Coroutine[Any, Any, Any]], answer: int) -> float:
    start = time.perf_counter()
    given = await work()
    took = time.perf_counter() - start
    assert given == answer, f"{given!r} came out, not {answer!r}"
    return took


def twice(shape: str, size: int, folder: Path, graph: Graph, last: str) -> Figures:
    sheet, answer = Sheet(graph, last, folder), ANSWERS[shape](size)
    work = sheet.run_and_save if sys.argv[1:] == ["sheet"] else sheet.run

    async def both() -> Figures:
        first = await timed(work, answer)
        replays = [await timed(work, answer) for _ in range(REPLAYS)]
        return {"first": first, "item": first, "replay": statistics.median(replays)}

    return asyncio.run(both())


def chain(size: int, folder: Path) -> Figures:
    node = FnNode(step, name="n0", inputs={"x": 0}, outputs={"y": None})
    nodes = [node]
    for index in range(1, size):
        node = FnNode(step, name=f"n{index}", inputs={"x": node.y}, outputs={"y": None})
        nodes.append(node)
    return twice("chain", size, folder, Graph("Chain", nodes=nodes), node.name)


def diamond(size: int, folder: Path) -> Figures:
    source = FnNode(step, name="source", inputs={"x": 0}, outputs={"y": None})
    middles = [FnNode(middle, name=f"m{k}", inputs={"x": source.y, "k": k}, outputs={"y": None}) for k in fan(size)]
    ports = {f"m{k}": node.y for k, node in enumerate(middles)}
    last = FnNode(sink(size, folder), name="sink", inputs=ports, outputs={"y": None})
    return twice("diamond", size, folder, Graph("Diamond", nodes=[source, *middles, last]), "sink")


def scattered(size: int) -> list[FnNode]:
    source = FnNode(numbers, name="numbers", inputs={"count": size}, outputs={"items": None})
    item = FnNode(step, name="item", inputs={"x": source.items.each}, outputs={"y": None})
    return [source, item, FnNode(total, name="total", inputs={"values": item.y.all()}, outputs={"y": None})]


def scatter(size: int, folder: Path) -> Figures:
    """Nobody hears of an item before the last one is done."""
    return twice("scatter", size, folder, Graph("Scatter", nodes=scattered(size)), "total")


def load(size: int, folder: Path) -> Figures:
    """A scatter in one session, and clicks on a node in another, in the loop of its server."""
    click = FnNode(step, name="click", inputs={"x": 0}, outputs={"y": None})
    graph = Graph("Load", nodes=[*scattered(size), click])
    executor = AsyncExecutor(graph)

    async def run() -> Figures:
        session = ExecutionSession(graph)
        waits: list[float] = []
        start = time.perf_counter()
        task = asyncio.create_task(executor.execute_all(session, {}))
        while not task.done() or not waits:
            clicked = time.perf_counter()
            await executor.execute_node(ExecutionSession(graph), "click", {})
            waits.append(time.perf_counter() - clicked)
            await asyncio.wait([task], timeout=CLICK_EVERY)
        took = time.perf_counter() - start
        assert (await task)["total"]["y"] == ANSWERS["scatter"](size)
        return {"first": took, "item": took, **percentiles(waits)}

    return asyncio.run(run())


if __name__ == "__main__":
    serve({"chain": chain, "diamond": diamond, "scatter": scatter, "load": load})
