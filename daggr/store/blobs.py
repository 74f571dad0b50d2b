"""Blobs: files named by the sha256 of their bytes.

New bytes are staged under `tmp/` first, where nobody sees them. They move into `blobs/` inside a write transaction of
the index, so that a row and its file come and go together.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import xxhash

from daggr.errors import ArtifactCorruptError, ArtifactMissingError, StoreFullError
from daggr.store.index import BLOBS, Txn
from daggr.store.records import Blob

CHUNK = 1 << 20
_STALE = 24 * 3600


@dataclass(frozen=True)
class StagedBlob:
    """Bytes on disk, safe but not yet part of the store."""

    path: Path
    sha256: bytes
    xxh3: bytes
    size: int


class BlobWriter:
    """Writes bytes to a file under `tmp/` and hashes them on the way. Leaving the block without `finish` drops it.

    Raises:
        StoreFullError: from any of its methods, when the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sha256, self._xxh3 = hashlib.sha256(), xxhash.xxh3_64()
        self._finished = False
        self.size = 0
        try:
            self._file = open(path, "xb")  # noqa: SIM115  (closed at the end of the block)
        except OSError as error:
            raise _full(path, error) from error

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self._sha256.update(chunk)
        self._xxh3.update(chunk)
        self.size += len(chunk)
        try:
            self._file.write(chunk)
        except OSError as error:
            raise _full(self._path, error) from error

    def finish(self) -> StagedBlob:
        """Make what was written durable."""
        try:
            self._file.flush()
            _sync(self._file.fileno())
        except OSError as error:
            raise _full(self._path, error) from error
        self._finished = True
        return StagedBlob(self._path, self._sha256.digest(), self._xxh3.digest(), self.size)

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if not self._finished:
            self._path.unlink(missing_ok=True)


class Blobs:
    """The `blobs/` and `tmp/` folders of a store."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._tmp = root / "tmp"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._tmp.mkdir(parents=True, exist_ok=True)
        self._vouched: set[bytes] = set()
        """Blobs whose bytes this process has seen to be right."""
        self._sweep_tmp()

    def path(self, sha256: bytes) -> Path:
        """Where the blob is, if it is there."""
        name = sha256.hex()
        return self._blobs / name[:2] / name

    def tmp_path(self) -> Path:
        """A new path under `tmp/`, whose name says which process it belongs to."""
        return self._tmp / f"{os.getpid()}-{secrets.token_hex(8)}"

    # ------------------------------------------------------------ staging

    def writer(self) -> BlobWriter:
        """A writer of new bytes."""
        return BlobWriter(self.tmp_path())

    def stage(self, chunks: Iterable[bytes]) -> StagedBlob:
        """Stage chunks of bytes.

        Raises:
            StoreFullError: the disk is full; nothing is left behind.
        """
        with self.writer() as writer:
            for chunk in chunks:
                writer.write(chunk)
            return writer.finish()

    def stage_file(self, source: Path) -> StagedBlob:
        """Stage a copy of a file."""
        with open(source, "rb") as file:
            return self.stage(iter(lambda: file.read(CHUNK), b""))

    # ------------------------------------------------------------ in a write transaction

    def place(self, txn: Txn, staged: StagedBlob) -> Path | None:
        """Make staged bytes a blob, within a write transaction. Returns the folder that changed, to be synced.

        A blob that is already there is kept if its bytes are right; a file without a row is replaced.
        """
        target = self.path(staged.sha256)
        changed = None
        if txn.get(BLOBS, staged.sha256) is None or not self._is_whole(staged.sha256, staged.size):
            target.parent.mkdir(exist_ok=True)
            os.chmod(staged.path, 0o444)
            if sys.platform == "win32" and target.exists():  # there a read-only file cannot be replaced
                os.chmod(target, 0o644)
            os.replace(staged.path, target)
            changed = target.parent
        self._vouched.add(staged.sha256)
        txn.put(BLOBS, staged.sha256, Blob(staged.size, staged.xxh3, condemned=False, ref_txn=txn.id))
        return changed

    def discard(self, staged: StagedBlob) -> None:
        """Forget staged bytes that are not needed."""
        staged.path.unlink(missing_ok=True)

    # ------------------------------------------------------------ reading

    def read(self, sha256: bytes, size: int) -> bytes:
        """The bytes of a blob, checked.

        Raises:
            ArtifactMissingError: the file is gone.
            ArtifactCorruptError: the bytes are not those that were written.
        """
        try:
            data = self.path(sha256).read_bytes()
        except FileNotFoundError:
            raise ArtifactMissingError(f"The blob {sha256.hex()} is gone from {self._blobs}.") from None
        if len(data) != size or hashlib.sha256(data).digest() != sha256:
            raise ArtifactCorruptError(f"The blob {sha256.hex()} is damaged.", "The store's disk may be failing.")
        return data

    def copy(self, sha256: bytes, size: int, target: Path) -> None:
        """Copy a blob to a path, checked like `read`; it appears there whole or not at all."""
        hasher, seen = hashlib.sha256(), 0
        partial = target.with_name(f".{os.getpid()}-{secrets.token_hex(8)}")
        try:
            with open(self.path(sha256), "rb") as source, open(partial, "xb") as file:
                while chunk := source.read(CHUNK):
                    hasher.update(chunk)
                    seen += len(chunk)
                    file.write(chunk)
            if seen != size or hasher.digest() != sha256:
                raise ArtifactCorruptError(f"The blob {sha256.hex()} is damaged.", "The store's disk may be failing.")
            os.replace(partial, target)
        except FileNotFoundError:
            raise ArtifactMissingError(f"The blob {sha256.hex()} is gone from {self._blobs}.") from None
        finally:
            partial.unlink(missing_ok=True)

    def has(self, sha256: bytes, size: int) -> bool:
        """Whether the file is there, whole as far as its size tells."""
        return _has_size(self.path(sha256), size)

    def is_copy(self, path: Path, sha256: bytes, size: int) -> bool:
        """Whether a file holds the bytes of a blob. It is read: others may have written to it."""
        return _has_size(path, size) and _hash_file(path) == sha256

    def _is_whole(self, sha256: bytes, size: int) -> bool:
        """Whether the blob's file holds the bytes it is named after; read once in a process."""
        path = self.path(sha256)
        if not _has_size(path, size) or (sha256 not in self._vouched and _hash_file(path) != sha256):
            return False
        self._vouched.add(sha256)
        return True

    def _sweep_tmp(self) -> None:
        """Remove what processes that are no more have left. Other processes may sweep, or come and go, meanwhile."""
        for entry in list(os.scandir(self._tmp)):  # read to its end, so that it is closed
            owner = entry.name.partition("-")[0]
            with contextlib.suppress(FileNotFoundError):
                if owner.isdecimal() and not _alive(int(owner), entry.stat(follow_symlinks=False).st_mtime):
                    _remove(Path(entry.path))


def sync_folder(path: Path) -> None:
    """Make renames into a folder durable, where the system knows such a thing."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_sync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


def _hash_file(path: Path) -> bytes:
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    return hasher.digest()


def _full(path: Path, error: OSError) -> StoreFullError:
    return StoreFullError(f"Could not write to the store at {path.parent}: {error}.", "Make room on its disk.")


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def _alive(pid: int, modified: float) -> bool:
    if sys.platform == "win32":  # no harmless way to ask: what is a day old is nobody's
        return time.time() - modified < _STALE
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
