"""The index: LMDB tables of checksummed records. The only file that knows LMDB.

One environment per folder and process. Its write lock is the lock of the store across processes: whoever holds a write
transaction may rename into `blobs/`, nobody else.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import lmdb
import msgspec
import xxhash

from daggr.errors import ArtifactCorruptError, StoreError, StoreFullError
from daggr.store.records import Artifact, Blob, Definition, HistoryEntry, Record, Run, Sheet, Snapshot

MAP_SIZE = 64 * 2**30
"""Far more than is ever used, since a map must not grow while others look at it. It takes address space only."""

LEAST_MAP_SIZE = 2**30

R = TypeVar("R", bound=Record)


class Table(Generic[R]):
    """A name and the type of its records."""

    def __init__(self, name: str, kind: type[R]) -> None:
        self.name = name.encode()
        self.decoder = msgspec.msgpack.Decoder(kind)


class Marks:
    """A table of keys without values."""

    def __init__(self, name: str) -> None:
        self.name = name.encode()


ARTIFACTS = Table("artifact", Artifact)
BLOBS = Table("blob", Blob)
RUNS = Table("run", Run)
DEFINITIONS = Table("definition", Definition)
SHEETS = Table("sheet", Sheet)
SNAPSHOTS = Table("snapshot", Snapshot)
HISTORY = Table("history", HistoryEntry)
BY_KEY = Marks("by_key")
BY_LOOKUP = Marks("by_lookup")
BY_NODE = Marks("by_node")
BY_OWNER = Marks("by_owner")
META = Marks("meta")

_ALL: tuple[Table[Any] | Marks, ...] = (
    ARTIFACTS, BLOBS, RUNS, DEFINITIONS, SHEETS, SNAPSHOTS, HISTORY, BY_KEY, BY_LOOKUP, BY_NODE, BY_OWNER, META,
)  # fmt: skip
_encoder = msgspec.msgpack.Encoder()
_CHECK = 8


class Txn:
    """A view of the index at one moment; with `write`, the changes that will all be made or none."""

    def __init__(self, txn: lmdb.Transaction, tables: Mapping[bytes, lmdb._Database], write: bool) -> None:
        self._txn = txn
        self._tables = tables
        self.write = write

    @property
    def id(self) -> int:
        """The number of the transaction; grows with every write."""
        return int(self._txn.id())

    def get(self, table: Table[R], key: bytes) -> R | None:
        """The record under a key, or None.

        Raises:
            ArtifactCorruptError: the stored record is not the one that was written.
        """
        data = self._txn.get(key, db=self._tables[table.name])
        return None if data is None else _read(table, key, data)

    def put(self, table: Table[R], key: bytes, record: R) -> None:
        """Write a record."""
        data = _encoder.encode(record)
        self._txn.put(key, _checksum(key, data) + data, db=self._tables[table.name])

    def mark(self, table: Marks, key: bytes, value: bytes = b"") -> None:
        """Write a key, with a few bytes if need be."""
        self._txn.put(key, value, db=self._tables[table.name])

    def marked(self, table: Marks, key: bytes) -> bytes | None:
        """The bytes of a key, or None."""
        value = self._txn.get(key, db=self._tables[table.name])
        return None if value is None else bytes(value)

    def keys(self, table: Table[R] | Marks, prefix: bytes) -> Iterator[bytes]:
        """The keys that begin with a prefix, in order."""
        with self._txn.cursor(db=self._tables[table.name]) as cursor:
            found = cursor.set_range(prefix)
            while found and (key := bytes(cursor.key())).startswith(prefix):
                yield key
                found = cursor.next()

    def scan(self, table: Table[R], prefix: bytes) -> Iterator[tuple[bytes, R]]:
        """The keys that begin with a prefix, in order, and their records."""
        with self._txn.cursor(db=self._tables[table.name]) as cursor:
            found = cursor.set_range(prefix)
            while found and (key := bytes(cursor.key())).startswith(prefix):
                yield key, _read(table, key, cursor.value())
                found = cursor.next()


def _checksum(key: bytes, data: bytes) -> bytes:
    return xxhash.xxh3_64_digest(struct.pack(">I", len(key)) + key + data)


def _read(table: Table[R], key: bytes, data: bytes | memoryview) -> R:
    body = bytes(data[_CHECK:])
    if bytes(data[:_CHECK]) != _checksum(key, body):
        raise ArtifactCorruptError(
            f"A record of the table {table.name.decode()!r} is damaged (key {key.hex()}).",
            "The store's disk may be failing.",
        )
    return table.decoder.decode(body)


class Index:
    """The tables of one store."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._env = _open_environment(folder)
        self._env.reader_check()
        self._tables = {table.name: self._env.open_db(table.name) for table in _ALL}

    @contextmanager
    def read(self) -> Iterator[Txn]:
        """Look at the index as it is now."""
        with self._env.begin(write=False) as txn:
            yield Txn(txn, self._tables, write=False)

    @contextmanager
    def write(self) -> Iterator[Txn]:
        """Change the index: everything in the block is durable when it ends, or nothing is.

        Raises:
            StoreFullError: the index or its disk is full; nothing was changed.
        """
        try:
            with self._env.begin(write=True) as txn:
                yield Txn(txn, self._tables, write=True)
        except (lmdb.MapFullError, lmdb.DiskError) as error:
            raise StoreFullError(f"The store's index cannot grow: {error}.", "Make room on its disk.") from error
        except lmdb.Error as error:
            raise StoreError(
                f"The store's index cannot be written: {error}.", "Is its disk full or failing?"
            ) from error

    def close(self) -> None:
        """Close the environment. Nothing may use it afterwards."""
        self._env.close()


def _open_environment(folder: Path) -> lmdb.Environment:
    """The environment of a folder; with a smaller map where the address space is limited (`ulimit -v`).

    Raises:
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
                max_spare_txns=0,
                metasync=True,
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
        except lmdb.Error as error:
            raise StoreError(
                f"The store's index at {folder} cannot be opened: {error}.", "Move the store away, or set DAGGR_STORE."
            ) from error


class _Shared:
    def __init__(self, index: Index) -> None:
        self.index = index
        self.users = 0


_open: dict[str, _Shared] = {}
_open_lock = threading.Lock()


def open_index(folder: Path) -> Index:
    """The index of a folder: one for all who open it in this process, since LMDB forbids a second."""
    with _open_lock:
        place = os.path.realpath(folder)
        if place not in _open:
            _open[place] = _Shared(Index(folder))
        _open[place].users += 1
        return _open[place].index


def close_index(folder: Path) -> None:
    """Give back what `open_index` gave; the last one closes it."""
    with _open_lock:
        place = os.path.realpath(folder)
        shared = _open[place]
        shared.users -= 1
        if not shared.users:
            del _open[place]
            shared.index.close()
