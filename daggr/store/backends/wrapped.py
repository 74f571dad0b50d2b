"""A backend around another: the base of those that add one behaviour to all verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from daggr.store.backends.base import Backend, Caps, Item, Stat

T = TypeVar("T")


class Wrapped:
    """Does all through another backend. Override `_around`, and the verbs for which it is not enough."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def _around(self, doing: str, call: Callable[[], T]) -> T:
        """Do one operation; `doing` names the verb and the key, for messages.

        Who calls `call` more than once overrides `put_many` too, since its items may come from a generator.
        """
        return call()

    @property
    def caps(self) -> Caps:
        """Those of the backend inside."""
        return self._backend.caps

    def get(self, key: str, start: int | None = None, end: int | None = None) -> bytes | None:
        """See `Backend.get`."""
        return self._around(f"get {key!r}", lambda: self._backend.get(key, start, end))

    def fetch(self, key: str, path: Path) -> bool:
        """See `Backend.fetch`."""
        return self._around(f"fetch {key!r}", lambda: self._backend.fetch(key, path))

    def stat(self, key: str) -> Stat | None:
        """See `Backend.stat`."""
        return self._around(f"stat {key!r}", lambda: self._backend.stat(key))

    def put_many(self, items: Iterable[Item], *, message: str = "", last: Iterable[Item] = ()) -> None:
        """See `Backend.put_many`."""
        doing, many = named(items)
        self._around(doing, lambda: self._backend.put_many(many, message=message, last=last))

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """See `Backend.list`."""
        return self._around(f"list {prefix!r}", lambda: self._backend.list(prefix))

    def delete_many(self, keys: Iterable[str]) -> None:
        """See `Backend.delete_many`."""
        gone = tuple(keys)
        about = f"{gone[0]!r}{' and others' if len(gone) > 1 else ''}" if gone else "nothing"
        self._around(f"delete {about}", lambda: self._backend.delete_many(gone))

    def close(self) -> None:
        """See `Backend.close`."""
        self._backend.close()


def named(items: Iterable[Item]) -> tuple[str, Iterator[Item]]:
    """What a put is called in messages, by its first key, and the same items."""
    left = iter(items)
    first = list(islice(left, 1))
    return f"put {first[0].key!r} and what follows" if first else "put", chain(first, left)
