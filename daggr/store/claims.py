"""Claims: who makes what at this moment, so that no two make the same; told by locks of the operating system.

claims          an empty file; byte n of it is locked by the process that holds the claims of the keys that begin with n

A lock on a byte needs no bytes, so nothing piles up, whatever was claimed, and nothing is left of who was killed.

These are the locks that belong to a process (`fcntl`), as LMDB and SQLite use them, since they end with it. Those of
an open file (`flock`, and `F_OFD_SETLK`, which only Linux has) go to forked children as well: a worker that outlives
its killed parent would keep everybody waiting. Their price: within a process they exclude nobody, so that is done
here; and they end when the process closes the file, so all stores of a folder share one that is open. Whoever
opens and closes `claims` by hand in such a process makes it lose its claims; then something is made twice, no more.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from pathlib import Path

from daggr.errors import StoreError
from daggr.store.durable import disk_error

if sys.platform == "win32":
    import msvcrt

    BITS = 30
    """Offsets have 31 there; keys that share a byte wait for each other, which does no harm."""

    def _lock(descriptor: int, at: int) -> None:
        os.lseek(descriptor, at, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int, at: int) -> None:
        os.lseek(descriptor, at, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    BITS = 62

    def _lock(descriptor: int, at: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)

    def _unlock(descriptor: int, at: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, at)


_TAKEN = (errno.EACCES, errno.EAGAIN)


class Claim:
    """A key that is claimed, until `release` is called or the process ends."""

    def __init__(self, file: _File, at: int) -> None:
        self._file = file
        self._at = at

    def release(self) -> None:
        """Let others have it."""
        self._file.unlock(self._at, self)


class Claims:
    """The claims of one open store. Nothing can be claimed once it is closed; what was claimed stays so."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._file: _File | None = None
        self._closed = False

    def take(self, key: bytes) -> Claim | None:
        """Claim a key (16 bytes, or more); None if somebody has it. Waits for nobody.

        Raises:
            StoreError: the file cannot be made or locked, or the store is closed.
        """
        at = int.from_bytes(key[:8], "big") >> (64 - BITS)
        try:
            return (self._file or self._open()).lock(at)
        except OSError as error:
            raise disk_error(error, self._root) from error

    def close(self) -> None:
        """Give the file back; the last one closes it, which ends all claims."""
        with _opening:
            self._closed = True
            file, self._file = self._file, None
            if file is not None:
                file.users -= 1
                if not file.users:
                    del _open[file.place]
                    file.close()

    def _open(self) -> _File:
        with _opening:
            if self._closed:
                raise StoreError("The store is closed.")
            if self._file is None:
                place = os.path.realpath(self._root / "claims")
                self._file = _open.get(place) or _open.setdefault(place, _File(place))
                self._file.users += 1
            return self._file


# ---------------------------------------------------------------- one for each folder and process


class _File:
    """The open file, and which of its bytes this process has locked."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.users = 0
        self._descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
        self.forked()

    def lock(self, at: int) -> Claim | None:
        with self._lock:
            if at in self._held:
                return None
            try:
                _lock(self._descriptor, at)
            except OSError as error:
                if error.errno in _TAKEN:
                    return None
                raise
            claim = self._held[at] = Claim(self, at)
            return claim

    def unlock(self, at: int, claim: Claim) -> None:
        with self._lock:
            if self._held.get(at) is claim:
                del self._held[at]
                _unlock(self._descriptor, at)

    def close(self) -> None:
        with self._lock:
            self._held.clear()
            os.close(self._descriptor)

    def forked(self) -> None:
        """A child has none of its parent's claims."""
        self._lock = threading.Lock()
        self._held: dict[int, Claim] = {}


_open: dict[str, _File] = {}
_opening = threading.Lock()


def _after_fork() -> None:
    global _opening
    _opening = threading.Lock()
    for file in _open.values():
        file.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
