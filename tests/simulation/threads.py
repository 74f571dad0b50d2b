"""Threads of the simulation: greenlets, so that the real, synchronous code of a step can pause in virtual time.

They keep the promises of `ThreadWorker`: `SimHandle` is a real `Handle`, and climbs the same ladder when it is stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from math import inf
from typing import Any, TypeVar

from greenlet import greenlet  # type: ignore[import-untyped]

from daggr.engine.workers.handle import Handle, Stop, Stopped
from daggr.engine.workers.usercode import UserCode
from tests.simulation.loop import SimLoop

T = TypeVar("T")
INTERRUPT_EVERY = 0.25
INTERRUPTS = 4


class SimWorker:
    """Stands in for `ThreadWorker`."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self.at_work: dict[SimHandle[Any], None] = {}

    def submit(
        self, work: Callable[[UserCode], T], log: Callable[[str], None], context: Context | None = None
    ) -> SimHandle[T]:
        """Begin a task, in a thread of its own."""
        handle = SimHandle(self, self._loop, work, log)
        handle.thread.gr_context = context if context is not None else copy_context()
        self.at_work[handle] = None
        self._loop.call_later(self._loop.random.choice([0.0, 0.0, 0.001]), handle.go_on)
        return handle

    def close(self) -> None:
        """End all threads, however deaf."""
        for handle in list(self.at_work):
            handle.thread.throw()


class SimHandle(Handle[T]):
    """A task in a thread. What happens in the thread may `pause`."""

    def __init__(
        self, worker: SimWorker, loop: SimLoop, work: Callable[[UserCode], T], log: Callable[[str], None]
    ) -> None:
        super().__init__()
        self.thread = greenlet(self._perform)
        self.thread.handle = self
        self.log = log
        self.before_end: Callable[[], None] = lambda: None
        self.abandoned = False
        self._worker = worker
        self._loop = loop
        self._work = work
        self._user = SimUser(self)
        self._awake: asyncio.TimerHandle | None = None
        self._is_deaf = True
        """Whether nothing can be raised in it just now."""

    def _perform(self) -> None:
        value, error = None, None
        try:
            value = self._work(self._user)
        except BaseException as raised:  # noqa: BLE001  (as in the real one)
            error = raised
        self._user.end()
        self.before_end()
        self._worker.at_work.pop(self, None)
        self._finish(value, error)

    def go_on(self, error: BaseException | None = None) -> None:
        """Let the thread run until it pauses or ends."""
        if self._awake is not None:
            self._awake.cancel()
        self._awake = None
        if error is not None:
            self.thread.throw(error)
        else:
            self.thread.switch()

    def pause(self, seconds: float, *, deaf: bool) -> None:
        """In the thread: let so much time pass."""
        if seconds < inf:
            self._awake = self._loop.call_later(seconds, self.go_on)
        self._is_deaf = deaf
        assert self.thread.parent is not None
        self.thread.parent.switch()
        self._is_deaf = True

    def interrupt(self) -> None:
        """From outside: raise `Stopped` in user code."""
        if not self._is_deaf:
            self._is_deaf = True
            self._loop.call_soon(self.go_on, Stopped())

    def wake(self) -> None:
        """From outside: end a pause."""
        if not self._ended:
            self._loop.call_soon(self.go_on)

    async def _stop(self, grace: float) -> Stop:
        self._user.stop()
        if await self._end(grace):
            return "stopped"
        for _ in range(INTERRUPTS):
            self._user.interrupt()
            if await self._end(INTERRUPT_EVERY):
                return "stopped"
        self.abandoned = True
        return "abandoned"


class SimUser(UserCode):
    def __init__(self, handle: SimHandle[Any]) -> None:
        super().__init__()
        self._handle = handle

    def interrupt(self) -> None:
        self._handle.interrupt()


def here() -> SimHandle[Any]:
    """The task of the thread that this is called in."""
    handle: SimHandle[Any] = greenlet.getcurrent().handle
    return handle
