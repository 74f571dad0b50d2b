"""The real engine in virtual time. Its loop is the simulation's; functions, threads, processes, store are not real.

What is simulated keeps what the real ones promise. All the rest, from the click to the record, is the engine's own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from math import inf
from typing import Any, TypeVar, cast

import pytest

from daggr.engine import attempt, lookup, scatter, step
from daggr.engine.engine import Engine
from daggr.engine.keys import identity_of
from daggr.engine.live import Live
from daggr.engine.loop import LoopThread
from daggr.engine.order import Order, Outcome
from daggr.engine.plan import Step
from daggr.engine.program import Program
from daggr.engine.remotes import Remotes
from daggr.engine.runners.base import Call, Returned
from daggr.engine.scheduling import place_of
from daggr.engine.scheduling.slots import _holding
from daggr.engine.step import Executor
from daggr.engine.workers.handle import Lost
from daggr.engine.workers.usercode import UserCode
from daggr.errors import NodeFailedError
from daggr.store.records import Run
from tests.simulation.drawn import SimSpec, result_of
from tests.simulation.loop import SimLoop
from tests.simulation.memory import MemoryStore
from tests.simulation.threads import SimHandle, SimWorker, here

T = TypeVar("T")
_asked: ContextVar[tuple[object, bytes, bool]] = ContextVar("asked")
"""What is executed: something that stands for it, and its key; empty if it is shared with nobody."""

HOURS = 100_000.0
"""Longer than anything that happens in a world."""

TROUBLE: tuple[Callable[[], BaseException], ...] = (
    lambda: NodeFailedError("it is its fate"),
    lambda: ValueError("it is its fate"),
    lambda: StopIteration(),
    lambda: SystemExit(1),
    lambda: asyncio.CancelledError(),
    lambda: KeyboardInterrupt(),
)


class Watch:
    """Who is at work, known where it really happens."""

    def __init__(self, loop: SimLoop, store: MemoryStore) -> None:
        self.loop = loop
        self.store = store
        self.at_work: Counter[str] = Counter()
        self.begun = self.ended = 0
        self.working: dict[object, tuple[str, bool, Callable[[], bool]]] = {}
        """What is at work: for which job, whether others may share it, and whether it is abandoned."""
        self.problems: list[str] = []
        """What is wrong. It is not raised where it is seen: there it would be a function's error."""
        self.shared: dict[bytes, object] = {}
        """What is executed for all who want it, by its key, until it is recorded or given up."""

    def begin(self, spec: SimSpec, abandoned: Callable[[], bool] = lambda: False) -> Callable[[], None]:
        """Somebody begins to work. Returns what ends it."""
        lease = _holding.get()[-1]
        what, key, is_shared = _asked.get()
        place = place_of(spec, f"{lease.flow[0]}")
        if place is not None:
            self.at_work[place.name] += 1
            if self.at_work[place.name] > place.limit:
                self.problems.append(f"{self.at_work[place.name]} at work in {place.name!r}")
        if key and self.shared.setdefault(key, what) is not what:
            self.problems.append(f"{spec.name!r} is executed twice at the same time")
        self.begun += 1
        self.working[what] = (lease.flow[2], is_shared, abandoned)

        def end() -> None:
            self.ended += 1
            self.working.pop(what, None)
            if place is not None:
                self.at_work[place.name] -= 1

        return end


class Functions:
    """The users' functions, in threads. What becomes of an execution is decided when it begins."""

    def __init__(self, watch: Watch, calm: bool) -> None:
        self.watch = watch
        self.random = watch.loop.random
        self.calm = calm

    def execute(self, call: Call, user: UserCode) -> Returned:
        """As `LocalRunner` has it."""
        spec, thread = cast(SimSpec, call.spec), here()
        thread.before_end = self.watch.begin(spec, lambda: thread.abandoned)
        deaf, seconds, bad = self._deafness(), spec.seconds, self.random.random() < spec.badly
        if bad and not self.calm and self.random.random() < 0.5:
            seconds = inf
        with user.code():
            self._speak(call, thread)
            forget = user.on_stop(thread.wake) if deaf == 0.0 else lambda: None
            thread.pause(seconds, deaf=deaf > 3.0)
            forget()
            if user.stopped and 0.0 < deaf < inf:
                thread.pause(deaf, deaf=deaf > 3.0)
            self._speak(call, thread)
            if bad:
                raise self.random.choice(TROUBLE)()
        return Returned({"out": result_of(spec, call.definition, call.inputs)})

    def _speak(self, call: Call, thread: SimHandle[Any]) -> None:
        if self.random.random() < 0.2:
            call.partial({"out": -1})
            thread.log("a word\n")
            call.progress(0.5, "")

    def _deafness(self) -> float:
        """How long it goes on when it is told to stop. After 3 s nothing can be raised in it, either."""
        return self.random.choice([0.0, 0.0, 0.5] if self.calm else [0.0, 0.5, 2.5, 10.0, 50.0, inf])


class Processes:
    """Functions in processes, which can always be stopped."""

    def __init__(self, watch: Watch, calm: bool) -> None:
        self.watch = watch
        self.random = watch.loop.random
        self.calm = calm

    async def run(self, call: Call) -> Returned:
        """As `Runner` has it."""
        spec = cast(SimSpec, call.spec)
        end = self.watch.begin(spec)
        bad = self.random.random() < spec.badly
        hangs = bad and not self.calm and self.random.random() < 0.5
        try:
            await asyncio.sleep(HOURS if hangs else spec.seconds)
        except asyncio.CancelledError:
            dead = asyncio.Event()

            def die() -> None:
                end()
                dead.set()

            self.watch.loop.call_later(self.random.choice([0.0, 0.5, 2.0]), die)
            await dead.wait()  # it dies even if nobody waits for that any more
            raise
        end()
        if bad:
            raise self.random.choice((Lost, NodeFailedError, asyncio.CancelledError))("it is its fate")
        return Returned({"out": result_of(spec, call.definition, call.inputs)})


class SimExecutor(Executor):
    """The real one; notes for whom things are executed."""

    def __init__(self, store: MemoryStore, loop: SimLoop, watch: Watch, calm: bool) -> None:
        self.threads = SimWorker(loop)
        self._watch = watch
        self.adopted: set[tuple[str, str, bytes]] = set()
        """Sheet, node, run: what has been kept with runs."""
        own = {"fn": Functions(watch, calm), "isolated": Processes(watch, calm)}
        super().__init__(cast(Any, store), cast(Any, own), cast(Any, self.threads))

    async def execute(self, program: Program, step: Step, order: Order) -> Outcome:
        outcome = await super().execute(program, step, order)
        if order.keep is not None and outcome.run.status == "done":
            known = (order.flow[1], step.node, outcome.run.id)
            if known not in self.adopted:
                self._watch.problems.append(f"{step.node!r} has a run that its sheet does not show")
        return outcome

    async def _execute(self, program: Program, step: Step, order: Order, shared: Any) -> Outcome:
        definition = program.definitions[step.node]
        drawn = all(binding.digest for binding in step.bindings)
        alone = order.alone or definition.spec.cache is False or not drawn
        key = b"" if alone else identity_of(definition.fingerprint.digest, step.bindings).action
        what = object()
        _asked.set((what, key, shared is not None))
        try:
            return await super()._execute(program, step, order, shared)
        finally:
            if self._watch.shared.get(key) is what:
                del self._watch.shared[key]

    async def _in_io(self, work: Callable[[], T]) -> T:
        """It is done in another thread, whether anybody still waits for it or not."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def do() -> None:
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001  (it is raised where it is waited for)
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(value)

        loop.call_later(cast(SimLoop, loop).random.choice([0.0, 0.0, 0.01]), do)
        return await future


class SimEngine(Engine):
    """The real one, without a thread."""

    def __init__(self, loop: SimLoop, store: MemoryStore, watch: Watch, calm: bool, observer: Any) -> None:
        self.store = cast(Any, store)
        self.live = Live()
        self.executor: SimExecutor = SimExecutor(store, loop, watch, calm)
        self._observers = [self.live, observer]
        self._jobs = {}
        self._sheet_of = {}
        self._stopping = set()
        self._policy = "skip"
        self._remotes = Remotes(cast(Any, None), None)
        self._thread = LoopThread.__new__(LoopThread)
        self._thread._loop = loop


class View:
    """Stands in for `Sheets`: notes what is shown."""

    def __init__(self, owner: str, executor: SimExecutor) -> None:
        self.owner = owner
        self._executor = executor

    def adopt(self, txn: object, sheet: bytes, node: str, run: Run, parents: Mapping[str, bytes]) -> None:
        self._executor.adopted.add((sheet.hex(), node, run.id))


class Clock:
    """Stands in for the module `time`."""

    def __init__(self, loop: SimLoop) -> None:
        self.time = self.monotonic = self.perf_counter = loop.time


@contextmanager
def simulated(loop: SimLoop, slots: Any) -> Iterator[None]:
    """The engine's code with the simulation's time and slots, and ids that are the same each time."""
    numbers = count(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "SLOTS", slots)
        for module in (attempt, lookup, scatter):
            patch.setattr(module, "time", Clock(loop))
        patch.setattr(attempt, "new_id", lambda: next(numbers).to_bytes(16, "big"))
        yield
