"""What a worker gives back for a task: its result, a way to stop it, and word of its end."""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
Stop = Literal["stopped", "abandoned"]

log = logging.getLogger(__name__)
_ladders: set[asyncio.Task[Stop]] = set()


class Stopped(BaseException):
    """Raised in user code when somebody pressed Stop. No `except Exception` of a user's catches it."""


class Raised(Exception):
    """Carries what cannot be raised in an event loop without harm; `error` is what the work raised.

    That is everything which is no `Exception` (SystemExit, KeyboardInterrupt, Stopped, CancelledError, …), and
    StopIteration and StopAsyncIteration, which a coroutine cannot raise.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.error = error


class Lost(Exception):
    """The process that did the work died before it answered; the message says how, in words."""


class Handle(ABC, Generic[T]):
    """A task under way. May be used from several event loops and threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._callbacks: list[Callable[[], None]] = []

    @property
    def ended(self) -> bool:
        """Whether the thread or process is done with it."""
        return self._ended

    async def result(self) -> T:
        """What the work returned. Who stops waiting does not stop the work. Waits for an abandoned one, too.

        Raises:
            Raised: the work raised something that is no ordinary exception, such as SystemExit or `Stopped`.
            Lost: its process died.
            Exception: whatever else the work raised, as it is.
        """
        if not self._ended:
            await self._end()
        if self._error is None:
            return self._value  # type: ignore[return-value]
        if isinstance(self._error, Exception) and not isinstance(self._error, (StopIteration, StopAsyncIteration)):
            raise self._error
        raise Raised(self._error) from self._error

    async def cancel(self, grace: float = 2.0) -> Stop:
        """Stop the work, gently for `grace` seconds: "stopped" when it has ended, "abandoned" when it cannot be.

        Once begun it is carried through, even if nobody waits for it any more.
        """
        if self._ended:
            return "stopped"
        ladder = asyncio.ensure_future(self._stop(grace))
        _ladders.add(ladder)
        ladder.add_done_callback(_ladders.discard)
        return await asyncio.shield(ladder)

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call once, in any thread, when the thread or process is really done with it; at once if it is."""
        with self._lock:
            if not self._ended:
                self._callbacks.append(callback)
                return
        callback()

    @abstractmethod
    async def _stop(self, grace: float) -> Stop:
        """Climb the ladder."""

    async def _end(self, timeout: float | None = None) -> bool:
        """Wait for the end; False if it has not come in time."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._ended:
                return True
            self._waiting.append((loop, future))
        if timeout is None:
            await future
        else:
            await asyncio.wait([future], timeout=timeout)
        return self._ended

    def _finish(self, value: T | None, error: BaseException | None, before: Callable[[], None] | None = None) -> None:
        """Tell everybody, those who asked for the end first; `before` is called when only the waiters are left."""
        with self._lock:
            self._ended = True
            self._value, self._error = value, error
            callbacks, self._callbacks = self._callbacks, []
            waiting, self._waiting = self._waiting, []
        for callback in callbacks:
            try:
                callback()
            except Exception:
                log.exception("what was to happen at the end of a task failed")
        if before is not None:
            before()
        for loop, future in waiting:
            try:
                loop.call_soon_threadsafe(_wake, future)
            except RuntimeError:  # the loop has ended: nobody waits any more
                continue


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
