"""joblib.Memory: each call of a function is a folder. It does not wait for the disk."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import joblib
import loops
from turns import serve

logging.getLogger("joblib").setLevel(logging.ERROR)


def cached(folder: Path) -> Callable[[Callable[..., int]], Callable[..., int]]:
    memory = joblib.Memory(folder / "memory", verbose=0)
    return lambda function: memory.cache(function)


if __name__ == "__main__":
    serve(
        {
            "chain": lambda size, folder: loops.chain(size, cached(folder)),
            "diamond": lambda size, folder: loops.diamond(size, folder, cached(folder)),
            "scatter": lambda size, folder: loops.scatter(size, cached(folder)),
        }
    )
