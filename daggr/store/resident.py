"""How much of a mapped file counts as this process's memory.

LMDB reads through a mapping of its file. Each page that was looked at stays resident, and the system maps its
neighbours with it: a scan of a store of a gigabyte is resident with a gigabyte. So long scans give the pages back now
and then. They stay in the page cache, and come again when somebody looks.

Linux only; elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

MOST = 128 << 20
"""Bytes of files that may be resident before they are given back."""

_MADV_DONTNEED = 4


class MappedFile:
    """A file that this process has mapped shared and writes to in no other way than by system calls."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def spare(self, most: int = MOST) -> None:
        """Give pages back if there are many. Whoever looks at them meanwhile, in any thread, gets them again."""
        if sys.platform == "linux" and resident_of_files() > most:
            for start, length in _mappings(os.path.realpath(self._path)):
                _madvise(start, length, _MADV_DONTNEED)


def resident_of_files() -> int:
    """Bytes of files that are resident in this process, as proc(5) says of `statm`; 0 where nobody says so."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm", "rb", buffering=0) as file:
        return int(file.read(256).split()[2]) * _PAGE


def _mappings(path: str) -> list[tuple[int, int]]:
    """Where a file is mapped: addresses and lengths."""
    found = []
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if line.rstrip("\n").endswith(f" {path}"):
                start, end = (int(part, 16) for part in line.split(" ", 1)[0].split("-"))
                found.append((start, end - start))
    return found


if sys.platform == "linux":
    _PAGE = os.sysconf("SC_PAGE_SIZE")
    _madvise = ctypes.CDLL(None).madvise
    _madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
