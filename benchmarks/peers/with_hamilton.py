"""Hamilton with its cache: a module of functions, one for each node; results as files, what is known in SQLite."""

from __future__ import annotations

import itertools
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hamilton import driver, lifecycle
from hamilton.execution import executors
from turns import Figures, replayed, seconds, serve, twice
from work import ANSWERS, fan, module, sink_source

logging.getLogger("hamilton").setLevel(logging.ERROR)
sys.setrecursionlimit(100_000)  # it walks a chain by recursion
serial = itertools.count()


def built(source: str, folder: Path, *adapters: Any, parallel: bool = False) -> driver.Driver:
    """Modules get a new name each, since Hamilton looks them up by it."""
    made = module(f"flow_{next(serial)}", source, folder)
    sys.modules[made.__name__] = made
    builder = driver.Builder().with_modules(made).with_cache(path=folder / "cache").with_adapters(*adapters)
    if parallel:
        builder = builder.enable_dynamic_execution(allow_experimental_mode=True)
        builder = builder.with_remote_executor(executors.SynchronousLocalTaskExecutor())
    return builder.build()


def asking(flow: driver.Driver, node: str, **inputs: int) -> Callable[[], int]:
    return lambda: flow.execute([node], inputs=inputs)[node]


def chain(size: int, folder: Path) -> Figures:
    names = ["x", *(f"n{index}" for index in range(size))]
    lines = [
        f"def {name}({before}: int) -> int:\n    return {before} + 1\n" for before, name in itertools.pairwise(names)
    ]
    return twice("chain", size, asking(built("\n\n".join(lines), folder), names[-1], x=0))


def diamond(size: int, folder: Path) -> Figures:
    lines = ["def source(x: int) -> int:\n    return x + 1\n"]
    lines += [f"def m{k}(source: int) -> int:\n    return source + {k}\n" for k in fan(size)]
    lines.append(sink_source(f"m{k}" for k in fan(size)))
    return twice("diamond", size, asking(built("\n\n".join(lines), folder), "sink", x=0))


SCATTER = """
from hamilton.htypes import Collect, Parallelizable


def number(count: int) -> Parallelizable[int]:
    yield from range(count)


def y(number: int) -> int:
    return number + 1


def total(y: Collect[int]) -> int:
    return sum(y)
"""


class FirstItem(lifecycle.TaskExecutionHook):  # type: ignore[misc]
    """Notes when the first item was done."""

    seen = 0.0

    def run_before_task_execution(self, **_: Any) -> None:
        """Nothing to note."""

    def run_after_task_execution(self, *, nodes: list[Any], **_: Any) -> None:
        """Note when the first one has a result."""
        if not self.seen and any(node.name == "y" for node in nodes):
            self.seen = time.perf_counter()


def scatter(size: int, folder: Path) -> Figures:
    """One item after the other, its quickest way for items this small.

    With threads, its default, an item takes 27 ms: the loop that waits for them keeps them from working.
    """
    hook = FirstItem()
    run = asking(built(SCATTER, folder, hook, parallel=True), "total", count=size)
    start, answer = time.perf_counter(), ANSWERS["scatter"](size)
    took = seconds(run, answer)
    return {"first": took, "item": hook.seen - start, "replay": replayed(run, answer)}


if __name__ == "__main__":
    serve({"chain": chain, "diamond": diamond, "scatter": scatter})
