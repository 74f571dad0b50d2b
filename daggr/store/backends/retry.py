"""Trying again."""

from __future__ import annotations

import random as chance
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from daggr.errors import ConfigError, SyncError
from daggr.store.backends.base import Backend, Item, Stat
from daggr.store.backends.wrapped import Wrapped, named

T = TypeVar("T")

MOST_SECONDS = 30.0


class Retrying(Wrapped):
    """Does each operation up to `attempts` times, as long as its trouble is retryable.

    The n-th pause is `first_delay` · 2ⁿ seconds (at most `MOST_SECONDS`), cut by chance to between half and all of it,
    so that many clients do not come back at once. `random` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        backend: Backend,
        attempts: int = 5,
        first_delay: float = 0.5,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = chance.random,
    ) -> None:
        super().__init__(backend)
        if attempts < 1:
            raise ConfigError(f"Something is tried at least once; given: attempts={attempts}.")
        self._attempts = attempts
        self._first_delay = first_delay
        self._sleep = sleep
        self._random = random

    def _around(self, doing: str, call: Callable[[], T]) -> T:
        for failed in range(self._attempts):
            try:
                return call()
            except SyncError as error:
                self._pause(failed, error)
        raise AssertionError("unreachable: the last failure is raised")

    def put_many(self, items: Iterable[Item], *, message: str = "", last: Iterable[Item] = ()) -> None:
        """See `Backend.put_many`. Goes in portions of `Caps.max_batch`, so that little is repeated, unless that breaks
        `Caps.commit_atomic`.
        """
        if self.caps.commit_atomic:
            self._put(tuple(items), tuple(last), message)
            return
        left = iter(items)
        while portion := tuple(islice(left, self.caps.max_batch)):
            self._put(portion, (), message)
        if final := tuple(last):
            self._put((), final, message)

    def _put(self, items: tuple[Item, ...], last: tuple[Item, ...], message: str) -> None:
        self._around(named((*items, *last))[0], lambda: self._backend.put_many(items, message=message, last=last))

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """See `Backend.list`. A list that breaks off goes on after the last key that came; that is why it is sorted."""
        failed, seen = 0, ""
        while True:
            try:
                for stat in self._backend.list(prefix):
                    if stat.key > seen:
                        yield stat
                        seen = stat.key
                return
            except SyncError as error:
                self._pause(failed, error)
                failed += 1

    def _pause(self, failed: int, error: SyncError) -> None:
        """Wait before the next attempt.

        Raises:
            SyncError: there is none.
        """
        if not error.retryable:
            raise error
        if failed + 1 >= self._attempts:
            text = f"{error.message} (tried {self._attempts} times)"
            raise SyncError(text, error.hint, error.where, retryable=True) from error
        self._sleep(min(MOST_SECONDS, self._first_delay * 2**failed) * (0.5 + self._random() / 2))
