"""Single flight: what several want at the same time is executed once, and all of them get the run.

In one engine those who want the same share a flight: an execution, with everybody who wants it aboard. Each sees what
it prints and how far it is, from the start; each fails if it fails; the last to leave cancels it. Between engines and
processes a claim on the action key (`daggr/store/claims.py`) is held from before the last look-up until the run is
recorded. Who finds a key claimed waits without a slot, a thread or a transaction, and looks the run up when the claim
is free: then it is there, or its maker has failed or was killed, and the next one executes it.

Not everything flies. A step that is forced executes, for that is what was asked for: it joins nobody, though others may
join it. One that would not be found by key (`cache=False`, a definition that cannot be vouched for), and one whose
sampled inputs are not drawn yet, neither waits for anybody nor is waited for: each draws its own.

A claim is held only by who executes, never by who waits for a slot or for another claim. So those who wait for each
other in a circle are functions that ask, by a nested `graph.run`, for what is waiting for them. Within a process such a
circle is an error. It is not seen when it goes through another process, or through a thread without the context of
the function that started it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, NamedTuple

from daggr.engine.keys import Identity
from daggr.engine.order import Order, Outcome
from daggr.engine.waiting import all_ended
from daggr.errors import NodeFailedError, RunCancelledError
from daggr.graph.nodes.base import NodeSpec
from daggr.store.records import Run
from daggr.store.store import Store
from daggr.store.tables import Txn

log = logging.getLogger("daggr.engine")

SHORTEST, LONGEST = 0.001, 0.02
"""Seconds between two looks at a claim: at first, and after a while."""

CROWD = 200
"""With more who wait than this, each looks less often, so that all together take no more time."""


class Wanted(NamedTuple):
    """What is executed: a definition and the digests of all inputs, in a store, for whom it serves.

    Equal ones are the same execution.
    """

    place: str
    scope: str
    fingerprint: bytes
    values: tuple[tuple[str, bytes], ...]


class Flights:
    """The flights of one engine. To be used in its loop only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._place = os.path.realpath(store.root)
        self._flying: dict[Wanted, Flight] = {}
        self._waiting = 0

    async def join(
        self, spec: NodeSpec, identity: Identity, order: Order, execute: Callable[[Order], Awaitable[Outcome]]
    ) -> Outcome:
        """The run of these inputs: of the flight there is, or of a new one, for which `execute` is called.

        Raises:
            NodeFailedError: it is being executed and waits for this very call; or as `execute` does.
        """
        wanted = Wanted(self._place, order.scope(spec), identity.fingerprint, tuple(sorted(identity.values.items())))
        asking = _executing.get()
        with nullcontext() if asking is None else _needing(asking, wanted, spec):
            flight = self._flying.get(wanted)
            if flight is not None and asking is not None and not flight.has_started:
                return await execute(order)  # it may wait for the very slot that who asks here has
            if flight is not None and order.alone:
                return await execute(order)
            if flight is None:
                flight = self._flying[wanted] = Flight(order)
                flight.task = asyncio.create_task(self._fly(wanted, flight, execute))
            landed = flight.board(order)
            try:
                outcome = await landed
            except asyncio.CancelledError:
                if not flight.leave(order) or not self._end(wanted, flight):  # who comes now begins anew
                    raise
                flight.task.cancel()
                ended = await flight.stopped()
                if ended is None:
                    raise
                outcome = ended  # it was being recorded already
            except BaseException:
                flight.leave(order)
                raise
            else:
                flight.leave(order)
        if order.keep is not None and not flight.has_kept(order):
            keep = order.keep
            await asyncio.wrap_future(self._store.submit(lambda txn: keep(txn, outcome.run)))
        return outcome

    async def until_free(self, key: bytes) -> None:
        """Wait until nobody has a claim on a key."""
        pause = SHORTEST
        self._waiting += 1
        try:
            while (claim := self._store.claims.take(key)) is None:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST * max(1.0, self._waiting / CROWD))
            claim.release()
        finally:
            self._waiting -= 1

    async def _fly(self, wanted: Wanted, flight: Flight, execute: Callable[[Order], Awaitable[Outcome]]) -> None:
        _executing.set(wanted)  # the context is this task's own
        try:
            outcome = await execute(flight.order)
        except BaseException as error:  # noqa: BLE001  (it is raised again where it is waited for)
            self._end(wanted, flight)
            flight.fail(error)
        else:
            self._end(wanted, flight)
            flight.land(outcome)

    def _end(self, wanted: Wanted, flight: Flight) -> bool:
        """Take nobody in any more; whether that is news."""
        return self._flying.get(wanted) is flight and self._flying.pop(wanted) is flight


class Flight:
    """One execution and those who want it. Told from the threads of the function and of the store, too."""

    task: asyncio.Task[None]

    def __init__(self, first: Order) -> None:
        self.order = Order(
            first.owner,
            self._log,
            self._progress,
            self._started,
            self._keep,
            partial=self._partial,
            recorded=self._recorded,
            flow=first.flow,
            alone=first.alone,
            credential=first.credential,
        )
        """What the execution tells goes to everybody aboard."""
        self._lock = threading.Lock()
        self._aboard: dict[Order, asyncio.Future[Outcome]] = {}
        self._told: dict[object, Callable[[Order], None]] = {}
        self._kept: tuple[Order, ...] = ()
        self._error: BaseException | None = None
        self._outcome: Outcome | None = None

    def board(self, order: Order) -> asyncio.Future[Outcome]:
        """Take somebody in, and tell what there was so far. Returns what is done when the flight has landed."""
        with self._lock:
            for tell in self._told.values():
                tell(order)
            self._aboard[order] = asyncio.get_running_loop().create_future()
            return self._aboard[order]

    def leave(self, order: Order) -> bool:
        """Let somebody go; whether that was the last one."""
        with self._lock:
            del self._aboard[order]
            return not self._aboard

    async def stopped(self) -> Outcome | None:
        """Wait until the execution has come to its end, whoever is asked to stop meanwhile. Gives what came of it.

        Raises:
            RunCancelledError: it says how.
        """
        await all_ended([self.task])
        if isinstance(self._error, RunCancelledError):
            raise self._error
        return self._outcome

    @property
    def has_started(self) -> bool:
        """Whether it has its slot."""
        return "started" in self._told

    def land(self, outcome: Outcome) -> None:
        """Everybody has the run."""
        self._outcome = outcome
        for landed in self._aboard.values():
            if not landed.done():
                landed.set_result(outcome)

    def fail(self, error: BaseException) -> None:
        """Nobody has it."""
        self._error = error
        if not self._aboard and not isinstance(error, (asyncio.CancelledError, RunCancelledError)):
            log.error("an execution that nobody waited for any more failed", exc_info=error)
        for landed in self._aboard.values():
            if isinstance(error, asyncio.CancelledError):
                landed.cancel()
            elif not landed.done():
                landed.set_exception(error)

    def has_kept(self, order: Order) -> bool:
        """Whether what had to change for somebody changed with the record of the run."""
        return order in self._kept

    def _tell(self, tell: Callable[[Order], None], topic: object) -> None:
        with self._lock:
            self._told[topic] = tell  # of each topic the last word
            for order in self._aboard:
                tell(order)

    def _log(self, text: str) -> None:
        self._tell(lambda order: order.log(text), object())

    def _progress(self, fraction: float | None, text: str) -> None:
        self._tell(lambda order: order.progress(fraction, text), "progress")

    def _started(self, at: float) -> None:
        self._tell(lambda order: order.started(at), "started")

    def _partial(self, values: Mapping[str, Any]) -> None:
        self._tell(lambda order: order.partial(values), "partial")

    def _recorded(self, run: Run) -> None:
        self._tell(lambda order: order.recorded(run), "recorded")

    def _keep(self, txn: Txn, run: Run) -> None:
        with self._lock:
            self._kept = tuple(self._aboard)  # who comes later keeps it alone
        for order in self._kept:
            if order.keep is not None:
                order.keep(txn, run)


# ---------------------------------------------------------------- circles

_executing: ContextVar[Wanted | None] = ContextVar("daggr_executing", default=None)
"""What the code that runs here is executed for."""

_needs: dict[object, tuple[Wanted, Wanted]] = {}
"""In this process: what is executed, and what it waits for by a nested call."""


@contextmanager
def _needing(asking: Wanted, wanted: Wanted, spec: NodeSpec) -> Iterator[None]:
    """Note what a nested call waits for.

    Engines of other threads may do so at the same time: each enters its need first and looks then, so one of them sees
    the circle.

    Raises:
        NodeFailedError: what it wants waits for who wants it.
    """
    mark = object()
    _needs[mark] = (asking, wanted)
    try:
        if _leads(wanted, asking):
            raise NodeFailedError(
                f"{spec.name!r} waits for itself: it asks for a result that cannot be there before this one is.",
                "Does its function run the graph it is in, with the same inputs?",
                spec.where,
                node=spec.name,
            )
        yield
    finally:
        del _needs[mark]


def _leads(start: Wanted, end: Wanted) -> bool:
    """Whether one execution waits for another, directly or not."""
    seen, waiting = set(), [start]
    while waiting:
        wanted = waiting.pop()
        if wanted == end:
            return True
        if wanted not in seen:
            seen.add(wanted)
            waiting += [needed for asking, needed in list(_needs.values()) if asking == wanted]
    return False
