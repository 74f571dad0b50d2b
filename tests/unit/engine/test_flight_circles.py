"""Functions that run graphs: they share what others want, and never wait for themselves."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pytest

from daggr import FnNode, Graph, NodeFailedError
from tests.unit.engine.making import PATIENCE, executed, go, making, wait_until

T = TypeVar("T")
GRAPHS: dict[str, Graph] = {}
BEGAN: set[str] = set()


def turn(asked: str, asking: str) -> Any:
    """Ask for a graph when both are under way."""
    BEGAN.add(asking)
    wait_until(lambda: len(BEGAN) == 2)
    return GRAPHS[asked].run()


def in_thread(work: Callable[[], T]) -> Future[T]:
    """Runs it in a thread that does not keep the tests from ending."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001  (it is raised again where it is waited for)
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def test_a_function_that_asks_for_itself_fails_instead_of_waiting_for_ever() -> None:
    def again(x: int) -> Any:
        return sys.modules[__name__].__dict__["GRAPHS"]["self"].run()

    GRAPHS["self"] = Graph("Itself", nodes=[FnNode(again, name="again", inputs={"x": 1})])
    with pytest.raises(NodeFailedError, match="'again' waits for itself"):
        in_thread(GRAPHS["self"].run).result(PATIENCE)


def test_functions_that_ask_for_each_other_fail_instead_of_waiting_for_ever() -> None:
    def ask_left(x: int) -> Any:
        return sys.modules[__name__].__dict__["turn"]("left", "right")

    def ask_right(x: int) -> Any:
        return sys.modules[__name__].__dict__["turn"]("right", "left")

    GRAPHS["left"] = Graph("Left", nodes=[FnNode(ask_right, name="left", inputs={"x": 1}, concurrent=True)])
    GRAPHS["right"] = Graph("Right", nodes=[FnNode(ask_left, name="right", inputs={"x": 1}, concurrent=True)])
    BEGAN.clear()
    for future in [in_thread(GRAPHS[name].run) for name in ("left", "right")]:
        with pytest.raises(NodeFailedError, match="waits for itself"):
            future.result(PATIENCE)


def test_a_nested_run_of_something_else_is_shared_with_who_else_wants_it(tmp_path: Path) -> None:
    told = tmp_path / "told"

    def outer(x: int) -> Any:
        return sys.modules[__name__].__dict__["GRAPHS"]["inner"].run(inputs={"make__number": 7})["make"]["square"] + x

    GRAPHS["inner"] = making(told, PATIENCE)
    graphs = [Graph(f"Outer{x}", nodes=[FnNode(outer, name="outer", inputs={"x": x})]) for x in range(2)]
    asked = [in_thread(graph.run) for graph in graphs]
    wait_until(lambda: executed(told))
    time.sleep(0.1)
    go(told)
    assert [future.result(PATIENCE)["outer"]["output"] for future in asked] == [49, 50]
    assert executed(told) == [7]
