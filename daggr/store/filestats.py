"""What files on disk held when they were read last, so that an unchanged one is not read again.

A file is taken for unchanged when device, inode, size and both times are the same. One that was changed in the last two
seconds is always read: within one tick of the clock a second change would not show.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import xxhash

from daggr.store.index import Index
from daggr.store.records import FileStat
from daggr.store.staging import StagedBlob
from daggr.store.tables import BLOBS, FILE_STATS, Txn

SETTLED_NS = 2_000_000_000
_PLACE = struct.Struct(">QQ")


class FileStats:
    """The memo of file hashes. What is new waits here until something is written anyway."""

    def __init__(self, index: Index, has_blob: Callable[[Txn, bytes, int], bool]) -> None:
        self._index = index
        self._has_blob = has_blob
        self._new: dict[bytes, FileStat] = {}

    def find(self, path: Path) -> StagedBlob | None:
        """The blob that a file's bytes are known to be, if the store has it."""
        stat = os.stat(path)
        key = _key(stat)
        with self._index.read() as txn:
            known = self._new.get(key) or txn.get(FILE_STATS, key)
            if known is None or _seen(stat) != (known.size, known.mtime_ns, known.ctime_ns):
                return None
            row = txn.get(BLOBS, known.sha256)
            if row is None or not self._has_blob(txn, known.sha256, known.size):
                return None
        return StagedBlob(None, known.sha256, row.xxh3, known.size)

    @contextmanager
    def watch(self, path: Path) -> Iterator[Callable[[StagedBlob], None]]:
        """While a file is read: what is given to the yielded function is remembered if the file stayed the same."""
        before = os.stat(path)

        def remember(blob: StagedBlob) -> None:
            after = os.stat(path)
            settled = time.time_ns() - max(after.st_mtime_ns, after.st_ctime_ns) > SETTLED_NS
            if settled and _seen(before) == _seen(after) and _key(before) == _key(after):
                self._new[_key(after)] = FileStat(*_seen(after), blob.sha256, blob.xxh3)

        yield remember

    def write(self, txn: Txn) -> Callable[[], None] | None:
        """Put what is new; what the caller must do when that is durable."""
        new = dict(self._new)
        for key, stat in new.items():
            txn.put(FILE_STATS, key, stat)

        def written() -> None:
            for key, stat in new.items():
                if self._new.get(key) is stat:
                    self._new.pop(key, None)

        return written if new else None


def _seen(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _key(stat: os.stat_result) -> bytes:
    return xxhash.xxh3_128_digest(_PLACE.pack(stat.st_dev & (2**64 - 1), stat.st_ino & (2**64 - 1)))
