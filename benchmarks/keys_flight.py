"""What does single flight cost a step that is executed, when nobody else wants it?

Steps of different inputs are executed one after the other, in turn as flights (a task, a claim of the operating system,
one more look-up) and alone, as forced steps are; both record their run. What a flight adds is less than what the disk
and the threads vary by, so the time that the engine's own thread works is measured beside the time that passes.
Beside it: what a claim takes, and what each of fifty who want the same adds to the one execution that they share.

python benchmarks/keys_flight.py [--full]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daggr import FnNode, Graph
from daggr.engine.engine import Engine
from daggr.engine.order import Order
from daggr.engine.plan import Given, Plan, Step
from daggr.engine.program import Program
from daggr.engine.runners.fn import FnRunner
from daggr.engine.step import Executor
from daggr.engine.workers.thread import ThreadWorker
from daggr.graph.graph import drawing_of
from daggr.store.store import Store

BUDGET = 150
"""Microseconds that a flight may add to a step."""

MANY = 50
ALONE, FLIGHT, CROWD, CLAIM = "a step alone", "a step in flight", f"a step that {MANY} want", "a claim"


def work(x: int) -> int:
    return x + 1


def order(*, alone: bool) -> Order:
    return Order("local", lambda text: None, lambda fraction, text: None, lambda at: None, None, alone)


def steps(engine: Engine, numbers: range) -> Iterator[tuple[Program, Step]]:
    """Ready to be executed, each with a constant of its own."""
    for number in numbers:
        program = engine.load(drawing_of(Graph("Work", nodes=[FnNode(work, name="work", inputs={"x": number})])))
        plan = Plan(program, ["work"], Given({}))
        plan.resolve(lambda *_: None)
        yield program, plan.steps["work"]


class Figures:
    """Microseconds: those that passed, and those that this thread worked."""

    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[float, float]]] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Measure a block."""
        passed, worked = time.perf_counter(), time.thread_time()
        yield
        figures = (time.perf_counter() - passed) * 1e6, (time.thread_time() - worked) * 1e6
        self._seen.setdefault(name, []).append(figures)

    def quick(self) -> dict[str, tuple[float, float]]:
        """Those of the quickest tenth: whatever else the machine does only adds to them."""
        rows = {}
        for name, figures in self._seen.items():
            passed, worked = zip(*figures, strict=True)
            rows[name] = statistics.quantiles(passed, n=10)[0], statistics.quantiles(worked, n=10)[0]
        return rows


async def measure(engine: Engine, executor: Executor, times: int) -> dict[str, tuple[float, float]]:
    figures = Figures()
    for place, (program, step) in enumerate(list(steps(engine, range(2 * times)))):
        alone = place % 2 == 0
        with figures.timed(ALONE if alone else FLIGHT):
            await executor.execute(program, step, order(alone=alone))
    for program, step in list(steps(engine, range(2 * times, 2 * times + times // 10))):
        with figures.timed(CROWD):
            await asyncio.gather(*(executor.execute(program, step, order(alone=False)) for _ in range(MANY)))
    for number in range(times):
        with figures.timed(CLAIM):
            claim = engine.store.claims.take(number.to_bytes(16, "little"))
            assert claim is not None
            claim.release()
    return figures.quick()


def main() -> int:
    times = 2000 if "--full" in sys.argv else 300
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store", "relaxed") as store:
        engine = Engine(store)
        worker = ThreadWorker()
        executor = Executor(store, {"fn": FnRunner()}, worker)
        rows = asyncio.run(measure(engine, executor, times))
        executor.close()
        engine.close()
    print(f"{'quickest tenth':<28}{'passed':>12}{'worked':>12}   × a step alone")
    for name, (passed, worked) in rows.items():
        ratios = f"{passed / rows[ALONE][0]:8.3f} {worked / rows[ALONE][1]:8.3f}"
        print(f"{name:<28}{passed:9.1f} µs{worked:9.1f} µs   {ratios}")
    added = rows[FLIGHT][1] - rows[ALONE][1]
    print(f"a flight adds {added:.1f} µs of work to a step; it may add {BUDGET} µs")
    print(f"each of {MANY} aboard adds {(rows[CROWD][1] - rows[FLIGHT][1]) / (MANY - 1):.1f} µs")
    return 0 if added <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
