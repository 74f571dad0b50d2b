"""`SimLoop`: an event loop for simulations. Its time is virtual, and chance decides what is next, by a seed.

When nothing is ready, time jumps to the next timer; a day passes in no time. When there is no timer either, nothing
will ever happen again: that is `Stuck`. What is ready runs in another order for each seed. Only what asyncio promises
is kept: callbacks run in the order in which they came. Steps of tasks have no order among each other, nor with them.
The same seed gives the same order in each process: tasks and futures have a number for a hash, so that sets of them
are read in the same order, too.

It relies on names of asyncio that are not public (`_run_once`, `_ready`, `_scheduled`); `test_loop.py` pins that.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import deque
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(Exception):
    """Somebody waits, and nothing will ever happen again."""


class SimLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time, whose order depends on a seed."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.trouble: list[dict[str, Any]] = []
        """What asyncio would have logged: errors in callbacks, exceptions that nobody looked at."""
        self._now = 0.0
        self._selector = self  # `_run_once` waits by it
        self._numbers = itertools.count()
        self.set_task_factory(_Task.make)
        self.set_exception_handler(lambda _, context: self.trouble.append(context))

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, end what it leaves behind, and close the loop."""
        try:
            return self.run_until_complete(main)
        finally:
            self.run_until_complete(_end_others())
            self.close()

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(self, next(self._numbers))

    def next_number(self) -> int:
        return next(self._numbers)

    def select(self, timeout: float | None) -> list[Any]:
        """Let time pass, in place of waiting for the network."""
        if timeout is None:
            raise Stuck
        if timeout > 0:
            self._now = max(self._now, self._scheduled[0].when())
        return []

    def _run_once(self) -> None:
        """Run some of what is ready, in any order; the rest is ready again together with what comes of that."""
        steps = [handle for handle in self._ready if _is_step(handle)]
        rest = deque(handle for handle in self._ready if not _is_step(handle))
        self.random.shuffle(steps)
        self._ready.clear()
        for _ in range(self.random.randint(1, max(1, len(steps) + len(rest)))):
            if steps or rest:
                take_step = self.random.randrange(len(steps) + len(rest)) < len(steps)
                self._ready.append(steps.pop() if take_step else rest.popleft())
        super()._run_once()  # type: ignore[misc]
        self._ready.extendleft(reversed([*rest, *steps]))

    def _process_events(self, events: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


class _Numbered:
    """Has a number for a hash, not its place in memory."""

    number: int

    def __hash__(self) -> int:
        return self.number


class _Task(_Numbered, asyncio.Task):  # type: ignore[type-arg]
    def __init__(self, loop: SimLoop, coroutine: Any, **options: Any) -> None:
        self.number = loop.next_number()
        super().__init__(coroutine, loop=loop, **options)

    @classmethod
    def make(
        cls, loop: asyncio.AbstractEventLoop, coroutine: Any, context: Context | None = None, **options: Any
    ) -> asyncio.Task[Any]:
        assert isinstance(loop, SimLoop)
        return cls(loop, coroutine, **({"context": context} if context is not None else {}), **options)


class _Future(_Numbered, asyncio.Future):  # type: ignore[type-arg]
    def __init__(self, loop: SimLoop, number: int) -> None:
        self.number = number
        super().__init__(loop=loop)


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _is_step(handle: asyncio.Handle) -> bool:
    """Whether this is the next step of a task."""
    callback = handle._callback  # type: ignore[attr-defined]
    return isinstance(getattr(callback, "__self__", None), asyncio.Task) or "TaskStep" in type(callback).__name__
