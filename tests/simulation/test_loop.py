"""The simulation's loop is what it says: these tests also pin the private parts of asyncio that it relies on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.simulation.loop import SimLoop, Stuck

ROOT = Path(__file__).parents[2]


def trace(seed: int) -> list[str]:
    """What happens in a small world with everything that has an order: timers, queues, locks, sets of tasks."""
    loop = SimLoop(seed)
    seen: list[str] = []

    async def worker(name: int, lock: asyncio.Lock, queue: asyncio.Queue[int]) -> int:
        for turn in range(3):
            await asyncio.sleep(loop.random.choice([0, 0, 1, 2.5]))
            async with lock:
                seen.append(f"{loop.time()} {name}.{turn}")
                await asyncio.sleep(0)
            queue.put_nowait(name)
        return name

    async def main() -> None:
        lock, queue = asyncio.Lock(), asyncio.Queue[int]()
        running = {asyncio.create_task(worker(name, lock, queue)) for name in range(8)}
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED, timeout=3)
            seen.append(f"{loop.time()} done {[task.result() for task in done]}")
        seen.append(str([queue.get_nowait() for _ in range(queue.qsize())]))

    loop.run(main())
    return seen


def test_the_same_seed_gives_the_same_trace() -> None:
    assert [trace(seed) for seed in range(30)] == [trace(seed) for seed in range(30)]


def test_another_process_gives_the_same_trace() -> None:
    code = "from tests.simulation.test_loop import trace; print([trace(seed) for seed in range(5)])"
    told = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {f"{[trace(seed) for seed in range(5)]}\n".encode()}


def test_another_seed_gives_another_trace() -> None:
    assert len({str(trace(seed)) for seed in range(30)}) > 25


def test_tasks_that_are_ready_run_in_any_order() -> None:
    def order(seed: int) -> tuple[int, ...]:
        seen: list[int] = []

        async def step(name: int) -> None:
            seen.append(name)

        async def main() -> None:
            await asyncio.gather(*[step(name) for name in range(3)])

        SimLoop(seed).run(main())
        return tuple(seen)

    assert len({order(seed) for seed in range(100)}) == 6


def test_tasks_that_are_woken_run_in_any_order() -> None:
    def order(seed: int) -> tuple[int, ...]:
        seen: list[int] = []

        async def wait(event: asyncio.Event, name: int) -> None:
            await event.wait()
            seen.append(name)

        async def main() -> None:
            event = asyncio.Event()
            tasks = [asyncio.create_task(wait(event, name)) for name in range(3)]
            await asyncio.sleep(1)
            event.set()
            await asyncio.gather(*tasks)

        SimLoop(seed).run(main())
        return tuple(seen)

    assert len({order(seed) for seed in range(100)}) == 6


def test_callbacks_keep_the_order_that_asyncio_promises() -> None:
    for seed in range(50):
        loop, seen = SimLoop(seed), list[int]()

        async def main(loop: SimLoop = loop, seen: list[int] = seen) -> None:
            for number in range(20):
                loop.call_soon(seen.append, number)
                if number % 3 == 0:
                    await asyncio.sleep(0)
            await asyncio.sleep(1)

        loop.run(main())
        assert seen == list(range(20))


def test_time_is_virtual_and_only_goes_forward() -> None:
    loop = SimLoop(0)

    async def main() -> list[float]:
        times = [loop.time()]
        for pause in (3600.0, 0.1, 0.2, 86400.0 * 30):
            await asyncio.sleep(pause)
            times.append(loop.time())
        return times

    times = loop.run(main())
    assert [round(later - earlier, 6) for earlier, later in pairwise(times)] == [3600.0, 0.1, 0.2, 86400.0 * 30]


def test_waiting_for_what_never_comes_is_an_error() -> None:
    loop = SimLoop(0)

    async def main() -> None:
        await loop.create_future()

    with pytest.raises(Stuck):
        loop.run(main())


def test_what_asyncio_would_log_is_seen() -> None:
    loop = SimLoop(0)

    async def main() -> None:
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)

    loop.run(main())
    assert [type(context["exception"]) for context in loop.trouble] == [ZeroDivisionError]
