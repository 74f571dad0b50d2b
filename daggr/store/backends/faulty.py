"""Faults on purpose, for tests of what stands on a backend."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Literal, TypeVar

from daggr.errors import SyncError
from daggr.store.backends.base import Backend, Item, Stat
from daggr.store.backends.wrapped import Wrapped

T = TypeVar("T")

Fault = Literal["", "before", "middle", "after"]
_KINDS: tuple[Fault, ...] = ("before", "middle", "after")


class Faulty(Wrapped):
    """Lets operations fail with retryable SyncErrors.

    `plan` says for the first operations, in order, what happens: nothing (`""`), a fault `"before"` it, in the
    `"middle"` (of a `put_many` or list; before any other) or `"after"` it: it was done, but the reply got lost. Those
    that follow fail at `rate`, decided by `seed` and the number of the operation alone. Each waits `latency` seconds.

    Attributes:
        operations: How many there were.
        faults: How many failed.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        seed: int = 0,
        rate: float = 0.0,
        plan: Iterable[Fault] = (),
        latency: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(backend)
        self.operations = 0
        self.faults = 0
        self._seed = seed
        self._rate = rate
        self._plan = tuple(plan)
        self._latency = latency
        self._sleep = sleep
        self._lock = threading.Lock()

    def _around(self, doing: str, call: Callable[[], T]) -> T:
        fault, _ = self._next()
        if fault in ("before", "middle"):
            raise _injected(fault, doing)
        result = call()
        if fault:
            raise _injected(fault, doing)
        return result

    def put_many(self, items: Iterable[Item], *, message: str = "", last: Iterable[Item] = ()) -> None:
        """See `Backend.put_many`. In the middle means: some of `items`, or all of them and some of `last`, were put."""
        fault, dice = self._next()
        if fault == "before":
            raise _injected(fault, "put_many")
        if fault == "middle":
            many, final = tuple(items), tuple(last)
            done = dice.randrange(len(many) + len(final)) if many or final else 0
            if done and not self.caps.commit_atomic:
                self._backend.put_many(many[:done], message=message, last=final[: max(0, done - len(many))])
            raise _injected(fault, "put_many")
        self._backend.put_many(items, message=message, last=last)
        if fault:
            raise _injected(fault, "put_many")

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """See `Backend.list`."""
        fault, dice = self._next()
        if fault == "before":
            raise _injected(fault, f"list {prefix!r}")
        found = self._backend.list(prefix)
        yield from islice(found, dice.randrange(4)) if fault == "middle" else found
        if fault:
            raise _injected(fault, f"list {prefix!r}")

    def _next(self) -> tuple[Fault, random.Random]:
        """What happens to the next operation, and dice for its details."""
        with self._lock:
            number = self.operations
            self.operations += 1
            dice = random.Random(f"{self._seed}:{number}")
            fault: Fault = ""
            if number < len(self._plan):
                fault = self._plan[number]
            elif dice.random() < self._rate:
                fault = dice.choice(_KINDS)
            self.faults += bool(fault)
        if self._latency:
            self._sleep(self._latency)
        return fault, dice


def _injected(fault: Fault, doing: str) -> SyncError:
    return SyncError(f"Injected fault: {fault} {doing}.", retryable=True)
