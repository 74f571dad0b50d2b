"""Canonical form of code: its syntax tree without what nobody can feel.

Left out: positions, comments, formatting, the function's own name, statements without effect; the names of local
variables, where nothing can see them; annotations of local variables. Docstrings and annotations of functions are left
out of the short form only: the full one is for functions that something may ask for them (a decorator, a validator).

The form is the same in all supported versions of Python: fields that are empty are not written, so that new ones do not
count, and parts that versions split differently are joined.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from daggr.digest import Digest, digest, encode
from daggr.engine.fingerprint.scope import (
    COMPREHENSIONS,
    Function,
    body_of,
    bound_in,
    parameters,
    passed_on,
    targets,
    telling_decorators,
)

_SEES_LOCALS = frozenset({"locals", "eval", "exec", "vars", "dir"})
_SEES_FRAMES = frozenset({"_getframe", "currentframe"})
_BINDS_BY_NAME = (ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping)
_BODIES = frozenset({"body", "orelse", "finalbody"})
_END = b")"
_UNSAID = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


def function_form(node: Function, *, full: bool) -> Digest:
    """The canonical form of a function. Its defaults are left out: their values count."""
    writer = _Writer(full=full)
    writer.function(node, is_root=True)
    return digest("daggr/function", *writer.parts)


def code_form(node: ast.AST) -> Digest:
    """The canonical form of a statement or a module, in full."""
    writer = _Writer(full=True)
    writer.write(node)
    return digest("daggr/statement", *writer.parts)


_NOT_RENAMED: Mapping[str, str] = {}
"""Nothing is renamed here, comprehensions included."""


class _Writer:
    """Writes a tree as a flat list of parts, each node with its kind, and each field with its name."""

    def __init__(self, *, full: bool) -> None:
        self.parts: list[bytes] = []
        self._full = full
        self._renamed: Mapping[str, str] = _NOT_RENAMED
        self._inner = 0
        self._in_class = False
        self._shown: frozenset[str] = frozenset()
        """Functions of the present one that are used otherwise than by calling them."""

    # ------------------------------------------------------------ functions

    def function(self, node: Function, *, is_root: bool = False) -> None:
        outer = self._full, self._renamed, self._shown, self._in_class
        self._in_class = False
        body = body_of(node)
        decorators = telling_decorators(node) if is_root else getattr(node, "decorator_list", [])
        name = "" if isinstance(node, ast.Lambda) else node.name
        self._full = self._full or bool(decorators) or name in self._shown
        self._shown = frozenset(passed_on(body))
        self.parts.append(type(node).__name__.encode())
        if not is_root and name:
            self._name("name", self._renamed.get(name, name))
        self._arguments(node, is_root=is_root)
        self._list("decorators", decorators)
        if self._full and not isinstance(node, ast.Lambda):
            self._optional("returns", node.returns)
        if self._full or not is_root:  # those of the root are in its closure, if it uses them
            self._list("type_params", getattr(node, "type_params", []))
        self._renamed = _renaming(node, body)
        self._body("body", body, has_docstring=not isinstance(node, ast.Lambda))
        self._full, self._renamed, self._shown, self._in_class = outer
        self.parts.append(_END)

    def _arguments(self, node: Function, *, is_root: bool) -> None:
        given = node.args
        for kind in ("posonlyargs", "args", "kwonlyargs"):
            for one in getattr(given, kind):
                self._name(kind, one.arg)
        for kind in ("vararg", "kwarg"):
            if (star := getattr(given, kind)) is not None:
                self._name(kind, star.arg)
        if self._full:
            for one in parameters(node):
                self._optional(f"annotation {one.arg}", one.annotation)
        if not is_root:
            self._list("defaults", given.defaults)
            self._list("kw_defaults", given.kw_defaults)

    def _body(self, name: str, body: list[ast.AST], *, has_docstring: bool) -> None:
        kept = [
            part
            for index, part in enumerate(body)
            if not _has_no_effect(part) or (self._full and has_docstring and index == 0 and _is_text(part))
        ]
        self._list(name, kept)

    # ------------------------------------------------------------ everything else

    def write(self, node: ast.AST) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self.function(node)
            case ast.ClassDef():
                self._class(node)
            case ast.Name():
                self._name("Name", self._renamed.get(node.id, node.id))
            case ast.Constant():
                self.parts += [b"Constant", b"..." if node.value is ... else encode(node.value)]
            case ast.JoinedStr():
                self.parts.append(b"JoinedStr")
                self._list("values", list(_joined(node.values)))
                self.parts.append(_END)
            case ast.AnnAssign() if not self._in_class and (node.value is not None or node.simple):
                self._annotated(node)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node)
            case _:
                self._fields(node)

    def _class(self, node: ast.ClassDef) -> None:
        outer = self._full, self._in_class, self._renamed
        self._full, self._in_class, self._renamed = True, True, _NOT_RENAMED
        self._fields(node)
        self._full, self._in_class, self._renamed = outer

    def _annotated(self, node: ast.AnnAssign) -> None:
        """A local variable's annotation is not even evaluated."""
        if node.value is None:
            self.parts.append(b"declared")
            self.write(node.target)
        else:
            self._fields(ast.Assign(targets=[node.target], value=node.value))

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        """Its variables are its own; what it goes through first is evaluated outside of it."""
        outer, count = self._renamed, self._inner
        self.parts.append(b"over")
        self.write(node.generators[0].iter)
        if outer is not _NOT_RENAMED:
            inner = {name: f"%inner{count + number}" for number, name in enumerate(targets(node))}
            self._renamed, self._inner = {**outer, **inner}, count + len(inner)
        self.parts.append(type(node).__name__.encode())
        for name in ("elt", "key", "value"):
            self._optional(name, getattr(node, name, None))
        for index, one in enumerate(node.generators):
            self.parts.append(b"async for" if one.is_async else b"for")
            self.write(one.target)
            if index:
                self.write(one.iter)
            self._list("ifs", one.ifs)
        self.parts.append(_END)
        self._renamed, self._inner = outer, count

    def _fields(self, node: ast.AST) -> None:
        self.parts.append(type(node).__name__.encode())
        for name, value in ast.iter_fields(node):
            if name in _UNSAID or value is None or value == []:
                continue
            if isinstance(value, ast.AST):
                self.parts.append(name.encode())
                self.write(value)
            elif name in _BODIES and isinstance(value, list):
                self._body(name, value, has_docstring=isinstance(node, (ast.ClassDef, ast.Module)))
            elif isinstance(value, list):
                self._list(name, value)
            elif isinstance(value, str):
                is_local = isinstance(node, _BINDS_BY_NAME) or name == "asname"
                self._name(name, self._renamed.get(value, value) if is_local else value)
            else:
                self.parts += [name.encode(), encode(value)]
        self.parts.append(_END)

    def _list(self, name: str, items: Sequence[Any]) -> None:
        if not items:
            return
        self.parts += [name.encode(), str(len(items)).encode()]
        for item in items:
            if isinstance(item, ast.AST):
                self.write(item)
            else:
                self.parts.append(b"none" if item is None else encode(item))

    def _optional(self, name: str, node: ast.AST | None) -> None:
        if node is not None:
            self.parts.append(name.encode())
            self.write(node)

    def _name(self, field: str, name: str) -> None:
        self.parts += [field.encode(), name.encode("utf-8", "surrogatepass")]


def _renaming(node: Function, body: list[ast.AST]) -> Mapping[str, str]:
    """New names for the local variables of a function, in the order in which they are met.

    Not where there are functions within, or something may look at the variables by name.
    """
    bound = bound_in(body)
    if bound.nested or any(_sees_locals(part) for top in body for part in ast.walk(top)):
        return _NOT_RENAMED
    own = bound.own - bound.imported - {given.arg for given in parameters(node)}
    met = dict.fromkeys(name for top in body for name in _names(top) if name in own)
    return {name: f"%{number}" for number, name in enumerate(met)} or {"": ""}


def _names(node: ast.AST) -> Iterator[str]:
    """Names of variables in the order of the text."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
    elif isinstance(node, ast.alias) and node.asname:
        yield node.asname
    inner = targets(node) if isinstance(node, COMPREHENSIONS) else []
    for part in ast.iter_child_nodes(node):
        yield from (name for name in _names(part) if name not in inner)


def _sees_locals(node: ast.AST) -> bool:
    return (isinstance(node, ast.Name) and node.id in _SEES_LOCALS | _SEES_FRAMES) or (
        isinstance(node, ast.Attribute) and node.attr in _SEES_FRAMES
    )


def _has_no_effect(node: ast.AST) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _joined(values: list[ast.expr]) -> Iterator[ast.expr]:
    """The parts of an f-string, neighbouring texts as one: versions of Python split them differently."""
    text = ""
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            text += value.value
            continue
        if text:
            yield ast.Constant(text)
        text = ""
        yield value
    if text:
        yield ast.Constant(text)
