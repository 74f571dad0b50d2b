"""Little projects of a user, imported anew from folders of their own, and what their functions are taken for."""

from __future__ import annotations

import asyncio
import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from daggr import FnNode
from daggr.engine.fingerprint.node import Fingerprint, node_fingerprint
from daggr.graph.nodes.base import spec_of
from tests.unit.engine.fingerprint.edits.edit import Project


def write(folder: Path, project: Project) -> Path:
    """Put the files of a project into a folder, byte for byte."""
    for path, text in project.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8", newline="")
    return folder


@contextmanager
def imported(folder: Path, project: Project | None = None) -> Iterator[Any]:
    """The module `app` of a project; all its modules are forgotten afterwards, and hide others only until then."""
    write(folder, project or {})
    own = {path.stem for path in folder.iterdir()}
    hidden = _forget(own)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield importlib.import_module("app")
    finally:
        sys.path.remove(str(folder))
        sys.path_importer_cache.pop(str(folder), None)
        _forget(own)
        sys.modules.update(hidden)


def _forget(own: set[str]) -> dict[str, ModuleType]:
    """Forget modules and packages of these names, whatever has been put in their place; those that were there."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in own}


def print_of_function(function: Any) -> Fingerprint:
    """The fingerprint of a node that calls this function and has nothing else."""
    return node_fingerprint(spec_of(FnNode(function)))


def print_in(folder: Path, project: Project) -> Fingerprint:
    """The fingerprint of `app.fn` of a project."""
    with imported(folder, project) as app:
        return print_of_function(app.fn)


def felt_by(app: Any, call: str) -> str:
    """What somebody gets who makes a call: the value as text, or the error."""
    try:
        got = repr(eval(call, vars(app), {"run": asyncio.run}))
    except Exception as error:  # noqa: BLE001  # the functions of the table may raise whatever they like
        got = repr(error)
    return re.sub(r" at 0x\w+", "", got)
