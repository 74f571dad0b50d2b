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
from daggr.engine.fingerprint.function import READS_FILES, function_code
from daggr.engine.fingerprint.ownership import is_own
from daggr.engine.fingerprint.redact import redacted
from daggr.engine.fingerprint.scope import Reference, bound_in, references_in
from daggr.engine.fingerprint.text import SourceText, source_text
from daggr.graph.nodes.base import last_made


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
            if bound is value and (found := statement_of(vars(module), name, value)) is not None:
                return found
    return None


def own_modules() -> list[types.ModuleType]:
    """The loaded modules of the user's own, by name."""
    loaded = [(name, module) for name, module in list(sys.modules.items()) if isinstance(module, types.ModuleType)]
    return [module for _, module in sorted(loaded, key=lambda pair: pair[0]) if is_own(module)]


def statement_of(module: dict[str, Any], name: str, value: Any = None) -> Statement | None:
    """The one statement that binds a name of a module; None where there are several, or none that always runs.

    Args:
        module: The names of the module.
        name: The name.
        value: The object that is bound, unless it is a class. Whatever else at the top of the module has to do with it
            counts, too; where that cannot be followed (another name for it, other modules, files) it is None.
    """
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
    parts = list(binding)
    if value is not None:
        parts += [
            part for part in top.mentioning.get(name, []) if part is not binding[0] and not _only_draws(part, module)
        ]
        if any(_is_alias(part, name) for part in parts[1:]) or _used_elsewhere(module, name, value):
            return None
        if _reads_files(parts, module):
            return None
    found = {one.chain: one for one in references_in(list(parts)) if one.chain[0] != name}
    return Statement(
        form=digest("daggr/binding", *(code_form(part) for part in parts)),
        references=tuple(found[chain] for chain in sorted(found)),
        module=module,
        text=redacted("\n".join(source.segment(part) for part in parts)),
    )


def _is_alias(statement: ast.stmt, name: str) -> bool:
    """Whether a statement gives an object another name, under which it may be changed unseen."""
    given = getattr(statement, "value", None) if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
    return isinstance(given, ast.Name) and given.id == name


def _only_draws(statement: ast.stmt, module: dict[str, Any]) -> bool:
    """Whether a statement only makes or uses nodes and graphs, or prints."""
    if isinstance(statement, ast.If):
        return all(_only_draws(part, module) for part in (*statement.body, *statement.orelse))
    given = getattr(statement, "value", None) if isinstance(statement, (ast.Expr, ast.Assign, ast.AnnAssign)) else None
    if not isinstance(given, ast.Call):
        return False
    root = _root(given.func)
    called = module.get(root)
    kind = called if isinstance(called, type) else type(called)
    return root == "print" or str(kind.__module__).partition(".")[0] == "daggr"


def _used_elsewhere(module: dict[str, Any], name: str, value: Any) -> bool:
    """Whether another own module does something at its top with an object of this one."""
    for other in own_modules():
        source = source_text(str(other.__file__)) if getattr(other, "__file__", None) else None
        if source is None or vars(other) is module:
            continue
        top = _statements(source)
        by_name = top.mentioning.get(name, []) if vars(other).get(name) is value else []
        if any(not _only_draws(part, vars(other)) for part in (*by_name, *top.reaching.get(name, []))):
            return True
    return False


def _reads_files(parts: list[ast.stmt], module: dict[str, Any]) -> bool:
    """Whether statements read files as data, themselves or by functions of one's own: what is in these is not seen."""
    words = {part.attr for top in parts for part in ast.walk(top) if isinstance(part, ast.Attribute)}
    words |= {part.id for top in parts for part in ast.walk(top) if isinstance(part, ast.Name)}
    if not READS_FILES.isdisjoint(words):
        return True
    waiting = [module.get(one.chain[0]) for one in references_in(parts)]
    seen: set[int] = set()
    while waiting:
        function = waiting.pop()
        if isinstance(function, types.FunctionType) and is_own(function) and id(function) not in seen:
            seen.add(id(function))
            code = function_code(function.__code__)
            if code.reads_files:
                return True
            waiting += [function.__globals__.get(one.chain[0]) for one in code.references]
    return False


def _set_outside(name: str) -> bool:
    """Whether a module of one's own sets an attribute of that name on something that it has imported."""
    sources = [source_text(str(module.__file__)) for module in own_modules() if getattr(module, "__file__", None)]
    return any(name in source.sets_on_imported for source in sources if source is not None)


@dataclass(frozen=True)
class _Statements:
    """The statements at the top of a module: which ones bind a name, mention it, or reach for it in a module."""

    binding: dict[str, list[ast.stmt]]
    mentioning: dict[str, list[ast.stmt]]
    reaching: dict[str, list[ast.stmt]]
    declared: frozenset[str]
    """The names that functions declare `global`."""


@functools.lru_cache(maxsize=64)
def _statements(source: SourceText) -> _Statements:
    binding: dict[str, list[ast.stmt]] = {}
    mentioning: dict[str, list[ast.stmt]] = {}
    reaching: dict[str, list[ast.stmt]] = {}
    imported = source.imported_names
    for part in source.tree.body:
        bound = bound_in([part])
        for name in bound.names | bound.imported:
            binding.setdefault(name, []).append(part)
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)):
            continue  # what these do is seen where they are used
        for name in {one.id for one in ast.walk(part) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}:
            mentioning.setdefault(name, []).append(part)
        reached = (one for one in ast.walk(part) if isinstance(one, ast.Attribute) and _root(one) in imported)
        for name in {one.attr for one in reached}:
            reaching.setdefault(name, []).append(part)
    declared = (name for part in ast.walk(source.tree) if isinstance(part, ast.Global) for name in part.names)
    return _Statements(binding, mentioning, reaching, frozenset(declared))


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
    elif stat.st_mtime > last_made() or (module.get("__name__") == "__main__" and stat.st_mtime > runtime.STARTED):
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
