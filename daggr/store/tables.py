"""The tables of the index, and what a transaction does with them. With `environment.py` and `index.py` this knows LMDB.

Each record carries a checksum over its key and its bytes, since LMDB has none. A damaged record is as if it were not
there, and is reported.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import lmdb
import msgspec
import xxhash

from daggr.store.durable import sync_folder
from daggr.store.records import (
    Artifact,
    Blob,
    Definition,
    FileStat,
    HistoryEntry,
    ItemRuns,
    Lease,
    Note,
    Pin,
    Record,
    Run,
    Sheet,
    Snapshot,
)

R = TypeVar("R", bound=Record)
Report = Callable[[str, bytes, bytes | None], None]
"""Told of damage: a table's name, a key, and the bytes under it if they could be read."""

DAMAGE = (
    lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError, lmdb.CursorFullError, lmdb.PageFullError,
    lmdb.IncompatibleError, lmdb.ProblemError,
)  # fmt: skip
"""What LMDB raises when its pages are not what it wrote."""


class Table(Generic[R]):
    """A name and the type of its records."""

    def __init__(self, name: str, kind: type[R]) -> None:
        self.name = name.encode()
        self.decode = msgspec.msgpack.Decoder(kind).decode


class Marks:
    """A table of keys, with a few bytes each at most."""

    def __init__(self, name: str) -> None:
        self.name = name.encode()


META = Table("meta", Note)
ARTIFACTS = Table("artifact", Artifact)
BLOBS = Table("blob", Blob)
RUNS = Table("run", Run)
DEFINITIONS = Table("definition", Definition)
SHEETS = Table("sheet", Sheet)
SNAPSHOTS = Table("snapshot", Snapshot)
HISTORY = Table("history", HistoryEntry)
PINS = Table("pin", Pin)
ITEMS = Table("items", ItemRuns)
FILE_STATS = Table("filestat", FileStat)
LEASES = Table("lease", Lease)
BY_KEY = Marks("by_key")
BY_LOOKUP = Marks("by_lookup")
BY_NODE = Marks("by_node")
BY_OWNER = Marks("by_owner")
USE = Marks("use")
"""Run id → the hour of its last use."""
CONDEMNED = Marks("condemned")
"""Transaction ‖ digest or sha256: what gc gave up and has not removed yet."""
RELAXED = b"relaxed"
"""In `meta`: from which transaction on blobs were written without waiting for the disk, and in which boot."""

BARRIER = Marks("barrier")
"""Run ids and digests that were referred to since a collection began."""

RECORDS: tuple[Table[Any], ...] = (
    META, ARTIFACTS, BLOBS, RUNS, DEFINITIONS, SHEETS, SNAPSHOTS, HISTORY, PINS, FILE_STATS, LEASES,
    ITEMS,
)  # fmt: skip
ALL: tuple[Table[Any] | Marks, ...] = (
    *RECORDS, BY_KEY, BY_LOOKUP, BY_NODE, BY_OWNER, USE, CONDEMNED, BARRIER,
)  # fmt: skip
CHECK = 8
"""Bytes of the checksum that each record begins with."""

_encode = msgspec.msgpack.Encoder().encode
_checksum = xxhash.xxh3_64_digest
OFTEN = 512
"""Steps of a scan after which it is seen to that not too much of the index is resident."""

_length = [n.to_bytes(4, "big") for n in range(512)]


class Txn:
    """A view of the index at one moment; with `write`, the changes that will all be made or none."""

    __slots__ = ("_folders", "_last", "_raw", "_report", "_spare", "_tables", "noted", "root", "write")

    def __init__(
        self,
        raw: Any,
        tables: Mapping[bytes, Any],
        report: Report,
        spare: Callable[[], None],
        root: Path,
        write: bool = False,
    ) -> None:
        self._raw = raw
        self._tables = tables
        self._report = report
        self._spare = spare
        self._folders: set[Path] = set()
        self.noted = False
        """Whether what waited to be written along has been written."""
        self._last: tuple[object, bytes, bytes, Any] | None = None
        self.root = root
        """The folder of the store."""
        self.write = write

    @property
    def id(self) -> int:
        """The number of the transaction; grows with every write."""
        return int(self._raw.id())

    # ------------------------------------------------------------ records

    def get(self, table: Table[R], key: bytes) -> R | None:
        """The record under a key; None if there is none or it is damaged."""
        try:
            data = self._raw.get(key, None, self._tables[table.name])
        except DAMAGE:
            self._broken_off(table, key)
            return None
        if data is None:
            return None
        if (last := self._last) is not None and last[0] is table and last[1] == key and last[2] == data:
            return last[3]  # type: ignore[no-any-return]
        record = read(table, key, data)
        if record is None:
            self._report(table.name.decode(), key, data)
        else:
            self._last = table, key, data, record
        return record

    def put(self, table: Table[R], key: bytes, record: R) -> None:
        """Write a record."""
        data = _encode(record)
        self._raw.put(key, _checksum(_length[len(key)] + key + data) + data, db=self._tables[table.name])

    def scan(self, table: Table[R], prefix: bytes = b"") -> Iterator[tuple[bytes, R]]:
        """The keys that begin with a prefix, in order, and their records; damaged ones are left out."""
        for key, data in self.scan_raw(table, prefix):
            if (record := read(table, key, data)) is not None:
                yield key, record
            else:
                self._report(table.name.decode(), key, data)

    # ------------------------------------------------------------ marks

    def mark(self, table: Marks, key: bytes, value: bytes = b"") -> None:
        """Write a key, with a few bytes if need be."""
        self._raw.put(key, value, db=self._tables[table.name])

    def marked(self, table: Marks, key: bytes) -> bytes | None:
        """The bytes of a key, or None."""
        try:
            value: bytes | None = self._raw.get(key, None, self._tables[table.name])
        except DAMAGE:
            self._broken_off(table, key)
            return None
        return value

    def keys(self, table: Table[R] | Marks, prefix: bytes = b"") -> Iterator[bytes]:
        """The keys that begin with a prefix, in order. The first is sought at once: who looks one up wants no more."""
        try:
            cursor = self._raw.cursor(self._tables[table.name])
            if not cursor.set_range(prefix) or not (key := cursor.key()).startswith(prefix):
                return iter(())
        except DAMAGE:
            self._broken_off(table)
            return iter(())
        return itertools.chain((key,), self._more_keys(table, cursor, prefix))

    def keys_after(self, table: Table[R] | Marks, key: bytes) -> Iterator[bytes]:
        """The keys after one, in order; from the first for an empty one."""
        try:
            with self._raw.cursor(db=self._tables[table.name]) as cursor:
                if cursor.set_range(key + b"\0" if key else b""):
                    yield from cursor.iternext(values=False)
        except DAMAGE:
            self._broken_off(table)

    def _more_keys(self, table: Table[R] | Marks, cursor: Any, prefix: bytes) -> Iterator[bytes]:
        try:
            if cursor.next():
                for number, key in enumerate(cursor.iternext(values=False), 1):
                    if not key.startswith(prefix):
                        return
                    yield key
                    if not number % OFTEN:
                        self._spare()
        except DAMAGE:
            self._broken_off(table)

    def scan_raw(self, table: Table[R] | Marks, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The keys that begin with a prefix, in order, and the bytes under them as they are."""
        try:
            with self._raw.cursor(db=self._tables[table.name]) as cursor:
                if cursor.set_range(prefix):
                    for number, (key, data) in enumerate(cursor.iternext(), 1):
                        if not key.startswith(prefix):
                            return
                        yield key, data
                        if not number % OFTEN:
                            self._spare()
        except DAMAGE:
            self._broken_off(table)

    def _broken_off(self, table: Table[R] | Marks, key: bytes = b"") -> None:
        """LMDB cannot read on: to a reader that is the end, or a miss; a writer must not go on."""
        if self.write:
            raise
        self._report(table.name.decode(), key, None)
        self.go_on()

    def go_on(self) -> None:
        """After damage, which ends a transaction, go on with a new one. A writer cannot."""

    # ------------------------------------------------------------ for checks

    def scan_safely(self, table: Table[R] | Marks) -> Iterator[tuple[bytes, bytes]]:
        """What can be reached of a table that may be damaged: from its beginning, and then from its end."""
        seen = b""
        for key, data in self._resumed(table, backwards=False):
            seen = key
            yield key, data
        for key, data in self._resumed(table, backwards=True):
            if key <= seen:
                return
            yield key, data

    def _resumed(self, table: Table[R] | Marks, *, backwards: bool) -> Iterator[tuple[bytes, bytes]]:
        """Step through a table; from the same place on if another look-up has ended the transaction meanwhile."""
        at = b""
        while True:
            try:
                with self._raw.cursor(db=self._tables[table.name]) as cursor:
                    if _before(cursor, at) if backwards else cursor.set_range(at + b"\0" if at else b""):
                        for key, data in cursor.iterprev() if backwards else cursor.iternext():
                            at = key
                            yield key, data
                return
            except lmdb.BadTxnError:
                self.go_on()
            except DAMAGE:
                self.go_on()
                return

    def get_quietly(self, table: Table[R], key: bytes) -> R | None:
        """The same as `get`, without a report of damage."""
        try:
            data = self._raw.get(key, db=self._tables[table.name])
        except DAMAGE:
            self.go_on()
            return None
        return None if data is None else read(table, key, data)

    # ------------------------------------------------------------ both

    def delete(self, table: Table[R] | Marks, key: bytes) -> bool:
        """Remove a key; whether it was there."""
        return bool(self._raw.delete(key, db=self._tables[table.name]))

    def clear(self, table: Marks) -> None:
        """Remove all keys of a table."""
        self._raw.drop(self._tables[table.name], delete=False)

    def count(self, table: Table[R] | Marks) -> int:
        """How many keys a table has."""
        return self.stat(table)["entries"]

    def stat(self, table: Table[R] | Marks) -> dict[str, int]:
        """LMDB's numbers of a table: pages and their size, entries."""
        return dict(self._raw.stat(self._tables[table.name]))

    def raw(self, table: str, key: bytes) -> bytes | None:
        """The bytes under a key as they are."""
        value: bytes | None = self._raw.get(key, db=self._tables[table.encode()])
        return value

    def remove(self, table: str, key: bytes) -> None:
        """Remove a key of a table by the table's name."""
        self._raw.delete(key, db=self._tables[table.encode()])

    def sync(self, folder: Path) -> None:
        """See to it that what was renamed into a folder is durable before this transaction is."""
        self._folders.add(folder)

    def sync_folders(self) -> None:
        """Do so now."""
        for folder in self._folders:
            sync_folder(folder)


def _before(cursor: Any, key: bytes) -> bool:
    """Go to the last key before another, or to the last of all."""
    return bool((cursor.set_range(key) and cursor.prev()) if key else cursor.last())


def read(table: Table[R], key: bytes, data: bytes) -> R | None:
    """The record that some bytes are; None if they are not what was written under this key."""
    body = data[CHECK:]
    if len(key) >= len(_length) or data[:CHECK] != _checksum(_length[len(key)] + key + body):
        return None
    try:
        return table.decode(body)
    except msgspec.DecodeError:
        return None


def table_of(name: str) -> Table[Any]:
    """The table of records that has a name."""
    return next(table for table in RECORDS if table.name == name.encode())
