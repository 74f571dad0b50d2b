"""Plain Python: the work itself, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable

import loops
from turns import serve


def plain(function: Callable[..., int]) -> Callable[..., int]:
    return function


if __name__ == "__main__":
    serve(
        {
            "chain": lambda size, folder: loops.chain(size, plain),
            "diamond": lambda size, folder: loops.diamond(size, folder, plain),
            "scatter": lambda size, folder: loops.scatter(size, plain),
        }
    )
