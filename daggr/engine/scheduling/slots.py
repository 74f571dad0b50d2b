"""Slots: who holds one, who waits, and what happens when one becomes free. Process-wide, for any loop and thread.

A slot is taken by a coroutine and released by whoever did the work, when it has really ended; who stops waiting for the
work changes nothing. While nobody waits in a room, taking and releasing is a matter of counting, and what is used is
not charged to anybody. From the first who waits on, turns are fair (`fairness.py`), until nobody waits.

Functions may run graphs. Such a nested call never waits for its caller's slot: under the limit that the caller is under
it has a slot of its own. Nor do callers wait for each other's slots in a circle: who would close one gets a slot beyond
the limit, for all who are within the limit only wait.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from daggr.engine.scheduling.fairness import FIRST_ESTIMATE, LEARNING, Ticket, Turns
from daggr.engine.scheduling.place import Place

LEAST = 0.001
"""Seconds that a turn counts at least; many tiny ones are not free."""


class Lease:
    """A slot: wanted, held, then released."""

    def __init__(self, slots: Slots, number: int, name: str, flow: tuple[str, ...]) -> None:
        self._slots = slots
        self.id = number
        self.name = name
        """The name of the place that was asked for; empty if it needs none."""
        self.flow = flow
        self.room: _Room | None = None
        """Where it waits or holds a slot."""
        self.limit = 0
        self.is_held = False
        self.since = 0.0
        self.ticket: Ticket[Lease] | None = None
        self.future: asyncio.Future[None] | None = None
        self.callers: tuple[Lease, ...] = ()
        """While it waits: the slots of the functions whose nested call this is."""
        self.blocked = 0
        """How many nested calls of its function wait for a slot."""

    def release(self, used: float | None = None) -> None:
        """Let go of the slot; from any thread, once or more. `used` seconds are charged; by default all."""
        if self.room is not None:
            self._slots._release(self, used)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Run code that has this slot: nested calls in this context do not wait for it."""
        token = _holding.set((*_holding.get(), self))
        try:
            yield
        finally:
            _holding.reset(token)


_holding: ContextVar[tuple[Lease, ...]] = ContextVar("daggr_holding", default=())
"""The slots of the function that runs here and of those that called it, the innermost last."""


class _Room:
    """All who have or want a slot of one name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.limit = sys.maxsize
        """The least that is given by those who are here: a script may have been edited since the first one came."""
        self.active: dict[Lease, None] = {}
        self.turns: Turns[Lease] | None = None
        """While somebody waits."""
        self.estimate = FIRST_ESTIMATE
        self._limits: dict[int, int] = {}

    def enter(self, limit: int) -> None:
        """Somebody comes who wants so many at once at most."""
        self._limits[limit] = self._limits.get(limit, 0) + 1
        self.limit = min(self.limit, limit)

    def leave(self, limit: int) -> bool:
        """Somebody goes; whether nobody is left."""
        self._limits[limit] -= 1
        if not self._limits[limit]:
            del self._limits[limit]
            self.limit = min(self._limits, default=sys.maxsize)
        return not self._limits

    def is_full(self) -> bool:
        """Whether all slots are taken."""
        return len(self.active) >= self.limit


class Slots:
    """All slots of a process. `clock` gives seconds, from any start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rooms: dict[str, _Room] = {}
        self._numbers = itertools.count(1)

    async def take(self, place: Place | None, flow: tuple[str, ...]) -> Lease:
        """Wait for a slot. A `flow` is an owner, a sheet and a job: turns are fair between those of one level."""
        if place is None:
            return Lease(self, next(self._numbers), "", flow)
        lease = Lease(self, next(self._numbers), place.name, flow)
        callers = _holding.get()
        if callers:
            callers = tuple(caller for caller in callers if caller.is_held)
        with self._lock:
            room = self._enter(lease, place, callers)
            if not room.is_full():
                self._give(room, lease)
                return lease
            lease.future = asyncio.get_running_loop().create_future()
            self._queue(room, lease, callers)
        try:
            await lease.future
        except BaseException:  # stopped; the slot may have come at the same moment
            lease.release(0.0)
            raise
        return lease

    def _enter(self, lease: Lease, place: Place, callers: tuple[Lease, ...]) -> _Room:
        name, limit = place
        if callers:
            name, limit = self._for_nested(lease, name, limit, callers)
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = _Room(name)
        lease.room, lease.limit = room, limit
        room.enter(limit)
        return room

    def _for_nested(self, lease: Lease, name: str, limit: int, callers: tuple[Lease, ...]) -> tuple[str, int]:
        """Where a nested call gets its slot."""
        own = next((caller for caller in reversed(callers) if caller.name == name), None)
        if own is not None:
            name, limit = f"{name} within {own.id}", 1
        room = self._rooms.get(name)
        within = room.active if room is not None else {}
        if room is not None and len(within) >= min(limit, room.limit) and all(other.blocked for other in within):
            name, limit = f"{name} beyond {lease.id}", 1
        return name, limit

    def _give(self, room: _Room, lease: Lease) -> None:
        lease.is_held = True
        lease.since = self._clock()
        room.active[lease] = None

    def _queue(self, room: _Room, lease: Lease, callers: tuple[Lease, ...]) -> None:
        if room.turns is None:
            room.turns, now = Turns(room.estimate), self._clock()
            for other in room.active:  # what they had before anybody waited was nobody else's
                other.ticket, other.since = room.turns.already(other.flow, other), now
        lease.ticket = room.turns.wait(lease.flow, lease)
        lease.callers = callers
        for caller in callers:
            caller.blocked += 1

    def _release(self, lease: Lease, used: float | None) -> None:
        with self._lock:
            room, lease.room = lease.room, None
            if room is None:
                return
            if room.leave(lease.limit):
                del self._rooms[room.name]
            if lease.is_held:
                self._end(room, lease, used)
            elif room.turns is not None and lease.ticket is not None:
                room.turns.withdraw(lease.ticket)
                _unblock(lease)
                self._calm(room)
            woken = self._advance(room)
        for other in woken:
            _wake(other)

    def _end(self, room: _Room, lease: Lease, used: float | None) -> None:
        lease.is_held = False
        del room.active[lease]
        seconds = self._clock() - lease.since
        if used is not None:
            seconds = min(used, seconds)
        if used != 0:
            seconds = max(seconds, LEAST)
            room.estimate += (seconds - room.estimate) * LEARNING
        if room.turns is not None and lease.ticket is not None:
            room.turns.end(lease.ticket, seconds)

    def _calm(self, room: _Room) -> None:
        """Forget what everybody used when nobody waits any more."""
        if room.turns is not None and not room.turns.waiting:
            room.turns = None

    def _advance(self, room: _Room) -> list[Lease]:
        """Give free slots to those who wait. Returns those who are to be woken."""
        woken = []
        while room.turns is not None and not room.is_full():
            lease = room.turns.next().item
            self._give(room, lease)
            _unblock(lease)
            woken.append(lease)
            self._calm(room)
        return woken


def _unblock(lease: Lease) -> None:
    for caller in lease.callers:
        caller.blocked -= 1
    lease.callers = ()


def _wake(lease: Lease) -> None:
    """Tell who waits, in the loop where it does, that the slot is there."""
    future = lease.future
    if future is None:
        raise AssertionError("nobody waits for it")
    loop = future.get_loop()
    try:
        loop.call_soon_threadsafe(_settle, future)
    except RuntimeError:  # the loop was closed: nobody will take it
        lease.release(0.0)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


SLOTS = Slots()
"""The slots of this process."""
