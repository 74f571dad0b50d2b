"""A deadline of our own.

The timeouts of drivers are for a connection, a read, an attempt; together they can take many times as long.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from daggr.errors import ConfigError, SyncError
from daggr.store.backends.base import Backend, Item, Stat
from daggr.store.backends.outcome import Outcome
from daggr.store.backends.wrapped import Wrapped, named

T = TypeVar("T")

_PORTION = 1000


class Deadline(Wrapped):
    """Gives up on any operation after `seconds`, with a retryable SyncError.

    An operation runs in a thread of its own. One that is given up goes on until its driver notices: a `fetch` may still
    complete its file and a `put_many` its `items`, but not begin with `last`. At most `threads` operations are under
    way, given up or not; more wait for their turn, and the wait counts. For a list, only the time spent inside counts.
    """

    def __init__(self, backend: Backend, seconds: float, threads: int = 32) -> None:
        super().__init__(backend)
        if seconds <= 0 or threads < 1:
            raise ConfigError(f"A deadline is more than 0 seconds; given: seconds={seconds}, threads={threads}.")
        self._seconds = seconds
        self._slots = threading.BoundedSemaphore(threads)

    def _around(self, doing: str, call: Callable[[], T]) -> T:
        return self._within(self._seconds, doing, call)

    def put_many(self, items: Iterable[Item], *, message: str = "", last: Iterable[Item] = ()) -> None:
        """See `Backend.put_many`."""
        doing, many = named(items)
        wanted = threading.Event()
        wanted.set()

        def put() -> None:
            self._backend.put_many(many, message=message, last=_while(wanted, last))

        try:
            self._within(self._seconds, doing, put)
        finally:
            wanted.clear()

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """See `Backend.list`."""
        left, found = self._seconds, self._backend.list(prefix)
        while True:
            start = time.monotonic()
            portion = self._within(left, f"list {prefix!r}", lambda: tuple(islice(found, _PORTION)))
            left -= time.monotonic() - start
            yield from portion
            if len(portion) < _PORTION:
                return

    def _within(self, seconds: float, doing: str, call: Callable[[], T]) -> T:
        end = time.monotonic() + seconds
        if not self._slots.acquire(timeout=max(0.0, seconds)):
            raise self._late(doing, "earlier operations, perhaps hanging, take all threads")
        try:
            outcome = Outcome(f"daggr-{doing}", call, then=self._slots.release)
        except RuntimeError as error:  # the process can have no more threads
            self._slots.release()
            raise SyncError(f"Could not {doing}: {error}.", retryable=True) from error
        if not outcome.wait(max(0.0, end - time.monotonic())):
            raise self._late(doing, "no answer")
        return outcome.result()

    def _late(self, doing: str, why: str) -> SyncError:
        hint = "Check the network and the endpoint, or allow more time."
        return SyncError(f"Gave up: {doing} took more than {self._seconds:g} s ({why}).", hint, retryable=True)


def _while(wanted: threading.Event, last: Iterable[Item]) -> Iterator[Item]:
    """`last`, as long as somebody waits for it."""
    for item in last:
        if not wanted.is_set():
            raise SyncError(f"Nobody waits for {item.key!r} any more.", retryable=True)
        yield item
