"""The tree drawn in the docstring of errors.py is the tree of its classes."""

from __future__ import annotations

import inspect
import re

from daggr import errors

LINE = re.compile(r"^(?P<indent> *)(?P<name>[A-Z]\w*Error)(?: \(also (?P<also>[\w, ]+)\))?$")

Branch = tuple[str, str, tuple[str, ...]]
"""An error's name, its parent in the tree, and the builtins it is besides."""


def drawn() -> list[Branch]:
    """The branches of the docstring, top to bottom."""
    branches: list[Branch] = []
    above: list[tuple[int, str]] = []
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        if match := LINE.match(line):
            indent = len(match["indent"])
            while above and above[-1][0] >= indent:
                above.pop()
            also = tuple(name.strip() for name in (match["also"] or "").split(",") if name.strip())
            branches.append((match["name"], above[-1][1] if above else "", also))
            above.append((indent, match["name"]))
    return branches


def written() -> list[Branch]:
    """The branches of the classes, in the order of the file."""
    branches: list[Branch] = []
    for name, cls in vars(errors).items():
        if not (isinstance(cls, type) and cls.__module__ == errors.__name__ and issubclass(cls, Exception)):
            continue
        ours = [base for base in cls.__bases__ if base.__module__ == errors.__name__]
        assert len(ours) == (cls is not errors.DaggrError), f"{name} has {len(ours)} parents in the tree"
        also = tuple(base.__name__ for base in cls.__bases__ if base not in (*ours, Exception))
        branches.append((name, ours[0].__name__ if ours else "", also))
    return branches


def test_the_drawn_tree_is_the_written_one() -> None:
    assert drawn() == written()
