"""Presence: who uses a store, told by locks of the operating system, which end with their process.

tmp/<token>.lock   held by one open store as long as it is open
tmp/<token>/       its own room: staged bytes, private folders of runs

Process ids would not do: they come again, above all in containers. A room whose lock nobody holds is removed by whoever
opens the store next.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


_SUFFIX = ".lock"


class Presence:
    """A room under `tmp/`, and the lock that says that its owner lives.

    To be made within a write transaction of the index: until it is locked it looks like a dead one's.
    """

    def __init__(self, tmp: Path) -> None:
        self.token = secrets.token_hex(8)
        self.pid = os.getpid()
        self.room = tmp / self.token
        self._numbers = itertools.count()
        self._path = tmp / f"{self.token}{_SUFFIX}"
        self._file = open(self._path, "xb")  # noqa: SIM115  (held as long as the store is open)
        try:
            _lock(self._file)
            self.room.mkdir()
        except BaseException:
            self._file.close()
            self._path.unlink(missing_ok=True)
            raise

    def path(self) -> Path:
        """A new path in the room."""
        return self.room / f"{next(self._numbers):x}-{os.getpid():x}"

    def leave(self) -> None:
        """Remove the room and let go of the lock."""
        _remove(self.room)
        self._file.close()
        self._path.unlink(missing_ok=True)


def is_present(tmp: Path, token: str) -> bool:
    """Whether the owner of a room lives."""
    try:
        with open(tmp / f"{token}{_SUFFIX}", "rb+") as file:
            _lock(file)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def sweep(tmp: Path) -> None:
    """Remove the rooms of those who are no more. To be called within a write transaction."""
    for token in sorted(set(_tokens(tmp))):
        if not is_present(tmp, token):
            _remove(tmp / token)
            with contextlib.suppress(OSError):
                (tmp / f"{token}{_SUFFIX}").unlink(missing_ok=True)


def _tokens(tmp: Path) -> Iterator[str]:
    with os.scandir(tmp) as entries:
        for entry in entries:
            yield entry.name.removesuffix(_SUFFIX)


def _remove(path: Path) -> None:
    """Remove a file or a folder, whatever became of it meanwhile; links are never followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
