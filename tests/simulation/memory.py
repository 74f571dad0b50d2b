"""A store in memory, in virtual time: the real records and artifacts over tables that are dicts."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar, cast

from daggr.errors import StoreFullError
from daggr.store.artifacts import Artifacts, Staged
from daggr.store.tables import Txn
from daggr.store.uses import Uses

T = TypeVar("T")


class Tables:
    """What a transaction sees and changes (`Txn`). What a change did can be undone."""

    def __init__(self) -> None:
        self.rows: dict[bytes, dict[bytes, Any]] = defaultdict(dict)
        self.order: dict[bytes, list[bytes]] = defaultdict(list)
        self.undo: list[tuple[bytes, bytes, Any]] = []
        self.noted = True
        self.write = True
        self.id = 1

    def get(self, table: Any, key: bytes) -> Any:
        return self.rows[table.name].get(key)

    marked = get

    def put(self, table: Any, key: bytes, value: Any) -> None:
        rows = self.rows[table.name]
        self.undo.append((table.name, key, rows.get(key)))
        self._set(table.name, key, value)

    def mark(self, table: Any, key: bytes, value: bytes = b"") -> None:
        self.put(table, key, value)

    def delete(self, table: Any, key: bytes) -> bool:
        was = self.rows[table.name].get(key)
        self.undo.append((table.name, key, was))
        self._set(table.name, key, None)
        return was is not None

    def count(self, table: Any) -> int:
        return len(self.rows[table.name])

    def keys(self, table: Any, prefix: bytes = b"") -> Iterator[bytes]:
        order = self.order[table.name]
        at = bisect_left(order, prefix)
        while at < len(order) and order[at].startswith(prefix):
            yield order[at]
            at += 1

    def keys_after(self, table: Any, key: bytes) -> Iterator[bytes]:
        order = self.order[table.name]
        yield from order[bisect_left(order, key + b"\0" if key else b"") :]

    def scan(self, table: Any, prefix: bytes = b"") -> Iterator[tuple[bytes, Any]]:
        return ((key, self.rows[table.name][key]) for key in self.keys(table, prefix))

    def take_back(self) -> None:
        """Undo everything since `undo` was emptied."""
        while self.undo:
            name, key, was = self.undo.pop()
            self._set(name, key, was)

    def _set(self, name: bytes, key: bytes, value: Any) -> None:
        rows, order = self.rows[name], self.order[name]
        if value is None:
            if key in rows:
                del rows[key], order[bisect_left(order, key)]
            return
        if key not in rows:
            insort(order, key)
        rows[key] = value


class Claim:
    def __init__(self, held: dict[bytes, Claim], key: bytes) -> None:
        self._held, self._key = held, key

    def release(self) -> None:
        if self._held.get(self._key) is self:
            del self._held[self._key]


class Claims:
    def __init__(self) -> None:
        self.held: dict[bytes, Claim] = {}

    def take(self, key: bytes) -> Claim | None:
        if key in self.held:
            return None
        claim = self.held[key] = Claim(self.held, key)
        return claim


class Nowhere:
    """The folder of an attempt whose values are no files."""

    def exists(self) -> bool:
        return False

    def mkdir(self, **_: object) -> None:
        pass


class MemoryStore:
    """Stands in for `Store`. Changes are decided together, one after the other, after a while.

    Args:
        loop: Its time, and its chance.
        full: How often there is no room for a change.
    """

    def __init__(self, loop: Any, full: float) -> None:
        self.root = Path("/store")
        self.tables = Tables()
        self.artifacts = Artifacts(cast(Any, None), cast(Any, None), cast(Any, None))
        self.claims = Claims()
        self.uses = Uses()
        self.attendance = self
        self.holds = 0
        self._loop = loop
        self._full = full
        self._waiting: deque[tuple[Callable[[Txn], Any], list[Staged], Future[Any]]] = deque()

    def path(self) -> Nowhere:
        return Nowhere()

    def sparing(self) -> Callable[[], None]:
        """Nothing is mapped."""
        return lambda: None

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.holds += 1
        try:
            yield
        finally:
            self.holds -= 1

    def read(self) -> AbstractContextManager[Txn]:
        return nullcontext(cast(Txn, self.tables))

    def submit(self, work: Callable[[Txn], T], staged: Iterable[Staged] = ()) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # as that of the real one, it cannot be called off
        if not self._waiting:
            self._loop.call_later(self._loop.random.choice([0.0, 0.001, 0.01, 0.3]), self._commit)
        self._waiting.append((work, list(staged), future))
        return future

    def _commit(self) -> None:
        together = [self._waiting.popleft() for _ in range(len(self._waiting))]
        for work, staged, future in together:
            if self._loop.random.random() < self._full:
                future.set_exception(StoreFullError("There is no room."))
                continue
            for again in (True, False) if self._loop.random.random() < 0.1 else (False,):  # both are allowed
                self.tables.undo.clear()
                try:
                    for item in staged:
                        self.artifacts.put(cast(Txn, self.tables), item)
                    result = work(cast(Txn, self.tables))
                except BaseException:
                    self.tables.take_back()
                    raise
                if again:
                    self.tables.take_back()
            future.set_result(result)
