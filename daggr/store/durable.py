"""Making bytes survive a power cut, on each system in its own way."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

from daggr.errors import StoreAccessError, StoreError, StoreFullError

NO_ROOM = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
_NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)


def sync_file(descriptor: int) -> None:
    """Wait until the disk has a file's bytes."""
    if sys.platform == "darwin":
        import fcntl

        with contextlib.suppress(OSError):  # shares do not know it
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync alone leaves them in the drive's cache
            return
    getattr(os, "fdatasync", os.fsync)(descriptor)


def sync_folder(path: Path) -> None:
    """Make renames into a folder durable, where the system knows such a thing."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_error(error: BaseException, root: Path, *, full: bool = False) -> StoreError:
    """What an error of the disk is in the words of the store. `full` if it is known to mean that."""
    number = error.errno if isinstance(error, OSError) else None
    if full or number in NO_ROOM:
        return StoreFullError(f"The store at {root} has no room: {error}.", "Make room on its disk, or run `daggr gc`.")
    if number in _NO_RIGHT:
        return StoreAccessError(
            f"The store at {root} cannot be written: {error}.",
            "Give yourself the right to write there, or set DAGGR_STORE to a folder of your own.",
        )
    return StoreError(
        f"The store at {root} cannot be read or written: {error}.",
        "Is its disk failing? `daggr fsck` looks for damage.",
    )


def boot_id() -> str:
    """Names this start of the machine; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
