"""Bindings: the one statement of a module that makes a value, for values that have no identity of their own.

A model, a client or a lock is what its class and the statement that made it say. That is known only when a single
statement at the top of the module binds the name, and the file is still the one that was loaded.
"""

from __future__ import annotations

import ast
import functools
import os
import sys
import types
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from daggr import runtime
from daggr.digest import Digest, digest
from daggr.engine.fingerprint.canonical import code_form
from daggr.engine.fingerprint.ownership import is_own
from daggr.engine.fingerprint.redact import redacted
from daggr.engine.fingerprint.scope import Reference, bound_in, references_in
from daggr.engine.fingerprint.text import SourceText, source_text


@dataclass(frozen=True)
class Statement:
    """How a name came to its value.

    Attributes:
        form: The identity of the statement, and of those at the top of the module that change the value.
        references: What they look up in their module.
        module: The names of the module.
        text: Their source, without what looks like a secret.
    """

    form: Digest
    references: tuple[Reference, ...]
    module: dict[str, Any]
    text: str


KEPT = 4096
_known: OrderedDict[int, tuple[Any, Statement | None]] = OrderedDict()


def statement_for(value: Any) -> Statement | None:
    """The statement that made an object; None where that is not clear. What it was is asked once for every object."""
    known = _known.get(id(value))
    if known is not None and known[0] is value:
        return known[1]
    found = _search(value)
    _known[id(value)] = (value, found)  # the reference keeps the id from being used again
    while len(_known) > KEPT:
        _known.popitem(last=False)
    return found


def _search(value: Any) -> Statement | None:
    for module in own_modules():
        for name, bound in list(vars(module).items()):
            if bound is value and (found := statement_of(vars(module), name)) is not None:
                return found
    return None


def own_modules() -> list[types.ModuleType]:
    """The loaded modules of the user's own, by name."""
    loaded = [(name, module) for name, module in list(sys.modules.items()) if isinstance(module, types.ModuleType)]
    return [module for _, module in sorted(loaded, key=lambda pair: pair[0]) if is_own(module)]


def statement_of(module: dict[str, Any], name: str) -> Statement | None:
    """The one statement that binds a name of a module; None where there are several, or none that always runs."""
    source = _as_loaded(module)
    if source is None:
        return None
    top = _statements(source)
    binding = top.binding.get(name, [])
    if len(binding) != 1 or not isinstance(
        binding[0], (ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    ):
        return None
    if isinstance(getattr(binding[0], "value", None), ast.Constant):
        return None  # somebody else gave it what it is now
    if name in top.declared or _set_outside(name):
        return None
    parts = [*binding, *top.changing.get(name, [])]
    found = {one.chain: one for one in references_in(list(parts)) if one.chain[0] != name}
    return Statement(
        form=digest("daggr/binding", *(code_form(part) for part in parts)),
        references=tuple(found[chain] for chain in sorted(found)),
        module=module,
        text=redacted("\n".join(source.segment(part) for part in parts)),
    )


def _set_outside(name: str) -> bool:
    """Whether a module of one's own sets an attribute of that name on something that it has imported."""
    sources = [source_text(str(module.__file__)) for module in own_modules() if getattr(module, "__file__", None)]
    return any(name in source.sets_on_imported for source in sources if source is not None)


@dataclass(frozen=True)
class _Statements:
    """The statements at the top of a module: which ones bind a name, and which ones change its value."""

    binding: dict[str, list[ast.stmt]]
    changing: dict[str, list[ast.stmt]]
    declared: frozenset[str]
    """The names that functions declare `global`."""


@functools.lru_cache(maxsize=64)
def _statements(source: SourceText) -> _Statements:
    binding: dict[str, list[ast.stmt]] = {}
    changing: dict[str, list[ast.stmt]] = {}
    for part in source.tree.body:
        bound = bound_in([part])
        for name in bound.names | bound.imported:
            binding.setdefault(name, []).append(part)
        for name in _changed(part):
            changing.setdefault(name, []).append(part)
    declared = (name for part in ast.walk(source.tree) if isinstance(part, ast.Global) for name in part.names)
    return _Statements(binding, changing, frozenset(declared))


def _changed(statement: ast.stmt) -> set[str]:
    """The names whose values a statement changes: `name.do()`, `name.x = …`, `name[x] = …`."""
    match statement:
        case ast.Expr(value=ast.Call(func=target)):
            found = [target]
        case ast.Assign(targets=targets):
            found = [target for target in targets if not isinstance(target, ast.Name)]
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            found = [] if isinstance(target, ast.Name) else [target]
        case ast.Delete(targets=targets):
            found = list(targets)
        case _:
            found = []
    return {_root(target) for target in found}


def _root(node: ast.expr) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _as_loaded(module: dict[str, Any]) -> SourceText | None:
    """The text of a module's file, unless it was changed since it was loaded."""
    filename = module.get("__file__")
    if not isinstance(filename, str):
        return None
    try:
        stat = os.stat(filename)
    except OSError:
        return None
    compiled = _compiled_from(getattr(module.get("__spec__"), "cached", None))
    if compiled is not None:
        if compiled != (int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF):
            return None
    elif module.get("__name__") == "__main__" and stat.st_mtime > runtime.STARTED:
        return None
    return source_text(filename)


def _compiled_from(cached: str | None) -> tuple[int, int] | None:
    """The time and size of the source that Python keeps the bytecode of; None if there is none or it is by hash."""
    if cached is None:
        return None
    try:
        with open(cached, "rb") as file:
            head = file.read(16)
    except OSError:
        return None
    if len(head) < 16 or head[4:8] != bytes(4):
        return None
    return int.from_bytes(head[8:12], "little"), int.from_bytes(head[12:16], "little")
