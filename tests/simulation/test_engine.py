"""Thousands of small worlds over the real engine: each step ends once, each job ends, nothing is left behind.

A world that fails names its seed; `pytest tests/simulation --world SEED` runs it again, step by step the same.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from concurrent.futures import Future
from random import Random
from typing import Any, cast

import pytest

from daggr.engine import flight, step
from daggr.engine.events import JobEnded, StepEvent
from daggr.engine.plan import Given, Plan
from daggr.engine.scheduling.fairness import FIRST_ESTIMATE
from daggr.engine.workers.handle import Handle, Stop
from daggr.errors import DaggrError
from daggr.store.artifacts import identify
from daggr.store.tables import ARTIFACTS, RUNS
from tests.simulation.loop import SimLoop, Stuck
from tests.simulation.memory import MemoryStore
from tests.simulation.office import SimEngine, View, Watch, simulated
from tests.simulation.people import Click, make_people
from tests.simulation.stays import WatchedSlots, check, check_turns
from tests.simulation.stories import Stories, check_groups
from tests.simulation.threads import SimHandle

WORLDS = 2500
BATCHES = 10
BROKEN = 500
"""A broken version must be seen in the first so many worlds."""

LATE = 2000.0
"""By then everything has ended that ends by itself."""


class World:
    """One world, and what happened there."""

    def __init__(self, seed: int) -> None:
        self.people = make_people(Random(seed))
        self.loop = SimLoop(seed)
        self.slots = WatchedSlots(self.loop.time)
        self.store = MemoryStore(self.loop, self.people.full)
        self.watch = Watch(self.loop, self.store)
        self.stories = Stories(self.loop, self.store)
        calm = self.people.calm
        self.engines = [SimEngine(self.loop, self.store, self.watch, calm, self.observe) for _ in range(2)]
        self.futures: list[tuple[Future[Any], Click]] = []

    def observe(self, event: StepEvent) -> None:
        """See what is told; a job does not end before its work has, but for that which others may want, too."""
        self.stories(event)
        if isinstance(event, JobEnded):
            others = any(not story.is_over for story in self.stories.stories.values())
            for job, is_shared, abandoned in self.watch.working.values():
                if job == event.job and not (is_shared and others) and not abandoned():
                    self.watch.problems.append("a job has ended, but not its work")

    def run(self) -> None:
        """From the first click until everything has ended; then look at what happened.

        Raises:
            AssertionError, Stuck: something is wrong.
        """
        try:
            with simulated(self.loop, self.slots):
                self.loop.run(self.main())
        finally:
            for engine in self.engines:
                engine.executor.threads.close()
        gc.collect()  # what nobody looked at is told of when it goes
        assert not self.stories.problems, self.stories.problems
        assert not self.watch.problems, self.watch.problems
        assert not self.loop.trouble, [(one["message"], one.get("exception")) for one in self.loop.trouble]
        check_groups(self.store)
        stays = list(self.slots.stays.values())
        check(stays)
        longest = max([FIRST_ESTIMATE, *[stay.left - stay.came for stay in stays if stay.left > stay.came]])
        check_turns(stays, longest)

    async def main(self) -> None:
        self.keep(0, 1)
        for click in self.people.clicks:
            self.loop.call_at(click.at, self.click, click)
        for at in self.people.gone:
            self.loop.call_at(at, self.lose)
        await asyncio.sleep(LATE)
        for engine in self.engines:
            for job in list(engine._jobs):
                assert not self.people.calm, "a job does not end"
                engine.stop(job)
        await asyncio.sleep(LATE)
        self.check_the_end()

    def keep(self, *values: int) -> None:
        """Values that inputs have."""
        for value in values:
            self.store.artifacts.put(cast(Any, self.store.tables), self.store.artifacts.stage(value))

    def lose(self) -> None:
        """A value is gone."""
        outputs = [run.outputs[0].digest for run in self.store.tables.rows[RUNS.name].values() if run.outputs]
        if outputs:
            self.store.tables.delete(ARTIFACTS, self.loop.random.choice(outputs))

    def click(self, click: Click) -> None:
        """Run something, and stop it when the time has come."""
        engine, program = self.engines[click.engine], click.program
        inputs = dict.fromkeys(program.defaults, identify(click.value))
        nodes = frozenset(program.drawing.nodes) if click.node is None else program.drawing.ancestors(click.node)
        if click.mode in ("call", "refresh"):
            mode: Any = "use" if click.mode == "call" else "refresh"
            before = set(engine._jobs)
            future: Future[Any] = engine.call(program, click.owner, inputs, nodes, mode)
            job = next(iter(set(engine._jobs) - before), "")
        else:
            force = frozenset() if click.mode == "all" else nodes if click.mode == "force" else nodes & {click.node}
            plan, view = Plan(program, nodes, Given(inputs), force), View(click.owner, engine.executor)
            job, future = engine._start(program, cast(Any, view), click.sheet, plan, force, cast(Any, click.mode), None)
        self.futures.append((future, click))
        for at in click.stops:
            if click.leaves and click.mode in ("call", "refresh"):
                self.loop.call_at(at, future.cancel)
            else:
                self.loop.call_at(at, engine.stop, job)

    def check_the_end(self) -> None:
        """See that nothing is left behind but what cannot be stopped."""
        for story in self.stories.stories.values():
            assert story.is_over, f"job {story.number} has not ended"
        for future, click in self.futures:
            assert future.done()
            if click.mode not in ("call", "refresh"):
                assert not future.cancelled(), "a job gave nothing, not even an error"
                assert future.exception() is None, f"a job raised {future.exception()!r}; it gives its failure"
                assert future.result() is None or isinstance(future.result(), DaggrError)
            elif not future.cancelled():
                assert future.exception() is None or isinstance(future.exception(), DaggrError)
            else:
                assert click.leaves, "a call was cancelled that nobody left"
        left = [handle for engine in self.engines for handle in engine.executor.threads.at_work]
        assert all(handle.abandoned for handle in left)
        assert self.watch.begun - self.watch.ended == len(left)
        assert sum(len(room.active) for room in self.slots._rooms.values()) <= len(left), "a slot was lost"
        assert all(room.turns is None for room in self.slots._rooms.values()), "somebody still waits"
        assert not self.store.claims.held, "a claim was lost"
        assert not self.store.holds, "the store is held"
        assert not flight._needs
        for engine in self.engines:
            executor = engine.executor
            assert not executor._flights._flying, "a flight has not ended"
            assert not executor._flights._waiting
            assert not executor._overlaps._active
            assert not {*engine._jobs, *engine._sheet_of, *engine._stopping}, "a job was not forgotten"
        tasks = asyncio.all_tasks() - {cast(Any, asyncio.current_task())}
        assert not tasks, f"still there: {tasks}"


def simulate(kind: type[World], seed: int) -> None:
    try:
        kind(seed).run()
    except (AssertionError, Stuck) as error:
        pytest.fail(f"world {seed}: {type(error).__name__}: {error}\nagain: pytest tests/simulation --world {seed}")


@pytest.fixture(autouse=True, scope="module")
def _quick_collections() -> Iterator[None]:
    """What is there already is not looked at again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_worlds(batch: int, request: pytest.FixtureRequest) -> None:
    only = request.config.getoption("--world", default=None)
    for seed in range(batch, WORLDS, BATCHES):
        if only in (None, seed):
            simulate(World, seed)


def test_the_same_seed_is_the_same_world() -> None:
    def told(seed: int) -> list[str]:
        world = World(seed)
        world.run()
        return world.stories.told

    assert [told(seed) for seed in range(20)] == [told(seed) for seed in range(20)]


# ---------------------------------------------------------------- broken versions are seen


def first_seen() -> int | None:
    for seed in range(BROKEN):
        try:
            World(seed).run()
        except (AssertionError, Stuck):
            return seed
    return None


def test_slots_that_are_let_go_of_at_stop_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancel(handle: SimHandle[Any], grace: float = 2.0) -> Stop:
        while handle._callbacks:
            handle._callbacks.pop()()
        return await Handle.cancel(handle, grace)

    monkeypatch.setattr(SimHandle, "cancel", cancel)
    assert first_seen() is not None


def test_flights_that_do_not_end_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight.Flights, "_end", lambda *_: True)
    assert first_seen() is not None


def test_work_that_is_not_shared_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "_flies", lambda *_: False)
    assert first_seen() is not None


def test_steps_that_are_not_told_of_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "block", lambda plan, node, reason: [])
    assert first_seen() is not None
