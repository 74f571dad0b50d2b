"""Files as functions and people see them: copies of blobs under their own names. Never the blob itself.

Private copies lie in a run's own folder and may be written to. Shared ones, under `files/`, are read-only and stay.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daggr.store.blobs import Blobs, has_size
from daggr.store.codecs.fileref import FilePath
from daggr.store.durable import disk_error
from daggr.store.staging import hash_file

__all__ = ["FilePath", "Files", "StoredFile"]

LINK_LIMIT = 64 << 20
"""Files above this many bytes are not copied for each run where they cannot be cloned, but linked to a shared copy."""


@dataclass(frozen=True)
class StoredFile:
    """Where a file artifact's bytes are. The path is the store's own: never hand it to a function."""

    path: Path
    name: str
    size: int
    sha256: bytes


class Files:
    """The `files/` folder of a store, and copies elsewhere."""

    def __init__(self, root: Path, blobs: Blobs) -> None:
        self.folder = root / "files"
        self._blobs = blobs
        self._seen: dict[bytes, tuple[int, int, int]] = {}
        """What the shared copies looked like when their bytes were right."""
        self._can_clone = _clone is not None

    def private(self, identity: bytes, file: StoredFile, folder: Path) -> Path:
        """A copy under a folder of the caller's own; cloned if the file system can, a link if it is very large.

        Raises:
            ArtifactMissingError, ArtifactCorruptError: the blob is gone or damaged.
        """
        target = folder / identity.hex()[:16] / file.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not self._cloned(file, target) and not self._linked(identity, file, target):
                self._copy(file, target)
        return target

    def shared(self, identity: bytes, file: StoredFile) -> Path:
        """The read-only copy under `files/`: always the same path for the same artifact.

        It is looked at each time it is handed out; one that somebody has written to is replaced.

        Raises:
            ArtifactMissingError, ArtifactCorruptError: the blob is gone or damaged.
        """
        target = self.folder / identity.hex()[:16] / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if self._look(target) is None or self._seen.get(identity) != self._look(target):
            if not (has_size(target, file.size) and hash_file(target) == file.sha256):
                self._copy(file, target, mode=0o444)
            if (seen := self._look(target)) is not None:
                self._seen[identity] = seen
        with contextlib.suppress(OSError):  # gc sees that it is in use
            os.utime(target.parent)
        return target

    def _look(self, path: Path) -> tuple[int, int, int] | None:
        try:
            found = os.stat(path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _cloned(self, file: StoredFile, target: Path) -> bool:
        if _clone is None or not self._can_clone or not self._blobs.is_whole(file.sha256, file.size):
            return False
        try:
            with open(file.path, "rb") as source, open(target, "xb") as clone:
                _clone(source.fileno(), clone.fileno())
        except OSError as error:
            self._can_clone = error.errno not in _CANNOT_CLONE
            target.unlink(missing_ok=True)
            return False
        return True

    def _linked(self, identity: bytes, file: StoredFile, target: Path) -> bool:
        if file.size <= LINK_LIMIT:
            return False
        try:
            os.link(self.shared(identity, file), target)
        except OSError:  # another file system, or one without links
            return False
        return True

    def _copy(self, file: StoredFile, target: Path, mode: int = 0o644) -> None:
        """It appears there whole or not at all.

        Raises:
            StoreFullError, StoreError: the disk is full, or fails.
        """
        try:
            self._copy_whole(file, target, mode)
        except OSError as error:
            raise disk_error(error, target.parent) from error

    def _copy_whole(self, file: StoredFile, target: Path, mode: int) -> None:
        partial = target.with_name(f".{secrets.token_hex(8)}")
        try:
            with open(partial, "xb") as copy:
                for chunk in self._blobs.chunks(file.sha256, file.size):
                    copy.write(chunk)
            os.chmod(partial, mode)
            if sys.platform == "win32" and target.exists():  # there a read-only file cannot be replaced
                os.chmod(target, 0o644)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)


_CANNOT_CLONE = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY)
_clone: Callable[[int, int], object] | None = None
if sys.platform == "linux":
    import fcntl

    _FICLONE = 0x40049409

    def _clone(source: int, target: int) -> object:
        return fcntl.ioctl(target, _FICLONE, source)
