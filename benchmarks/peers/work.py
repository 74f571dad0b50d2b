"""The work that everybody does: next to nothing, so that only what is around it takes time."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType


def step(x: int) -> int:
    return x + 1


def middle(x: int, k: int) -> int:
    """Each of a fan has a number of its own, or a cache by content would need to run only one."""
    return x + k


def numbers(count: int) -> list[int]:
    return list(range(count))


def total(values: Iterable[int]) -> int:
    return sum(values)


def fan(size: int) -> range:
    """The numbers of the nodes between the source and the sink."""
    return range(size - 2)


def sink_source(names: Iterable[str]) -> str:
    """A function with a parameter for each node that it needs: not everybody takes `**values`."""
    joined = list(names)
    return f"def sink({', '.join(f'{name}: int' for name in joined)}) -> int:\n    return sum(({', '.join(joined)},))\n"


def sink(size: int, folder: Path) -> Callable[..., int]:
    made: Callable[..., int] = module("sink", sink_source(f"m{k}" for k in fan(size)), folder).sink
    return made


def module(name: str, source: str, folder: Path) -> ModuleType:
    """A module with a file, where those who look at the source of functions find it."""
    path = folder / f"{name}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


ANSWERS: dict[str, Callable[[int], int]] = {
    "chain": lambda size: size,
    "diamond": lambda size: sum(1 + k for k in fan(size)),
    "scatter": lambda size: sum(number + 1 for number in range(size)),
}
"""What comes out, by shape and size."""
