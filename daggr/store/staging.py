"""Staging: bytes on their way into the store, hashed as they are written to a file that nobody else sees."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from queue import SimpleQueue
from typing import IO, TypeAlias

import xxhash

from daggr.store.durable import disk_error, sync_file

CHUNK = 1 << 20
LARGE = 8 * CHUNK
"""Files from this size on are hashed in a second thread, while the first writes."""

STEP = 4 * CHUNK
"""Bytes that the system copies at a time."""

Buffer: TypeAlias = "bytes | bytearray | memoryview"


@dataclass(frozen=True)
class StagedBlob:
    """Bytes on disk, safe but not yet part of the store. Without a path they are part of it already."""

    path: Path | None
    sha256: bytes
    xxh3: bytes
    size: int


class Hashes:
    """The sha256 and xxh3 of a stream."""

    def __init__(self) -> None:
        self._sha256, self._xxh3 = hashlib.sha256(), xxhash.xxh3_64()
        self.size = 0

    def update(self, chunk: Buffer) -> None:
        """Add bytes."""
        self._sha256.update(chunk)
        self._xxh3.update(chunk)
        self.size += chunk.nbytes if isinstance(chunk, memoryview) else len(chunk)

    def staged(self, path: Path) -> StagedBlob:
        """What was hashed, as the bytes of a file."""
        return StagedBlob(path, self._sha256.digest(), self._xxh3.digest(), self.size)


class BlobWriter:
    """Writes bytes to a file under `tmp/` and hashes them on the way. Leaving the block without `finish` drops it.

    Raises:
        StoreFullError: from any of its methods, when the disk is full. StoreError: when it fails.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path = path
        self._durable = durable
        self._hashes = Hashes()
        self._finished = False
        try:
            self._file: IO[bytes] = open(path, "xb")  # noqa: SIM115  (closed at the end of the block)
        except OSError as error:
            raise disk_error(error, path.parents[2]) from error

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._hashes.size

    def write(self, chunk: Buffer) -> None:
        """Append bytes."""
        self._hashes.update(chunk)
        try:
            self._file.write(chunk)
        except OSError as error:
            raise disk_error(error, self._path.parents[2]) from error

    def take(self, source: FileIO) -> None:
        """Append what can be had of a file without reading it here; what is left is for `write`."""

    def finish(self) -> StagedBlob:
        """Make what was written durable."""
        try:
            _finish(self._file, self._durable)
        except OSError as error:
            raise disk_error(error, self._path.parents[2]) from error
        self._finished = True
        return self._hashes.staged(self._path)

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # what could not be written before cannot be now
            self._file.close()
        if not self._finished:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)


def stage_copy(source: Path, target: Path, *, durable: bool = True) -> StagedBlob:
    """Copy a file to a path under `tmp/`, hashing what is written.

    Raises:
        StoreFullError: the disk is full; nothing is left behind.
        OSError: the source cannot be read.
    """
    with open(source, "rb", buffering=0) as file:
        large = os.fstat(file.fileno()).st_size >= LARGE
        with _FollowedWriter(target, durable=durable) if large else BlobWriter(target, durable=durable) as writer:
            writer.take(file)
            while chunk := file.read(CHUNK):
                writer.write(chunk)
            return writer.finish()


class _FollowedWriter(BlobWriter):
    """A writer whose file is hashed by a second thread, from what lies in it.

    So the bytes need not pass through this process on their way, and the hashing goes on while the disk is waited for.
    """

    def __init__(self, path: Path, *, durable: bool) -> None:
        super().__init__(path, durable=durable)
        self._arrived: SimpleQueue[int | None] = SimpleQueue()
        self._written = 0
        self._second = ThreadPoolExecutor(1, "daggr-hash")
        self._hashing = self._second.submit(_hash_growing, path, self._arrived)

    def take(self, source: FileIO) -> None:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # not from this file system, or no room: reading and writing will tell
                while count := os.copy_file_range(source.fileno(), self._file.fileno(), STEP):
                    self._announce(count)

    def write(self, chunk: Buffer) -> None:
        try:
            self._file.write(chunk)
            self._file.flush()
        except OSError as error:
            raise disk_error(error, self._path.parents[2]) from error
        self._announce(len(chunk))

    def finish(self) -> StagedBlob:
        self._arrived.put(None)
        try:
            _finish(self._file, self._durable)
            self._hashes = self._hashing.result()
        except OSError as error:
            raise disk_error(error, self._path.parents[2]) from error
        self._finished = True
        return self._hashes.staged(self._path)

    def __exit__(self, *_: object) -> None:
        self._arrived.put(None)
        self._second.shutdown()
        super().__exit__()

    def _announce(self, count: int) -> None:
        self._written += count
        self._arrived.put(self._written)


def _hash_growing(path: Path, arrived: SimpleQueue[int | None]) -> Hashes:
    """Hash a file while it grows, always up to the size that has arrived; None ends it."""
    hashes, buffer = Hashes(), memoryview(bytearray(CHUNK))
    with open(path, "rb", buffering=0) as file:
        while (size := arrived.get()) is not None:
            while hashes.size < size:
                count = file.readinto(buffer[: size - hashes.size])
                if not count:
                    raise OSError(errno.EIO, "it is shorter than what was written")
                hashes.update(buffer[:count])
    return hashes


def hash_file(path: Path) -> bytes:
    """The sha256 of a file."""
    hasher = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    return hasher.digest()


def _finish(file: IO[bytes], durable: bool) -> None:
    file.flush()
    if durable:
        sync_file(file.fileno())
