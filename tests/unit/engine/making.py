"""A graph whose function tells, in a file that processes share, each time it is executed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path

from daggr import FnNode, Graph
from daggr.engine.engine import Answer, Engine
from daggr.engine.program import Program
from daggr.graph.graph import drawing_of
from tests.handmade import Number

PATIENCE = 20.0
"""Seconds that tests wait for what must happen."""


def make(number: int, told: str, seconds: float) -> int:
    tell(told, f"{number}")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not Path(f"{told}.go").exists():
        time.sleep(0.005)
    tell(f"{told}.ended", f"{number}")
    return number * number


def tell(told: str, line: str) -> None:
    descriptor = os.open(told, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


def making(told: Path, seconds: float = 0.0, *, concurrent: bool = False) -> Graph:
    """Squares a number after some seconds, or once there is a file `….go`."""
    node = FnNode(
        make,
        name="make",
        inputs={"number": Number(value=0), "told": str(told), "seconds": seconds},
        outputs={"square": Number()},
        concurrent=concurrent,
    )
    return Graph("Making", nodes=[node])


def load(engine: Engine, graph: Graph) -> Program:
    return engine.load(drawing_of(graph))


def ask(engine: Engine, program: Program, number: int, owner: str = "local") -> Future[Answer]:
    """Ask for a square; it is executed if it is not known."""
    inputs = engine.stage_inputs(program, {"make__number": number})
    return engine.call(program, owner, inputs, frozenset({"make"}))


def square(engine: Engine, answer: Answer) -> int:
    value = engine.store.load(answer.runs["make"].outputs[0].digest)
    assert isinstance(value, int)
    return value


def ask_all(engine: Engine, program: Program, numbers: Iterable[int]) -> None:
    """Ask for all at once, and look at every answer."""
    asked = {number: ask(engine, program, number) for number in numbers}
    for number, future in asked.items():
        assert square(engine, future.result(300)) == number * number


def executed(told: Path) -> list[int]:
    """What was executed, in order."""
    return [int(line) for line in told.read_text().splitlines()] if told.exists() else []


def go(told: Path) -> None:
    """Let the function end."""
    Path(f"{told}.go").touch()


def wait_until(what: Callable[[], object]) -> float:
    """Wait for something to become true. Returns how long that took."""
    start = time.monotonic()
    while not what():
        assert time.monotonic() < start + PATIENCE, "it did not happen"
        time.sleep(0.002)
    return time.monotonic() - start
