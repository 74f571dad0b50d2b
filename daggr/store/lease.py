"""Attendance: an open store is present (a lock says so) and has a lease (a record says how far back it may look).

gc removes in two steps. What it gives up is a miss at once, but stays until every store that is open has said that it
looks at nothing from before. So whoever began something may end it, however long it takes, without a clock.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from daggr.errors import StoreError
from daggr.store.index import Index
from daggr.store.presence import Presence, is_present, sweep
from daggr.store.records import Lease
from daggr.store.tables import CONDEMNED, LEASES, Txn

BEAT = 30.0
"""Seconds between two looks at whether somebody waits for this lease."""


class Attendance:
    """The presence and the lease of one open store. `tidy` is called when there may be something to remove for good."""

    def __init__(self, tmp: Path, index: Index, tidy: Callable[[], object] = lambda: None) -> None:
        self.tmp = tmp
        self._index = index
        self._tidy = tidy
        self._presence: Presence | None = None
        self._holds: dict[object, int] = {}
        self._seen = 0
        self._stop = threading.Event()
        self._here()
        threading.Thread(target=self._beat_on, name="daggr-lease", daemon=True).start()

    def path(self) -> Path:
        """A new path in this store's own room under `tmp/`."""
        return self._here().path()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """What is there now is not removed while the block lasts."""
        mark = object()
        self._holds[mark] = self._index.last_txn()
        try:
            yield
        finally:
            del self._holds[mark]

    def leave(self) -> None:
        """Give up the lease and the room."""
        self._stop.set()
        presence = self._here()
        self._index.write(lambda txn: txn.delete(LEASES, presence.token.encode()), after=presence.leave)

    @property
    def token(self) -> str:
        """The name of this lease."""
        return self._here().token

    def floor(self) -> int:
        """The transaction before which this process looks at nothing any more."""
        oldest = self._index.oldest_read()
        return min([*list(self._holds.values()), self._index.last_txn() if oldest is None else oldest])

    def beat(self) -> None:
        """If gc waits for this lease, say how far it may go."""
        floor = min(self.floor(), self._seen)  # as of the last beat: a reader may be about to begin
        self._seen = self._index.last_txn()
        self._index.check_readers()
        with self._index.read() as txn:
            given_up = next(txn.keys(CONDEMNED), None)
            lease = txn.get(LEASES, self.token.encode())
        if given_up is not None:
            if lease is not None and lease.floor < floor:
                self._index.write(lambda txn: _put(txn, self.token, floor))
            self._tidy()

    def _here(self) -> Presence:
        """The presence of this process; a forked child has one of its own."""
        if self._presence is None or self._presence.pid != os.getpid():
            self._presence = None
            self._holds = {}
            self._index.write(self._arrive)
        if self._presence is None:
            raise StoreError("The store is closed.")
        return self._presence

    def _arrive(self, txn: Txn) -> None:
        for token in sweep(self.tmp):
            txn.delete(LEASES, token.encode())
        if self._presence is None:
            self._presence = Presence(self.tmp)
        _put(txn, self._presence.token, txn.id)

    def _beat_on(self) -> None:
        while not self._stop.wait(BEAT):
            try:
                self.beat()
            except StoreError:  # a full or failing disk; gc waits a little longer
                continue


def _put(txn: Txn, token: str, floor: int) -> None:
    txn.put(LEASES, token.encode(), Lease(os.getpid(), platform.node(), time.time(), floor))


def others(txn: Txn, tmp: Path, own: str) -> list[tuple[str, Lease]]:
    """The leases of the other stores that are open now."""
    found = [(key.decode(), lease) for key, lease in txn.scan(LEASES)]
    return [(token, lease) for token, lease in found if token != own and is_present(tmp, token)]
