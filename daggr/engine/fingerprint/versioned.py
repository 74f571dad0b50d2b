"""Definitions whose user says when they change: `FnNode(version=…)` stands for the code, `depends=[…]` adds to it."""

from __future__ import annotations

import functools
import hashlib
import types
from pathlib import Path
from typing import Any

from daggr.digest import UnencodableError, encode
from daggr.engine.fingerprint.leaves import LeafMap
from daggr.engine.fingerprint.look import content_of
from daggr.engine.fingerprint.reading import read_python
from daggr.store.artifacts import identify

_NOTHING = object()


def add_version(leaves: LeafMap, name: str, value: Any, version: str | int) -> None:
    """Add a version in place of the code of a function. The values that it was made with still count."""
    made = _made_with(value)
    leaves.add(f"{name} version", encode([_qualified(value), version]))
    for part, content in made.items():
        try:
            leaves.add(f"{name} {part}", identify(content))
        except UnencodableError:  # code, or something without identity: the version stands for it
            continue


def add_depends(leaves: LeafMap, depends: tuple[Any, ...]) -> None:
    """Add what a function depends on in ways that cannot be seen. A path of a file stands for what is in the file."""
    for index, value in enumerate(depends):
        name = f"depends[{index}]"
        if isinstance(value, Path) and value.is_file():
            with value.open("rb") as file:
                leaves.add(name, b"file", hashlib.sha256(file.read()).digest())
        else:
            read_python(leaves, name, value)


def _made_with(value: Any) -> dict[str, Any]:
    match value:
        case functools.partial():
            inner = {f"of {part}": content for part, content in _made_with(value.func).items()}
            return inner | {"args": value.args, "keywords": value.keywords}
        case types.MethodType():
            return {"self": value.__self__}
        case types.FunctionType():
            cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
            held = {f"closure {name}": content_of(cell, _NOTHING) for name, cell in cells}
            closed = {name: content for name, content in held.items() if content is not _NOTHING}
            return {"defaults": value.__defaults__, "keyword defaults": value.__kwdefaults__} | closed
        case _:
            return {}


def _qualified(value: Any) -> str:
    """What tells functions of one version apart: the name, and the file's, which is the same for a script."""
    inner = value.func if isinstance(value, functools.partial) else getattr(value, "__func__", value)
    code = getattr(inner, "__code__", None)
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return f"{Path(code.co_filename).stem}:{name}" if code is not None else f"{type(inner).__module__}:{name}"
