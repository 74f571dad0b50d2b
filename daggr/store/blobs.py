"""Blobs: files named by the sha256 of their bytes.

New bytes are staged under `tmp/` first, where nobody sees them. They move into `blobs/`, and out of it, only within a
write transaction of the index, so that a row and its file come and go together.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from daggr.errors import ArtifactCorruptError, ArtifactMissingError, StoreError
from daggr.store.durable import disk_error, sync_file
from daggr.store.records import Blob
from daggr.store.staging import CHUNK, BlobWriter, Buffer, StagedBlob, hash_file, stage_copy
from daggr.store.tables import BLOBS, Txn


class Blobs:
    """The `blobs/` folder of a store.

    Args:
        root: The store's folder.
        new_path: Gives a new path under `tmp/`.
        durable: Whether to wait for the disk.
        suspects: The first transaction whose blobs the disk may have lost when the machine went down; None if none.
        once_relaxed: Whether the store was ever written without waiting for the disk.
        report: Called with a blob that was found damaged.
    """

    def __init__(
        self,
        root: Path,
        new_path: Callable[[], Path],
        *,
        durable: bool = True,
        suspects: int | None = None,
        once_relaxed: bool = False,
        report: Callable[[bytes], None] = lambda sha256: None,
    ) -> None:
        self.folder = root / "blobs"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._new_path = new_path
        self._durable = durable
        self._suspects = suspects
        self._once_relaxed = once_relaxed
        self._report = report
        self._moved: set[bytes] = set()
        """Blobs that were moved into place by a transaction that is not decided yet: it may be repeated."""
        self._synced: set[bytes] = set()
        """Blobs of a time when nobody waited for the disk, for which this process has."""
        self._vouched: set[bytes] = set()
        """Blobs whose bytes this process has seen to be right."""

    def path(self, sha256: bytes) -> Path:
        """Where the blob is, if it is there."""
        return blob_path(self.folder, sha256)

    # ------------------------------------------------------------ staging

    def writer(self) -> BlobWriter:
        """A writer of new bytes."""
        return BlobWriter(self._new_path(), durable=self._durable)

    def stage(self, chunks: Iterable[Buffer]) -> StagedBlob:
        """Stage chunks of bytes.

        Raises:
            StoreFullError: the disk is full; nothing is left behind.
        """
        with self.writer() as writer:
            for chunk in chunks:
                writer.write(chunk)
            return self._known(writer.finish())

    def stage_file(self, source: Path) -> StagedBlob:
        """Stage a copy of a file."""
        return self._known(stage_copy(source, self._new_path(), durable=self._durable))

    def _known(self, staged: StagedBlob) -> StagedBlob:
        """Look at a file that may be there already now, since nobody else can write while `place` does."""
        self.is_whole(staged.sha256, staged.size)
        return staged

    # ------------------------------------------------------------ in a write transaction

    def place(self, txn: Txn, staged: StagedBlob) -> None:
        """Make staged bytes a blob. What is there already is kept if its bytes are right, whoever put it there.

        Raises:
            ArtifactMissingError: the bytes were known when they were staged, and are gone since.
        """
        row = txn.get(BLOBS, staged.sha256)
        if not self.is_whole(staged.sha256, staged.size):
            if staged.path is None or not staged.path.exists():
                raise ArtifactMissingError(f"The blob {staged.sha256.hex()} was removed meanwhile.", "Try again.")
            target = self.path(staged.sha256)
            target.parent.mkdir(exist_ok=True)
            os.chmod(staged.path, 0o444)
            if sys.platform == "win32" and target.exists():  # there a read-only file cannot be replaced
                os.chmod(target, 0o644)
            os.replace(staged.path, target)
            self._moved.add(staged.sha256)
        if self._durable and (row is None or row.condemned or staged.sha256 in self._moved):
            txn.sync(self.path(staged.sha256).parent)
            txn.sync(self.folder)  # whoever has made that folder
        elif self._durable and self._once_relaxed and staged.sha256 not in self._synced:
            with open(self.path(staged.sha256), "rb") as file:
                sync_file(file.fileno())
            self._synced.add(staged.sha256)
        self._vouched.add(staged.sha256)
        txn.put(BLOBS, staged.sha256, Blob(staged.size, staged.xxh3, condemned=False, ref_txn=txn.id))

    def remove(self, txn: Txn, sha256: bytes) -> bool:
        """Remove a blob and its row. False if its file cannot be removed now (Windows, while somebody reads it)."""
        path = self.path(sha256)
        try:
            if sys.platform == "win32" and path.exists():
                os.chmod(path, 0o644)
            path.unlink(missing_ok=True)
        except PermissionError:
            return False
        self._vouched.discard(sha256)
        txn.delete(BLOBS, sha256)
        return True

    def set_aside(self, txn: Txn, sha256: bytes, quarantine: Path) -> bool:
        """Move a damaged blob out of the way and remove its row: what it held is a miss. False if it is whole."""
        path = self.path(sha256)
        if _holds(path, sha256):
            return False
        if path.exists():
            quarantine.mkdir(exist_ok=True)
            os.replace(path, quarantine / f"blob-{sha256.hex()}")
        self._vouched.discard(sha256)
        txn.delete(BLOBS, sha256)
        return True

    def discard(self, staged: StagedBlob) -> None:
        """Forget staged bytes that are not needed."""
        self._moved.discard(staged.sha256)
        if staged.path is not None:
            staged.path.unlink(missing_ok=True)

    # ------------------------------------------------------------ reading

    def read(self, sha256: bytes, size: int) -> bytearray:
        """The bytes of a blob, checked; the caller's own.

        Raises:
            ArtifactMissingError: the file is gone.
            ArtifactCorruptError: the bytes are not those that were written.
        """
        data = bytearray(size)
        try:
            with open(self.path(sha256), "rb", buffering=0) as file:
                whole = os.fstat(file.fileno()).st_size == size
                view, seen = memoryview(data), 0
                while whole and seen < size and (count := file.readinto(view[seen:])):
                    seen += count
        except FileNotFoundError:
            raise self._missing(sha256) from None
        except OSError as error:
            raise self._unreadable(sha256, error) from error
        if not whole or seen < size or hashlib.sha256(data).digest() != sha256:
            raise self._damaged(sha256)
        return data

    def chunks(self, sha256: bytes, size: int) -> Iterator[bytes]:
        """The bytes of a blob in parts, checked: the error, if any, comes at their end.

        Raises:
            ArtifactMissingError, ArtifactCorruptError: like `read`.
        """
        hasher, seen = hashlib.sha256(), 0
        try:
            with open(self.path(sha256), "rb") as file:
                while chunk := file.read(CHUNK):
                    hasher.update(chunk)
                    seen += len(chunk)
                    yield chunk
        except FileNotFoundError:
            raise self._missing(sha256) from None
        except OSError as error:
            raise self._unreadable(sha256, error) from error
        if seen != size or hasher.digest() != sha256:
            raise self._damaged(sha256)
        self._vouched.add(sha256)

    def has(self, txn: Txn, sha256: bytes, size: int) -> bool:
        """Whether the blob is there, as far as its row and its size tell."""
        row = txn.get(BLOBS, sha256)
        if row is None or row.condemned or row.size != size:
            return False
        if self._suspects is not None and row.ref_txn >= self._suspects:
            return self.is_whole(sha256, size)
        return has_size(self.path(sha256), size)

    def strangers(self, txn: Txn) -> Iterator[os.DirEntry[str]]:
        """The files in the folder that no row names. Others may come and go meanwhile."""
        with os.scandir(self.folder) as folders:
            for folder in [entry.path for entry in folders if entry.is_dir(follow_symlinks=False)]:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if not _is_name(entry.name) or txn.get_quietly(BLOBS, bytes.fromhex(entry.name)) is None:
                            yield entry

    def is_whole(self, sha256: bytes, size: int) -> bool:
        """Whether the blob's file holds the bytes it is named after; they are read once in a process."""
        path = self.path(sha256)
        if not has_size(path, size):
            return False
        if sha256 not in self._vouched:
            if not _holds(path, sha256):
                return False
            self._vouched.add(sha256)
        return True

    def _unreadable(self, sha256: bytes, error: OSError) -> StoreError:
        """A blob on a bad sector is a damaged one; other troubles pass."""
        return self._damaged(sha256) if error.errno == errno.EIO else disk_error(error, self.folder.parent)

    def _missing(self, sha256: bytes) -> ArtifactMissingError:
        return ArtifactMissingError(f"The blob {sha256.hex()} is gone from {self.folder}.", "Run its node again.")

    def _damaged(self, sha256: bytes) -> ArtifactCorruptError:
        self._vouched.discard(sha256)
        self._report(sha256)
        return ArtifactCorruptError(
            f"The blob {sha256.hex()} is damaged.",
            "It was put aside: run again, and what it held is made anew. `daggr fsck` looks for more damage.",
        )


def blob_path(folder: Path, sha256: bytes) -> Path:
    """Where a blob is below the folder of all blobs, if it is there."""
    name = sha256.hex()
    return folder / name[:2] / name


def _holds(path: Path, sha256: bytes) -> bool:
    """Whether a file can be read and holds these bytes. It may go at any moment: others remove blobs, too."""
    try:
        return hash_file(path) == sha256
    except OSError:
        return False


def _is_name(name: str) -> bool:
    return len(name) == 64 and not set(name) - set("0123456789abcdef")


def has_size(path: Path, size: int) -> bool:
    """Whether there is a file of this size."""
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False
