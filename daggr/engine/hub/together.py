"""Asking together: whoever asks for what is being asked for already waits for that answer."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import httpx

from daggr.errors import DaggrError, RemoteError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
TIMED_OUT = (httpx.TimeoutException, asyncio.TimeoutError, TimeoutError)
SILENT = 1.0
"""Seconds for which somebody who gave no answer is not asked again."""


class Together(Generic[K, T]):
    """Requests on their way, in one event loop. The last who waits for one and leaves ends it."""

    def __init__(self) -> None:
        self._going: dict[K, asyncio.Task[T]] = {}
        self._waiting: dict[asyncio.Task[T], int] = {}

    async def ask(self, key: K, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer of `make()`, or of the one that is on its way under this key."""
        task = self._going.get(key)
        if task is None:
            task = self._going[key] = asyncio.create_task(make())
            task.add_done_callback(lambda ended: self._end(key, ended))
        self._waiting[task] = self._waiting.get(task, 0) + 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting[task] -= 1
            if not self._waiting[task]:
                del self._waiting[task]
                if not task.done():
                    self._going.pop(key, None)
                    task.cancel()

    def _end(self, key: K, task: asyncio.Task[T]) -> None:
        if self._going.get(key) is task:
            del self._going[key]
        if not task.cancelled():
            task.exception()  # it is looked at, though nobody may wait for it any more


async def placed(answer: Awaitable[T], where: str | None) -> T:
    """An answer that several may wait for. Each gets an error of its own, with the line of its own node."""
    try:
        return await answer
    except DaggrError as error:
        own = copy.copy(error)
        own.where = where
        raise own from error.__cause__


class News:
    """What is said of a request that several wait for. Who comes later is told the last of it."""

    def __init__(self) -> None:
        self._listening: list[Callable[[str], None]] = []
        self._last = ""

    @property
    def is_unheard(self) -> bool:
        """Whether the last is about to leave, or nobody is there."""
        return len(self._listening) <= 1

    def say(self, text: str) -> None:
        """Tell all who wait."""
        self._last = text
        for listening in self._listening:
            listening(text)

    @contextmanager
    def told_to(self, say: Callable[[str], None]) -> Iterator[None]:
        """Tell one more, as long as this lasts."""
        if self._last:
            say(self._last)
        self._listening.append(say)
        try:
            yield
        finally:
            self._listening.remove(say)


class Silence:
    """Who kept a check waiting and did not answer. The call after it does not wait for them once more."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[float, RemoteError]] = {}

    def check(self, key: Hashable) -> None:
        """Ask on, unless they were silent just now.

        Raises:
            RemoteError: they were; what was said of it.
        """
        since, error = self._kept.get(key, (0.0, None))
        if error is not None and time.monotonic() - since < SILENT:
            raise copy.copy(error) from None

    def end(self, key: Hashable) -> None:
        """Ask on: this is another check."""
        self._kept.pop(key, None)

    @contextmanager
    def kept(self, key: Hashable) -> Iterator[None]:
        """Remember it if this ends because too long was waited."""
        try:
            yield
        except RemoteError as error:
            if isinstance(error.__cause__, TIMED_OUT):  # a connection that broke may not break again
                now = time.monotonic()
                self._kept = {key: kept for key, kept in self._kept.items() if now - kept[0] < SILENT}
                self._kept[key] = (now, copy.copy(error))
            raise
