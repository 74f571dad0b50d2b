"""One process, several event loops: each engine has its own, and the limits are those of the process."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from daggr.engine.scheduling import SLOTS, Lease, Place, Slots

FLOW = ("ada", "sheet", "job")


class Gauge:
    """How many are inside, and how many were at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = self.total = 0

    def enter(self) -> None:
        with self._lock:
            self.now += 1
            self.total += 1
            self.most = max(self.most, self.now)

    def leave(self) -> None:
        with self._lock:
            self.now -= 1


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns as often as Python can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-7)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching")
def test_limits_hold_across_loops_and_threads_while_calls_are_stopped_at_random() -> None:
    slots, gauge = Slots(), Gauge()
    places = Place("gpu", 3)

    def engine(seed: int, pool: ThreadPoolExecutor) -> int:
        chance, served = random.Random(seed), 0

        def work(lease: Lease) -> None:
            gauge.enter()
            for _ in range(chance.randrange(200)):
                pass
            gauge.leave()
            lease.release()
            if chance.random() < 0.3:
                lease.release()

        async def call(number: int) -> None:
            nonlocal served
            lease = await slots.take(places, (f"owner {seed}", "sheet", f"job {number % 3}"))
            served += 1
            future = pool.submit(work, lease)
            if chance.random() < 0.5:  # stopping the wait does not stop the work
                await asyncio.shield(asyncio.wrap_future(future))

        async def main() -> None:
            tasks = [asyncio.create_task(call(number)) for number in range(300)]
            while not all(task.done() for task in tasks):
                if chance.random() < 0.3:
                    chance.choice(tasks).cancel()
                await asyncio.sleep(0.0001)
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(asyncio.wait_for(main(), 60))
        return served

    with ThreadPoolExecutor(4) as workers, ThreadPoolExecutor(4) as engines:
        served = list(engines.map(engine, range(4), [workers] * 4))
    assert gauge.most <= 3
    assert gauge.now == 0
    assert gauge.total == sum(served) > 100
    assert not slots._rooms, "a slot was lost"


@pytest.mark.usefixtures("switching")
def test_limits_hold_when_threads_come_at_the_same_moment() -> None:
    slots, gauge = Slots(), Gauge()

    async def come_and_go(name: int) -> None:
        for number in range(8000):
            lease = await slots.take(Place("gpu", 2), (f"owner {name}", "sheet", "job"))
            gauge.enter()
            if number % 3 == 0:
                await asyncio.sleep(0)
            gauge.leave()
            lease.release()

    with ThreadPoolExecutor(4) as engines:
        for done in [engines.submit(asyncio.run, asyncio.wait_for(come_and_go(name), 60)) for name in range(4)]:
            done.result()
    assert gauge.most <= 2
    assert gauge.total == 32_000
    assert not slots._rooms


def test_who_waits_in_a_loop_that_was_closed_holds_nobody_up() -> None:
    async def begin_waiting(slots: Slots) -> None:
        tasks.append(asyncio.create_task(slots.take(Place("gpu", 1), FLOW)))
        await asyncio.sleep(0.01)

    slots, tasks = Slots(), list[asyncio.Task[Lease]]()
    dead = asyncio.new_event_loop()

    async def main() -> None:
        first = await slots.take(Place("gpu", 1), FLOW)
        await asyncio.to_thread(dead.run_until_complete, begin_waiting(slots))
        dead.close()
        patient = asyncio.create_task(slots.take(Place("gpu", 1), FLOW))
        await asyncio.sleep(0.01)
        first.release()
        (await asyncio.wait_for(patient, 5)).release()

    asyncio.run(main())
    assert not slots._rooms
    tasks[0]._log_destroy_pending = False  # type: ignore[attr-defined]


def test_all_of_a_process_share_the_same_slots() -> None:
    held = asyncio.run(SLOTS.take(Place("test of sharing", 1), FLOW))

    async def other_engine() -> bool:
        waiting = asyncio.create_task(SLOTS.take(Place("test of sharing", 1), FLOW))
        await asyncio.sleep(0.01)
        came = waiting.done()
        waiting.cancel()
        return came

    try:
        assert not asyncio.run(other_engine())
    finally:
        held.release()
