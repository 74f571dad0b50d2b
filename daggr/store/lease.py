"""Attendance: an open store is present (a lock says so) and has a lease (a record says how far back it may look).

gc removes in two steps. What it gives up is a miss at once, but stays until every store that is open has said that it
looks at nothing from before. So whoever began something may end it, however long it takes, without a clock.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

from daggr.errors import StoreError
from daggr.store.index import Index
from daggr.store.presence import Presence, is_present, sweep
from daggr.store.records import Lease
from daggr.store.tables import CONDEMNED, LEASES, Txn

log = logging.getLogger("daggr.store")

BEAT = 30.0
"""Seconds between two looks at whether somebody waits for this lease."""


class Attendance:
    """The presence and the lease of one open store. `tidy` is called now and then, to remove for good what may go."""

    def __init__(self, tmp: Path, index: Index, tidy: Callable[[], object] = lambda: None) -> None:
        self.tmp = tmp
        self.is_away = False
        """Whether this is a forked child, which has no presence of its own yet."""
        self._index = index
        self._tidy = tidy
        self._presence: Presence | None = None
        self._holds: dict[object, int] = {}
        self._seen = 0
        self._stop = threading.Event()
        self._arriving = threading.RLock()
        self.arrive()
        _attending.add(self)

    @property
    def token(self) -> str:
        """The name of this lease."""
        return self._here().token

    def path(self) -> Path:
        """A new path in this store's own room under `tmp/`."""
        return self._here().path()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """The artifacts that are there now are not removed while the block lasts."""
        self._here()
        mark = object()
        self._holds[mark] = self._index.last_txn()
        try:
            yield
        finally:
            del self._holds[mark]

    def floor(self) -> int:
        """The transaction before which this process looks at nothing any more."""
        last = self._index.last_txn()  # before the readers are looked at: one may be beginning
        oldest = self._index.oldest_read()
        return min([last, *list(self._holds.values()), *([] if oldest is None else [oldest])])

    def settled_floor(self) -> int:
        """The same as of the last beat, for those who are about to look at what they have found."""
        return min(self.floor(), self._seen)

    def beat(self) -> None:
        """If gc waits for this lease, say how far it may go."""
        floor = self.settled_floor()
        self._seen = self._index.last_txn()
        self._index.check_readers()
        token = self.token
        with self._index.read() as txn:
            given_up = next(txn.keys(CONDEMNED), None)
            lease = txn.get(LEASES, token.encode())
        if lease is None or (given_up is not None and lease.floor < floor):
            self._index.write(lambda txn: _put(txn, token, floor))
        self._tidy()

    def arrive(self) -> None:
        """Be present, with a lease; in a forked child anew.

        Raises:
            StoreFullError, StoreError: that cannot be written.
        """
        made: list[Presence] = []

        def enter(txn: Txn) -> Presence:
            sweep(self.tmp)
            for key in [key for key in txn.keys(LEASES) if not is_present(self.tmp, key.decode())]:
                txn.delete(LEASES, key)
            if not made:
                made.append(Presence(self.tmp))
            _put(txn, made[0].token, txn.id)
            return made[0]

        try:
            self._presence = self._index.write(enter)
        except BaseException:
            for presence in made:
                presence.leave()
            raise
        self.is_away = False
        self._thread = threading.Thread(target=self._beat_on, name="daggr-lease", daemon=True)
        self._thread.start()

    def leave(self) -> None:
        """Give up the lease and the room."""
        self._stop.set()
        presence, self._presence = self._presence, None
        if presence is not None and not self.is_away:
            self._index.write(lambda txn: txn.delete(LEASES, presence.token.encode()), after=presence.leave)
            if threading.current_thread() is not self._thread:
                self._thread.join(1.0)

    def forked(self) -> None:
        """In a forked child: the presence is the parent's."""
        self.is_away = self._presence is not None
        self._holds = {}
        self._stop = threading.Event()
        self._arriving = threading.RLock()

    def come_back(self) -> None:
        """In a forked child: arrive, once."""
        with self._arriving:
            if self.is_away:
                self.arrive()

    def _here(self) -> Presence:
        if self.is_away:
            self.come_back()
        if self._presence is None:
            raise StoreError("The store is closed.")
        return self._presence

    def _beat_on(self) -> None:
        stop = self._stop
        while not stop.wait(BEAT):
            try:
                self.beat()
            except Exception:  # such as a full or failing disk; gc waits a little longer
                log.warning("the lease of a store could not be renewed", exc_info=True)


_attending: WeakSet[Attendance] = WeakSet()


def _after_fork() -> None:
    for attendance in list(_attending):
        attendance.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _put(txn: Txn, token: str, floor: int) -> None:
    txn.put(LEASES, token.encode(), Lease(os.getpid(), platform.node(), time.time(), floor))


def others(txn: Txn, tmp: Path, own: str) -> list[tuple[str, Lease]]:
    """The leases of the other stores that are open now."""
    found = [(key.decode(), lease) for key, lease in txn.scan(LEASES)]
    return [(token, lease) for token, lease in found if token != own and is_present(tmp, token)]
