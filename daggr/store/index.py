"""The index: LMDB tables of checksummed records.

One environment per folder and process. Its write lock is the lock of the store across processes: whoever holds a write
transaction may rename into or out of `blobs/` and `tmp/`, nobody else. All writes go through one thread, which commits
what waits for it together.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import lmdb

from daggr.errors import ConfigError, StoreError
from daggr.store import environment
from daggr.store.environment import Durability, Tables, translated
from daggr.store.resident import MappedFile
from daggr.store.tables import ALL, Txn
from daggr.store.writer import Operation, Writer

log = logging.getLogger("daggr.store")

PATIENCE = 5.0
"""Seconds that reopening waits for readers to end."""

SHORT_PATIENCE = 1.0
"""Seconds that a fork, or the end, waits for them."""

T = TypeVar("T")


class Index:
    """The tables of one store.

    Args:
        folder: Where LMDB keeps its two files.
        durability: `full` waits until the disk has every commit. `relaxed` may lose the last ones when the machine,
            not the process, goes down; the index stays whole.
    """

    def __init__(self, folder: Path, durability: Durability = "full") -> None:
        self.folder = folder
        self.root = folder.parent
        self.durability = durability
        self.spare = MappedFile(folder / "data.mdb").spare
        """Gives memory back when many pages of the index are resident; scans call it now and then."""
        self._lock = threading.RLock()
        self._reading: dict[Reading, int] = {}
        self._broken: set[str] = set()
        self._closed = ""
        self.damaged = 0
        """Damaged records that were met so far."""
        self._open: tuple[lmdb.Environment, Tables] | None = None
        self._environment()
        self._writer = Writer(self._commit)

    # ------------------------------------------------------------ reading

    def read(self) -> Reading:
        """Look at the index as it is now: `with index.read() as txn`."""
        return Reading(self)

    def oldest_read(self) -> int | None:
        """The transaction that the oldest reader of this process looks at."""
        return min(list(self._reading.values()), default=None)

    def last_txn(self) -> int:
        """The number of the last transaction that was committed."""
        with self.read() as txn:
            return txn.id

    def check_readers(self) -> int:
        """Free what readers that were killed hold; how many there were."""
        with self._lock:
            return int(self._environment()[0].reader_check())

    def give_back(self) -> None:
        """Give memory back when many pages of the index are resident."""
        with self.read():
            self.spare()

    def pages(self) -> tuple[int, dict[str, int], dict[str, int]]:
        """The size of a page in bytes, the pages of each table, and the entries of each."""
        with self.read() as txn:
            stats = {table.name.decode(): txn.stat(table) for table in ALL}
        pages = {n: s["branch_pages"] + s["leaf_pages"] + s["overflow_pages"] for n, s in stats.items()}
        entries = {name: stat["entries"] for name, stat in stats.items()}
        return next(iter(stats.values()))["psize"], pages, entries

    # ------------------------------------------------------------ writing

    def submit(self, work: Callable[[Txn], T], after: Callable[[], None] | None = None) -> Future[T]:
        """Change the index: what `work` does is durable when the future is done, or nothing of it is.

        `work` may be called more than once, until it has been in a transaction that was committed; it must do the same
        each time. `after` is called before the future is done, whatever becomes of it.

        Raises (from the future):
            StoreFullError: the index or its disk is full; nothing was changed.
            StoreError: the disk fails.
        """
        return self._writer.submit(Operation(work, after))

    def write(self, work: Callable[[Txn], T], after: Callable[[], None] | None = None) -> T:
        """The same, and wait for it."""
        if self.is_writing():
            raise StoreError("A change of the store cannot wait for another one.", "Do both in one.")
        return self.submit(work, after).result()

    def is_writing(self) -> bool:
        """Whether the caller is a change that is being made: it must not wait for another."""
        return self._writer.is_current()

    def _commit(self, operations: Sequence[Operation[Any]]) -> None:
        """Commit what several operations do in one transaction. One that fails is left out, the others are repeated."""
        with self._lock:
            waiting, reopened = list(operations), False
            while waiting:
                try:
                    self._attempt(waiting)
                except _OperationFailed as failed:
                    waiting.remove(failed.operation)
                    failed.operation.fail(translated(failed.reason, self.folder))
                except lmdb.PanicError as error:  # a page of LMDB's own could not be written: it refuses until reopened
                    if reopened:
                        for operation in waiting:
                            operation.fail(translated(error, self.folder))
                        return
                    reopened = True
                    self._let_go(PATIENCE)
                except _Exchanged:
                    self._let_go(PATIENCE)
                except (lmdb.Error, OSError) as error:
                    self._reopen_if_refused()
                    if len(waiting) > 1:  # there may be room for some
                        for operation in waiting:
                            self._commit([operation])
                    else:
                        waiting[0].fail(translated(error, self.folder))
                    return
                except StoreError as error:  # it cannot be opened
                    for operation in waiting:
                        operation.fail(error)
                    return
                else:
                    return

    def _reopen_if_refused(self) -> None:
        """After a failed write of one of its own pages LMDB refuses reads, too."""
        try:
            self._environment()[0].begin().abort()
        except lmdb.PanicError:
            self._let_go(PATIENCE)

    def _attempt(self, operations: Sequence[Operation[Any]]) -> None:
        env, tables = self._environment()
        results = []
        with env.begin(write=True) as raw:
            if self._which_file() != self._file:
                raise _Exchanged
            txn = Txn(raw, tables, self._report, self.spare, self.root, write=True)
            for operation in operations:
                try:
                    results.append(operation.work(txn))
                except lmdb.PanicError:
                    raise
                except BaseException as error:
                    raise _OperationFailed(operation, error) from error
            txn.sync_folders()
        for operation, result in zip(operations, results, strict=True):
            operation.succeed(result)

    # ------------------------------------------------------------ damage

    def _report(self, table: str, key: bytes, data: bytes | None) -> None:
        """A record that is not what was written: said, moved aside, and a miss from now on."""
        self.damaged += 1
        if data is None:
            if table not in self._broken:
                self._broken.add(table)
                log.error("The index's table %r cannot be read as a whole. Run `daggr fsck --repair`.", table)
            return
        log.warning(
            "A record of the table %r is damaged (key %s). It counts as not there; `daggr fsck` looks for more.",
            table, key.hex(),
        )  # fmt: skip

        def move_aside(txn: Txn) -> None:
            if txn.raw(table, key) == data:
                quarantine(self.folder.parent, f"{table}-{key.hex()[:80]}", data)
                txn.remove(table, key)

        self.submit(move_aside)

    def problems(self, copy: Path) -> list[str]:
        """What is wrong with LMDB's own structure, found in a copy that is made at a path and removed again."""
        with self.read():
            return environment.problems(self._environment()[0], copy)

    def rebuild(self, permit: Callable[[Txn], None] = lambda txn: None) -> None:
        """Write the index anew from what can be read of it. The old one is kept in quarantine.

        Nobody else writes meanwhile. Who waited to enter sees that the file is another one, and opens it.

        Args:
            permit: Raises if another process has the store open.
        """
        with self._lock:
            env, _ = self._environment()
            with env.begin(write=True):
                with self.read() as txn:
                    permit(txn)
                    environment.write_anew(txn, self._fresh)
                if sys.platform != "win32":  # there an open file cannot be replaced
                    environment.exchange(self.folder, self._fresh)
            self._let_go(PATIENCE)
            if sys.platform == "win32":
                environment.exchange(self.folder, self._fresh)
            self._environment()

    # ------------------------------------------------------------ opening and closing

    @property
    def _fresh(self) -> Path:
        return self.folder.with_name("meta.new")

    def _environment(self) -> tuple[lmdb.Environment, Tables]:
        if (opened := self._open) is not None:
            return opened
        with self._lock:
            if self._closed:
                raise StoreError(self._closed)
            if self._open is None:
                env = environment.open_environment(self.folder, self.durability)
                self._file = self._which_file()
                env.reader_check()
                self._open = env, environment.open_tables(env, self.folder)
            return self._open

    def _which_file(self) -> int:
        return os.stat(self.folder / "data.mdb").st_ino

    def _let_go(self, patience: float, *, anyway: bool = True) -> None:
        """Close the environment when nobody reads any more, or `anyway` when patience ends; the next use opens it."""
        opened, self._open = self._open, None
        end = time.monotonic() + patience
        while self._reading and time.monotonic() < end:
            time.sleep(0.001)
        if self._reading and not anyway:
            self._open = opened
        elif opened is not None:
            opened[0].close()

    def before_fork(self) -> None:
        """Let no write begin, and close the environment: LMDB must not be used across a fork."""
        self._lock.acquire()
        self._let_go(SHORT_PATIENCE, anyway=False)

    def after_fork_in_parent(self) -> None:
        """Go on. The next use opens the environment."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin anew. If somebody was reading in the moment of the fork, the child cannot use the store."""
        if self._open is not None:
            # closing it, now or at the end of the process, would take the parent's places in the table of readers
            for inherited in (self._open[0], *(reading.raw_transaction for reading in self._reading)):
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
            self._open = None
            self._closed = "This process was forked while its parent looked into the store, so it cannot use it."
        self._lock = threading.RLock()
        self._reading = {}
        self._writer = Writer(self._commit)

    def close(self) -> None:
        """Commit what waits and close the environment. Nothing may use it afterwards."""
        self._writer.close()
        with self._lock:
            self._closed = self._closed or "The store is closed."
            self._let_go(SHORT_PATIENCE)


class Reading(Txn):
    """A look at the index: a view that begins and ends with its block."""

    __slots__ = ("_index", "_left")

    def __init__(self, index: Index) -> None:
        self._index = index

    def __enter__(self) -> Txn:
        index = self._index
        reading = index._reading
        try:
            reading[self] = 0  # before it begins: gc, and who closes the environment, must see it
            while (opened := index._open) is None:
                del reading[self]
                index._environment()
                reading[self] = 0
            try:
                raw = opened[0].begin()
            except lmdb.PanicError:  # the writer is about to open it anew
                opened = self._wait_for_another(opened)
                raw = opened[0].begin()
        except BaseException as error:
            reading.pop(self, None)
            raise translated(error, index.folder) from error
        reading[self] = raw.id()
        self._left: list[Any] | None = None
        super().__init__(raw, opened[1], index._report, index.spare, index.root)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for raw in (self._raw, *(self._left or ())):
                raw.abort()
        finally:
            self._index._reading.pop(self, None)
        if error is not None and isinstance(error, lmdb.Error):
            raise translated(error, self._index.folder) from error

    def _wait_for_another(self, refusing: tuple[lmdb.Environment, Tables]) -> tuple[lmdb.Environment, Tables]:
        index = self._index
        end = time.monotonic() + PATIENCE
        while index._open is refusing and time.monotonic() < end:
            del index._reading[self]  # whoever opens it anew waits for readers
            time.sleep(0.001)
            index._reading[self] = 0
        return index._environment()

    def go_on(self) -> None:
        """LMDB gives up a transaction that met damage: go on with a new one."""
        self._left = [*(self._left or ()), self._raw]  # cursors may still be in it
        self._raw = self._index._environment()[0].begin()

    @property
    def raw_transaction(self) -> Any:
        """LMDB's own."""
        return getattr(self, "_raw", None)


class _Exchanged(Exception):
    """Another process has written the index anew."""


class _OperationFailed(Exception):
    def __init__(self, operation: Operation[Any], reason: BaseException) -> None:
        self.operation = operation
        self.reason = reason


def quarantine(root: Path, name: str, data: bytes) -> None:
    """Keep damaged bytes for whoever wants to know what happened."""
    folder = root / "quarantine"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)


# ---------------------------------------------------------------- one for each folder and process


class _Shared:
    def __init__(self, index: Index) -> None:
        self.index = index
        self.users = 0


_open: dict[str, _Shared] = {}
_open_lock = threading.RLock()


def open_index(folder: Path, durability: Durability = "full") -> Index:
    """The index of a folder: one for all who open it in this process, since LMDB forbids a second.

    Raises:
        ConfigError: it is open with another durability.
    """
    with _open_lock:
        place = os.path.realpath(folder)
        if place not in _open:
            _open[place] = _Shared(Index(folder, durability))
        shared = _open[place]
        if shared.index.durability != durability:
            raise ConfigError(
                f"The store at {folder.parent} is open in this process with durability "
                f"{shared.index.durability!r}; given: {durability!r}."
            )
        shared.users += 1
        return shared.index


def close_index(folder: Path) -> None:
    """Give back what `open_index` gave; the last one closes it."""
    with _open_lock:
        place = os.path.realpath(folder)
        shared = _open[place]
        shared.users -= 1
        if not shared.users:
            del _open[place]
            shared.index.close()


# ---------------------------------------------------------------- forks


def _before_fork() -> None:
    _open_lock.acquire()
    for shared in _open.values():
        shared.index.before_fork()


def _after_fork_in_parent() -> None:
    for shared in _open.values():
        shared.index.after_fork_in_parent()
    _open_lock.release()


def _after_fork_in_child() -> None:
    global _open_lock
    _open_lock = threading.RLock()
    for shared in _open.values():
        shared.index.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
