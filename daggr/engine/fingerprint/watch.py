"""What a definition was read from, to see at a glance that nothing of it changed."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from daggr.digest import UnencodableError
from daggr.engine.fingerprint.look import content_of
from daggr.store.artifacts import identify

_NOTHING = object()


class Watch:
    """Everything that a walk looked at: names and what they led to, functions and their parts, data and its digests."""

    def __init__(self) -> None:
        self._names: list[tuple[Mapping[str, Any], str, Any]] = []
        self._functions: list[tuple[types.FunctionType, tuple[Any, ...]]] = []
        self._classes: list[tuple[type, tuple[Any, ...]]] = []
        self._cells: list[tuple[types.CellType, Any]] = []
        self._sizes: list[tuple[Mapping[str, Any], int]] = []
        self._contents: list[tuple[Any, bytes]] = []
        self._is_opaque = False

    def name(self, names: Mapping[str, Any], name: str) -> None:
        """Watch what a name leads to, or that it leads nowhere."""
        self._names.append((names, name, names.get(name, _NOTHING)))

    def function(self, function: types.FunctionType) -> None:
        """Watch the parts of a function."""
        self._functions.append((function, _parts(function)))
        self.members(vars(function))
        if function.__kwdefaults__:
            self.members(function.__kwdefaults__)
        for cell in function.__closure__ or ():
            self._cells.append((cell, content_of(cell, _NOTHING)))

    def members(self, names: Mapping[str, Any]) -> None:
        """Watch all names that something has."""
        self._sizes.append((names, len(names)))
        for name in names:
            self.name(names, name)

    def kind(self, value: type) -> None:
        """Watch what a class has, its bases and its name."""
        self._classes.append((value, _of_class(value)))
        self.members(vars(value))

    def content(self, value: Any, digest: bytes) -> None:
        """Watch data that can be changed in place."""
        self._contents.append((value, digest))

    def opaque(self) -> None:
        """Something was looked at that only another walk can see a change of."""
        self._is_opaque = True

    def unchanged(self) -> bool:
        """Whether everything is as it was. False may also mean that this cannot be told."""
        if self._is_opaque:
            return False
        for names, name, value in self._names:  # plain loops: this is done for every node of every load
            if names.get(name, _NOTHING) is not value:
                return False
        for names, size in self._sizes:
            if len(names) != size:
                return False
        for function, (code, defaults, keywords, doc, name) in self._functions:
            if function.__code__ is not code or function.__defaults__ is not defaults:
                return False
            if function.__kwdefaults__ is not keywords or function.__doc__ is not doc or function.__name__ is not name:
                return False
        for cell, content in self._cells:
            if content_of(cell, _NOTHING) is not content:
                return False
        return self._is_same_within()

    def _is_same_within(self) -> bool:
        classes = all(_same(_of_class(value), parts) for value, parts in self._classes)
        return classes and all(_still(value, digest) for value, digest in self._contents)


def _parts(function: types.FunctionType) -> tuple[Any, ...]:
    return function.__code__, function.__defaults__, function.__kwdefaults__, function.__doc__, function.__name__


def _of_class(value: type) -> tuple[Any, ...]:
    return type(value), value.__bases__, value.__qualname__


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return all(a is b for a, b in zip(one, other, strict=True))


def _still(value: Any, digest: bytes) -> bool:
    try:
        return identify(value) == digest
    except UnencodableError:
        return False
