"""A reserve: room on the disk that is kept for gc, which must write before it can remove.

meta/reserve   a few MiB of nothing; gone while a full disk is being dealt with
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

SIZE = 4 << 20


def make(root: Path, *, scant: bool = False) -> None:
    """Set room aside if there is none; half of what is left at most, or with `scant` all of it."""
    path = _path(root)
    if path.exists() or not hasattr(os, "posix_fallocate"):
        return
    with contextlib.suppress(OSError):
        size = min(SIZE, shutil.disk_usage(root).free // (1 if scant else 2))
        if size > 0:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.posix_fallocate(file, 0, size)
            finally:
                os.close(file)


def use(root: Path) -> None:
    """Give the room back."""
    with contextlib.suppress(OSError):
        _path(root).unlink(missing_ok=True)


def _path(root: Path) -> Path:
    return root / "meta" / "reserve"
