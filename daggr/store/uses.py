"""When runs were used last, to the hour: what gc evicts first is what nobody asked for in a long time."""

from __future__ import annotations

import time
from collections.abc import Callable

from daggr.store.tables import USE, Txn

HOUR = 3600
REMEMBERED = 100_000


class Uses:
    """Collects uses in memory; they are written along with something else, each at most once an hour.

    Several threads may be at it: a use that gets lost between two of them does no harm.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}
        self._new: dict[bytes, int] = {}

    @property
    def waiting(self) -> bool:
        """Whether there is something to write."""
        return bool(self._new)

    def note(self, run: bytes) -> None:
        """A run's result was used."""
        hour = int(time.time()) // HOUR
        if self._known.get(run) == hour:
            return
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[run] = self._new[run] = hour

    def write(self, txn: Txn) -> Callable[[], None] | None:
        """Put what is new; what the caller must do when that is durable."""
        new = dict(self._new)
        for run, hour in new.items():
            txn.mark(USE, run, hour.to_bytes(4, "big"))

        def written() -> None:
            for run, hour in new.items():
                if self._new.get(run) == hour:
                    self._new.pop(run, None)

        return written if new else None


def last_use(txn: Txn, run: bytes) -> float:
    """When a run was used last, in seconds since the epoch, to the hour; 0 if it never was since it was made."""
    value = txn.marked(USE, run)
    return int.from_bytes(value, "big") * HOUR if value else 0.0
