"""A backend in this process's memory: for tests, and as the shortest example of the contract."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from daggr.store.backends.base import Caps, Item, Stat, checked_key, checked_prefix, checked_range
from daggr.store.backends.landing import landing
from daggr.store.backends.trouble import sync_error

_CAPS = Caps(create_exclusive=True, commit_atomic=True)


class MemoryBackend:
    """Keeps values in a dictionary. They are gone with the object; `close` keeps them."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @property
    def caps(self) -> Caps:
        """All of them."""
        return _CAPS

    def get(self, key: str, start: int | None = None, end: int | None = None) -> bytes | None:
        """See `Backend.get`."""
        first, stop = checked_range(start, end)
        value = self._values.get(checked_key(key))
        return None if value is None else value[first:stop]

    def fetch(self, key: str, path: Path) -> bool:
        """See `Backend.fetch`."""
        value = self.get(key)
        if value is None:
            return False
        try:
            with landing(path) as partial:
                partial.write_bytes(value)
        except OSError as error:
            raise sync_error(error, f"fetch {key!r} to {path}") from error
        return True

    def stat(self, key: str) -> Stat | None:
        """See `Backend.stat`."""
        value = self._values.get(checked_key(key))
        return None if value is None else Stat(key, len(value))

    def put_many(self, items: Iterable[Item], *, message: str = "", last: Iterable[Item] = ()) -> None:
        """See `Backend.put_many`. All becomes visible at once."""
        values = {checked_key(item.key): _value(item) for many in (items, last) for item in many}
        with self._lock:
            self._values.update(values)

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """See `Backend.list`."""
        checked_prefix(prefix)
        with self._lock:
            found = [Stat(key, len(value)) for key, value in self._values.items() if key.startswith(prefix)]
        return iter(sorted(found, key=lambda stat: stat.key))

    def delete_many(self, keys: Iterable[str]) -> None:
        """See `Backend.delete_many`."""
        gone = [checked_key(key) for key in keys]
        with self._lock:
            for key in gone:
                self._values.pop(key, None)

    def close(self) -> None:
        """See `Backend.close`."""


def _value(item: Item) -> bytes:
    if isinstance(item.data, bytes):
        return item.data
    try:
        return item.data.read_bytes()
    except OSError as error:
        raise sync_error(error, f"read {item.data}, the value of {item.key!r}") from error
