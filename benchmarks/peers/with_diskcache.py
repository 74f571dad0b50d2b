"""diskcache: rows of SQLite. A key holds a function's name and arguments, not its code; nothing waits for the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import diskcache
import loops
from turns import Figures, serve


def cached(cache: diskcache.Cache) -> Callable[[Callable[..., int]], Callable[..., int]]:
    return lambda function: cache.memoize()(function)


def chain(size: int, folder: Path) -> Figures:
    with diskcache.Cache(str(folder / "cache")) as cache:
        return loops.chain(size, cached(cache))


def diamond(size: int, folder: Path) -> Figures:
    with diskcache.Cache(str(folder / "cache")) as cache:
        return loops.diamond(size, folder, cached(cache))


def scatter(size: int, folder: Path) -> Figures:
    with diskcache.Cache(str(folder / "cache")) as cache:
        return loops.scatter(size, cached(cache))


if __name__ == "__main__":
    serve({"chain": chain, "diamond": diamond, "scatter": scatter})
