"""Files that two runs wrote at the same time: neither knows which bytes are its own, so neither is cached.

Each run has a folder of its own. This is about functions that write to a path they chose, such as `out.png`. Runs of
other processes are not seen.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Clash:
    """A path that another run gave, too, and the runs that are recorded already."""

    path: str
    recorded: list[bytes] = field(default_factory=list)


class Overlaps:
    """The runs that are on their way, and the paths that runs gave since the oldest of them began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ticks = itertools.count()
        self._active: dict[bytes, int] = {}
        self._given: dict[str, list[tuple[bytes, int]]] = {}
        self._clashes: dict[bytes, Clash] = {}

    def begin(self, run: bytes) -> None:
        """A run begins."""
        with self._lock:
            self._active[run] = next(self._ticks)

    def give(self, run: bytes, paths: Iterable[str]) -> None:
        """A run gave files that lie outside of its folder."""
        with self._lock:
            now = next(self._ticks)
            for path in dict.fromkeys(paths):
                given = self._given.setdefault(path, [])
                for other, at in given:
                    if at > self._active[run]:
                        self._clash(run, other, path)
                given.append((run, now))

    def end(self, run: bytes) -> Clash | None:
        """A run has ended, and is recorded next. Says what came between."""
        with self._lock:
            self._active.pop(run, None)
            oldest = min(self._active.values(), default=None)
            for path, given in list(self._given.items()):
                given[:] = [(other, at) for other, at in given if oldest is not None and at > oldest]
                if not given:
                    del self._given[path]
            return self._clashes.pop(run, None)

    def _clash(self, run: bytes, other: bytes, path: str) -> None:
        mine = self._clashes.setdefault(run, Clash(path))
        if other in self._active:
            self._clashes.setdefault(other, Clash(path))
        else:
            mine.recorded.append(other)
