"""Making bytes survive a power cut, on each system in its own way."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


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


def boot_id() -> str:
    """Names this start of the machine; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
