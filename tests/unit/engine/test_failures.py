"""How a function ends that does not end well: what it raises, and a Stop."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daggr import FnNode, NodeFailedError
from daggr.engine.workers.handle import Raised, Stopped
from daggr.engine.workers.thread import ThreadWorker
from daggr.engine.workers.usercode import UserCode
from tests.unit.engine.calls import Watch, node

# ---------------------------------------------------------------- what it raises


class Odd(BaseException):
    """Neither an Exception nor one of Python's own exits."""


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("nothing to say")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("bad"), r"^'fail' failed: ValueError: bad$"),
        (AssertionError(), r"^'fail' failed: AssertionError$"),
        (SystemExit(3), r"^'fail' called sys\.exit\(3\)$"),
        (SystemExit(), r"^'fail' called sys\.exit\(\)$"),
        (SystemExit("no model"), r"^'fail' called sys\.exit\('no model'\)$"),
        (KeyboardInterrupt(), r"^'fail' failed: KeyboardInterrupt$"),
        (GeneratorExit(), r"^'fail' failed: GeneratorExit$"),
        (asyncio.CancelledError(), r"^'fail' failed: CancelledError$"),
        (StopIteration(1), r"^'fail' failed: (StopIteration: 1|RuntimeError: [\w ]+ raised StopIteration)$"),
        (Odd("odd"), r"^'fail' failed: Odd: odd$"),
        (Mute(), r"^'fail' failed: Mute: \(its text cannot be had: RuntimeError\)$"),
        (ValueError("half a \ud800"), r"^'fail' failed: ValueError: half a \?$"),
    ],
)
@pytest.mark.parametrize("way", ["plain", "coroutine", "generator", "async generator"])
def test_whatever_it_raises_is_the_nodes_failure(error: BaseException, said: str, way: str) -> None:
    def plain() -> Any:
        raise error

    async def coroutine() -> Any:
        await asyncio.sleep(0)
        raise error

    def generator() -> Iterator[int]:
        yield 1
        raise error

    async def async_generator() -> AsyncIterator[int]:
        yield 1
        raise error

    ways = {"plain": plain, "coroutine": coroutine, "generator": generator, "async generator": async_generator}
    fn = ways[way]
    with pytest.raises(NodeFailedError) as failure:
        Watch(FnNode(fn, name="fail")).run()
    assert re.search(said, failure.value.message)
    assert f"in {fn.__name__}\n    raise error\n" in failure.value.traceback
    assert failure.value.hint.startswith(f"Raised at {Path(__file__).name}:")


def deep(level: int) -> int:
    return json.loads("{") if level == 0 else deep(level - 1)  # type: ignore[no-any-return]


def test_the_traceback_has_the_users_own_lines_only() -> None:
    with pytest.raises(NodeFailedError) as failure:
        Watch(FnNode(deep, name="deep"), level=3).run()
    lines = failure.value.traceback.splitlines()
    assert [line.strip() for line in lines[1:-1:2]] == [
        'return json.loads("{") if level == 0 else deep(level - 1)  # type: ignore[no-any-return]'
    ] * 4
    assert lines[0] == f"{__file__}:{deep.__code__.co_firstlineno + 1}, in deep"
    assert lines[-1].startswith("JSONDecodeError: ")
    assert failure.value.hint == f"Raised at {Path(__file__).name}:{deep.__code__.co_firstlineno + 1}."
    assert failure.value.traceback not in str(failure.value)


def test_a_function_of_a_library_is_told_by_the_librarys_lines() -> None:
    with pytest.raises(NodeFailedError, match="JSONDecodeError") as failure:
        Watch(FnNode(json.loads, inputs={"s": "{"}), s="{").run()
    assert "decoder.py" in failure.value.hint


def forever(level: int) -> int:
    return forever(level + 1)


def test_endless_recursion_is_cut_short() -> None:
    with pytest.raises(NodeFailedError, match="RecursionError") as failure:
        Watch(FnNode(forever), level=0).run()
    assert failure.value.traceback.count("in forever") == 12


def test_a_cause_is_told_before_what_it_led_to() -> None:
    def fail() -> None:
        try:
            {}["key"]  # type: ignore[index]
        except KeyError as error:
            raise ValueError("worse") from error

    with pytest.raises(NodeFailedError) as failure:
        Watch(FnNode(fail)).run()
    before, after = failure.value.traceback.split("\nwhich led to\n\n")
    assert before.endswith("KeyError: 'key'\n")
    assert after.endswith("ValueError: worse\n")


# ---------------------------------------------------------------- stopping


def stop_while(fn: Callable[..., Any], begun: threading.Event, grace: float = 5.0) -> tuple[float, BaseException]:
    """Run a function in a real worker and stop it once it has begun. Gives how long that took and what it raised."""
    worker = ThreadWorker()

    async def scenario() -> tuple[float, BaseException]:
        handle = worker.submit(Watch(FnNode(fn, outputs={"output": None})).run, lambda text: None)
        assert begun.wait(5)
        start = time.monotonic()
        assert await handle.cancel(grace) == "stopped"
        took = time.monotonic() - start
        with pytest.raises(Raised) as raised:
            await handle.result()
        return took, raised.value.error

    try:
        return asyncio.run(scenario())
    finally:
        worker.close()


def test_a_stop_cancels_a_coroutine_at_once() -> None:
    begun, cleaned = threading.Event(), threading.Event()

    async def slow() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    took, error = stop_while(slow, begun)
    assert took < 1
    assert type(error) is Stopped
    assert cleaned.is_set()


def test_a_stop_cancels_an_async_generator_at_once() -> None:
    begun, cleaned = threading.Event(), threading.Event()

    async def slow() -> AsyncIterator[int]:
        try:
            yield 1
            begun.set()
            await asyncio.sleep(3600)
        finally:
            cleaned.set()

    took, error = stop_while(slow, begun)
    assert took < 1
    assert type(error) is Stopped
    assert cleaned.is_set()


def test_a_stop_closes_a_generator_at_its_next_yield() -> None:
    begun, cleaned = threading.Event(), threading.Event()

    def slow() -> Iterator[int]:
        number = 0
        try:
            while True:
                yield (number := number + 1)
                begun.set()
                time.sleep(0.02)
        finally:
            cleaned.set()

    took, error = stop_while(slow, begun)
    assert took < 1
    assert type(error) is Stopped
    assert cleaned.is_set()


def test_a_generator_that_will_not_be_closed_is_stopped_all_the_same() -> None:
    begun = threading.Event()

    def stubborn() -> Iterator[int]:
        while True:
            try:
                yield 1
                begun.set()
                time.sleep(0.02)
            except GeneratorExit:
                yield 2

    took, error = stop_while(stubborn, begun)
    assert took < 1
    assert type(error) is Stopped


def test_a_stop_is_raised_in_a_function_that_computes() -> None:
    begun, cleaned = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        try:
            while True:
                pass
        finally:
            cleaned.set()

    took, error = stop_while(slow, begun, grace=0.1)
    assert 0.05 < took < 2
    assert type(error) is Stopped
    assert cleaned.is_set()


def test_a_stop_in_a_hook_is_a_stop_and_no_failure() -> None:
    begun = threading.Event()

    def before(inputs: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        while True:
            pass

    worker = ThreadWorker()

    async def scenario() -> None:
        handle = worker.submit(Watch(FnNode(lambda: 1, preprocess=before)).run, lambda text: None)
        assert begun.wait(5)
        assert await handle.cancel(0.05) == "stopped"
        with pytest.raises(Raised) as raised:
            await handle.result()
        assert type(raised.value.error) is Stopped

    try:
        asyncio.run(scenario())
    finally:
        worker.close()


def test_what_is_to_stop_does_not_begin() -> None:
    user = UserCode()
    user.stop()
    with pytest.raises(Stopped):
        Watch(node(lambda: sys.exit("it began"))).run(user)
