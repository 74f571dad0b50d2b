"""The index: LMDB tables of checksummed records. The only file that knows LMDB.

One environment per folder and process. Its write lock is the lock of the store across processes: whoever holds a write
transaction may rename into or out of `blobs/` and `tmp/`, nobody else. All writes go through one thread, which commits
what waits for it together.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import shutil
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

import lmdb
from lmdb.verify import VerifyError, verify

from daggr.errors import ConfigError, StoreAccessError, StoreError, StoreFullError
from daggr.store.resident import MappedFile
from daggr.store.tables import ALL, Txn
from daggr.store.writer import Operation, Writer

log = logging.getLogger("daggr.store")

MAP_SIZE = 64 * 2**30
"""Far more than is ever used, since a map must not grow while others look at it. It takes address space only."""

LEAST_MAP_SIZE = 2**30
PATIENCE = 5.0
"""Seconds that reopening waits for readers to end."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if hasattr(errno, "EDQUOT") else (errno.ENOSPC, errno.EFBIG)

Durability = Literal["full", "relaxed"]
T = TypeVar("T")
Tables = Mapping[bytes, Any]


class Index:
    """The tables of one store.

    Args:
        folder: Where LMDB keeps its two files.
        durability: `full` waits until the disk has every commit. `relaxed` may lose the last ones when the machine,
            not the process, goes down; the index stays whole.
    """

    def __init__(self, folder: Path, durability: Durability = "full") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.durability = durability
        self.spare = MappedFile(folder / "data.mdb").spare
        """Gives memory back when many pages of the index are resident; scans call it now and then."""
        self._lock = threading.RLock()
        self._reading: dict[Reading, int] = {}
        self._broken: set[str] = set()
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
        return int(self._environment()[0].info()["last_txnid"])

    def check_readers(self) -> int:
        """Free what readers that were killed hold; how many there were."""
        return int(self._environment()[0].reader_check())

    def pages(self) -> tuple[int, dict[str, int], dict[str, int]]:
        """The size of a page in bytes, the pages of each table, and the entries of each."""
        env, tables = self._environment()
        with env.begin() as txn:
            stats = {name.decode(): txn.stat(db) for name, db in tables.items()}
        pages = {n: s["branch_pages"] + s["leaf_pages"] + s["overflow_pages"] for n, s in stats.items()}
        return int(env.stat()["psize"]), pages, {name: stat["entries"] for name, stat in stats.items()}

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
                    failed.operation.fail(_translated(failed.reason, self.folder))
                except lmdb.PanicError as error:  # a page of LMDB's own could not be written: it refuses until reopened
                    if reopened:
                        for operation in waiting:
                            operation.fail(_translated(error, self.folder))
                        return
                    reopened = True
                    self._reopen()
                except (lmdb.Error, OSError) as error:
                    if len(waiting) > 1:  # there may be room for some
                        for operation in waiting:
                            self._commit([operation])
                    else:
                        waiting[0].fail(_translated(error, self.folder))
                    return
                else:
                    return

    def _attempt(self, operations: Sequence[Operation[Any]]) -> None:
        env, tables = self._environment()
        results = []
        with env.begin(write=True) as raw:
            txn = Txn(raw, tables, self._report, self.spare, write=True)
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
        copy.mkdir()
        try:
            self._environment()[0].copy(str(copy))
            return [str(problem) for problem in verify(str(copy))]  # type: ignore[no-untyped-call]
        except (VerifyError, lmdb.Error, struct.error, IndexError, ValueError) as error:
            return [f"it cannot be walked through: {error}"]
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    def rebuild(self) -> None:
        """Write the index anew from what can be read of it. The old one is kept in quarantine.

        To be called when no other process has the store open.
        """
        fresh = self.folder.with_name("meta.new")
        shutil.rmtree(fresh, ignore_errors=True)
        with self._lock:
            with self.read() as txn:
                _copy(txn, fresh)
            opened, self._open = self._open, None
            if opened is not None:
                opened[0].close()
            aside = self.folder.parent / "quarantine" / f"meta-{time.time_ns()}"
            aside.parent.mkdir(exist_ok=True)
            os.replace(self.folder, aside)
            os.replace(fresh, self.folder)
            self._environment()

    # ------------------------------------------------------------ opening and closing

    def _environment(self) -> tuple[lmdb.Environment, Tables]:
        if (opened := self._open) is not None:
            return opened
        with self._lock:
            if self._open is None:
                env = _open_environment(self.folder, self.durability)
                env.reader_check()
                self._open = env, _open_tables(env, self.folder)
            return self._open

    def _reopen(self) -> None:
        """Open the environment anew, when nobody reads any more."""
        opened, self._open = self._open, None
        end = time.monotonic() + PATIENCE
        while self._reading and time.monotonic() < end:
            time.sleep(0.001)
        if opened is not None:
            opened[0].close()
        self._environment()

    def forked(self) -> None:
        """In a forked child: forget what is the parent's. The next use opens the environment anew."""
        if self._open is not None:
            self._open[0].close()  # no write was under way (see `_before_fork`), so this touches nothing shared
            self._open = None
        self._lock = threading.RLock()
        self._reading = {}
        self._writer = Writer(self._commit)

    def hold_still(self) -> None:
        """Let no write begin until `go_on`."""
        self._lock.acquire()

    def go_on(self) -> None:
        """The end of `hold_still`."""
        self._lock.release()

    def close(self) -> None:
        """Commit what waits and close the environment. Nothing may use it afterwards."""
        self._writer.close()
        with self._lock:
            if self._open is not None:
                self._open[0].close()
                self._open = None


class Reading(Txn):
    """A look at the index: a view that begins and ends with its block."""

    __slots__ = ("_index",)

    def __init__(self, index: Index) -> None:
        self._index = index

    def __enter__(self) -> Txn:
        index = self._index
        try:
            env, tables = index._open or index._environment()
            index._reading[self] = 0  # before it begins: gc must not see a moment without it
            raw = env.begin()
        except lmdb.Error as error:
            index._reading.pop(self, None)
            raise _translated(error, index.folder) from error
        index._reading[self] = raw.id()
        super().__init__(raw, tables, index._report, index.spare)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._raw.abort()
        finally:
            self._index._reading.pop(self, None)
        if error is not None and isinstance(error, lmdb.Error):
            raise _translated(error, self._index.folder) from error


class _OperationFailed(Exception):
    def __init__(self, operation: Operation[Any], reason: BaseException) -> None:
        self.operation = operation
        self.reason = reason


def quarantine(root: Path, name: str, data: bytes) -> None:
    """Keep damaged bytes for whoever wants to know what happened."""
    folder = root / "quarantine"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)


def _translated(error: BaseException, folder: Path) -> BaseException:
    if isinstance(error, (lmdb.MapFullError, lmdb.DiskError)) or getattr(error, "errno", None) in _NO_ROOM:
        return StoreFullError(
            f"The store at {folder.parent} has no room: {error}.", "Make room on its disk, or run `daggr gc`."
        )
    if isinstance(error, (lmdb.Error, OSError)):
        return StoreError(
            f"The store at {folder.parent} cannot be read or written: {error}.",
            "Is its disk failing? `daggr fsck` looks for damage.",
        )
    return error


def _open_environment(folder: Path, durability: Durability) -> lmdb.Environment:
    """The environment of a folder; with a smaller map where the address space is limited (`ulimit -v`).

    Raises:
        StoreAccessError: missing rights, or a read-only folder.
        StoreError: it cannot be opened.
    """
    size = MAP_SIZE
    while True:
        try:
            return lmdb.open(
                str(folder),
                map_size=size,
                max_dbs=32,
                max_readers=1024,
                max_spare_txns=8,
                metasync=durability == "full",
                sync=True,
                writemap=False,
                readahead=False,
                lib_version=0,  # the stable engine, and one format for all files
            )
        except lmdb.MemoryError as error:
            if size <= LEAST_MAP_SIZE:
                raise StoreError(
                    f"There is no room in this process's address space to map the store's index at {folder}.",
                    "Raise the limit (`ulimit -v`).",
                ) from error
            size //= 2
        except (lmdb.ReadonlyError, lmdb.LockError) as error:
            raise _no_access(folder, error) from error
        except lmdb.Error as error:
            if any(word in str(error) for word in ("ermission denied", "ead-only file system")):
                raise _no_access(folder, error) from error
            raise StoreError(
                f"The store's index at {folder} cannot be opened: {error}.",
                "Another program's files? Move the store away, or set DAGGR_STORE to another folder.",
            ) from error


def _open_tables(env: lmdb.Environment, folder: Path) -> Tables:
    try:
        return {table.name: env.open_db(table.name) for table in ALL}
    except lmdb.Error as error:
        env.close()
        raise _translated(error, folder) from error


def _no_access(folder: Path, error: Exception) -> StoreAccessError:
    return StoreAccessError(
        f"The store's index at {folder} cannot be opened for writing: {error}.",
        "Give yourself the right to write there, or set DAGGR_STORE to a folder of your own.",
    )


def _copy(old: Txn, folder: Path) -> None:
    """Write all that can be read into a new environment."""
    folder.mkdir(parents=True)
    env = _open_environment(folder, "full")
    try:
        new = _open_tables(env, folder)
        for table in ALL:
            waiting = old.scan_safely(table)
            while some := list(itertools.islice(waiting, 10_000)):
                with env.begin(write=True) as raw:
                    for key, data in some:
                        raw.put(key, data, db=new[table.name])
    finally:
        env.close()


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

# LMDB must not be used across a fork. No write is under way when a process forks, and the child opens its own.


def _before_fork() -> None:
    _open_lock.acquire()
    for shared in _open.values():
        shared.index.hold_still()


def _after_fork_in_parent() -> None:
    for shared in _open.values():
        shared.index.go_on()
    _open_lock.release()


def _after_fork_in_child() -> None:
    global _open_lock
    _open_lock = threading.RLock()
    for shared in _open.values():
        shared.index.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
