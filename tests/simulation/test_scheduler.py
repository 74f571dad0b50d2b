"""Thousands of small worlds over the real scheduling code: limits hold, everything ends, and nobody is passed over.

A world that fails names its seed; `pytest tests/simulation --world SEED` runs it again, step by step the same.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from daggr.engine.scheduling import Lease, slots
from daggr.engine.scheduling.fairness import FIRST_ESTIMATE, Ticket, Turns
from tests.simulation.hands import Hands
from tests.simulation.loop import SimLoop, Stuck
from tests.simulation.stays import WatchedSlots, check, check_turns
from tests.simulation.world import Click, Node, Work, make_world

WORLDS = 2500
BATCHES = 10
BROKEN = 1500
"""A broken version must be seen in the first so many worlds."""


class Simulation:
    """One world, in which graphs are carried out as the engine does it, and what happened there."""

    def __init__(self, seed: int) -> None:
        self.clicks = make_world(Random(seed))
        self.loop = SimLoop(seed)
        self.slots = self.make_slots(self.loop.time)
        self.hands = Hands(self.loop, self.carry_out)
        self.jobs: list[Work] = []
        self.endings: Counter[tuple[int, int]] = Counter()
        """How many endings each node of each job had."""

    def make_slots(self, clock: Callable[[], float]) -> WatchedSlots:
        return WatchedSlots(clock)

    def run(self) -> None:
        """From the first click until everything has ended; then look at what happened.

        Raises:
            AssertionError, Stuck: something is wrong.
        """
        self.loop.run(self.main())
        assert not self.loop.trouble, self.loop.trouble
        nodes = {(job, number) for job, work in enumerate(self.jobs) for number in range(len(work.nodes))}
        assert self.endings == dict.fromkeys(nodes, 1)
        assert self.hands.begun == self.hands.ended
        assert not self.slots._rooms, "a slot was lost"
        stays = list(self.slots.stays.values())
        check(stays)
        longest = max([FIRST_ESTIMATE, *[stay.left - stay.came for stay in stays if stay.left > stay.came]])
        check_turns(stays, longest)

    async def main(self) -> None:
        await asyncio.gather(*[self.click(click) for click in self.clicks])
        await asyncio.sleep(100_000)  # until those have ended who could not be stopped

    async def click(self, click: Click) -> None:
        """Run a graph, and stop it when the time has come."""
        await asyncio.sleep(click.at)
        job = asyncio.create_task(self.carry_out(click.work, (click.owner, click.sheet)))
        if click.stop is not None:
            self.loop.call_at(click.stop, job.cancel)
        await asyncio.wait([job])

    async def carry_out(self, work: Work, flow: tuple[str, ...]) -> None:
        """Execute the nodes of a graph, each when those that it needs have ended well."""
        job = len(self.jobs)
        self.jobs.append(work)
        ended = [asyncio.Event() for _ in work.nodes]
        well: set[int] = set()

        async def step(number: int, node: Node) -> None:
            for need in node.needs:
                await ended[need].wait()
            if well.issuperset(node.needs):
                await self.execute(node, (*flow[:2], str(job)))
                well.add(number)

        def end(number: int, task: asyncio.Task[None]) -> None:
            if not task.cancelled():
                task.exception()
            self.endings[job, number] += 1
            ended[number].set()

        steps = [asyncio.create_task(step(number, node)) for number, node in enumerate(work.nodes)]
        for number, task in enumerate(steps):
            task.add_done_callback(lambda task, number=number: end(number, task))
        try:
            await asyncio.wait(steps)
        except asyncio.CancelledError:
            for task in steps:
                task.cancel()
            await asyncio.wait(steps)
            raise

    async def execute(self, node: Node, flow: tuple[str, ...]) -> None:
        """Take a slot and work. The slot is let go of when the work has ended, not when nobody wants it any more."""
        lease = await self.slots.take(node.place, flow)
        work = self.hands.submit(node, lease)
        work.on_end(lease.release)
        try:
            await work.result()
        except asyncio.CancelledError:
            await work.cancel()
            raise


def simulate(kind: type[Simulation], seed: int) -> None:
    try:
        kind(seed).run()
    except (AssertionError, Stuck) as error:
        pytest.fail(f"world {seed}: {type(error).__name__}: {error}\nagain: pytest tests/simulation --world {seed}")


@pytest.mark.parametrize("batch", range(BATCHES))
def test_worlds(batch: int, request: pytest.FixtureRequest) -> None:
    only = request.config.getoption("--world", default=None)
    for seed in range(batch, WORLDS, BATCHES):
        if only in (None, seed):
            simulate(Simulation, seed)


def test_the_same_seed_is_the_same_world() -> None:
    def told(seed: int) -> list[tuple[Any, ...]]:
        world = Simulation(seed)
        world.run()
        return [(stay.room, stay.flow, stay.wanted, stay.came, stay.left) for stay in world.slots.stays.values()]

    assert [told(seed) for seed in range(20)] == [told(seed) for seed in range(20)]


# ---------------------------------------------------------------- broken versions are seen


class ReleasedAtStop(Simulation):
    """The slot goes with who waits for the work, as with `async with semaphore`."""

    async def execute(self, node: Node, flow: tuple[str, ...]) -> None:
        lease = await self.slots.take(node.place, flow)
        work = self.hands.submit(node, lease)
        try:
            await work.result()
        finally:
            lease.release()


class FirstComeFirstServed(Turns[Lease]):
    def wait(self, flow: tuple[str, ...], item: Lease) -> Ticket[Lease]:
        return super().wait(("everybody",), item)


class WithForgottenWaiters(Simulation):
    class Slots(WatchedSlots):
        def _release(self, lease: Lease, used: float | None) -> None:
            if lease.is_held:  # who was stopped while waiting stays in line
                super()._release(lease, used)

    make_slots = Slots


class WithLostSlots(Simulation):
    class Slots(WatchedSlots):
        def _release(self, lease: Lease, used: float | None) -> None:
            if used is None or not lease.is_held:  # who is stopped when the slot comes takes it along
                super()._release(lease, used)

    make_slots = Slots


class WithoutCallers(Simulation):
    """Nested calls get their slots like everybody else."""

    class Slots(WatchedSlots):
        def _enter(self, lease: Lease, place: Any, callers: tuple[Lease, ...]) -> Any:
            return super()._enter(lease, place, ())

    make_slots = Slots


def first_seen(kind: type[Simulation]) -> int | None:
    for seed in range(BROKEN):
        try:
            kind(seed).run()
        except (AssertionError, Stuck):
            return seed
    return None


@pytest.mark.parametrize("kind", [ReleasedAtStop, WithForgottenWaiters, WithLostSlots, WithoutCallers])
def test_a_broken_version_is_seen(kind: type[Simulation]) -> None:
    assert first_seen(kind) is not None


def test_unfair_turns_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "Turns", FirstComeFirstServed)
    assert first_seen(Simulation) is not None
