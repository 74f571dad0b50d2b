"""Source texts: what a file or a notebook's cell says, parsed; and which part of it a live function was made from."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import linecache
import os
import re
import textwrap
import types
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from daggr.digest import Digest
from daggr.engine.fingerprint.canonical import code_form
from daggr.engine.fingerprint.code import code_bytes, nested
from daggr.engine.fingerprint.scope import FUNCTIONS, Function, chain_of

KEPT = 512
_LAMBDA = "<lambda>"
_MARK = 10_000_000
"""A line number that no file has."""


class Place(NamedTuple):
    """Where a function begins, decorators included, and what its code object is called."""

    line: int
    name: str


class SourceText:
    """One text and its tree."""

    def __init__(self, filename: str, text: str, flags: int) -> None:
        self.text = text
        self.tree = _parse(text)
        self._filename = filename
        self._flags = flags

    def find(self, code: types.CodeType) -> Function | None:
        """The function or lambda that a code object was made from: it is compiled again, and must come out the same."""
        # `types.coroutine` changes the flags of what has been compiled
        live = code_bytes(code.replace(co_flags=code.co_flags & ~inspect.CO_ITERABLE_COROUTINE))
        places = [place for place in self._places.get(code.co_name, ()) if live in self._compiled.get(place, ())]
        if not places:
            return None
        nearest = min(places, key=lambda place: abs(place.line - code.co_firstlineno))
        found = self._functions[nearest]
        return found[0] if len(found) == 1 else self._apart.get((nearest, live))

    def segment(self, node: Function | ast.stmt) -> str:
        """The text of a part, from its decorators on."""
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        lines = self._lines[first - 1 : node.end_lineno]
        if not isinstance(node, ast.Lambda):
            return textwrap.dedent("\n".join(lines))
        parts = [line.encode() for line in lines]  # columns are counted in bytes
        parts[-1] = parts[-1][: node.end_col_offset]
        parts[0] = parts[0][node.col_offset :]
        return b"\n".join(parts).decode()

    @cached_property
    def _lines(self) -> list[str]:
        return re.split(r"\r\n|\r|\n", self.text)  # `splitlines` would end a line at a form feed, too

    def class_segment(self, qualname: str) -> str:
        """The text of a class at the top of the module or in another class; empty if there is none."""
        body, found = self.tree.body, None
        for name in qualname.split("."):
            found = next(
                (part for part in reversed(body) if isinstance(part, ast.ClassDef) and part.name == name), None
            )
            if found is None:
                return ""
            body = found.body
        return self.segment(found) if found is not None else ""

    @cached_property
    def form(self) -> Digest:
        """The canonical form of the text as a module that is imported."""
        return code_form(self.imported)

    @cached_property
    def imported(self) -> ast.Module:
        """The tree without what only a script does."""
        return ast.Module([part for part in self.tree.body if not _is_for_scripts(part)], [])

    @cached_property
    def imported_names(self) -> frozenset[str]:
        """The names that imports bind, anywhere in the text."""
        return frozenset(
            (alias.asname or alias.name).partition(".")[0]
            for part in ast.walk(self.tree)
            if isinstance(part, (ast.Import, ast.ImportFrom))
            for alias in part.names
        )

    @cached_property
    def sets_on_imported(self) -> frozenset[str]:
        """The attributes that the text sets on modules and other things that it has imported."""
        imported = self.imported_names
        return frozenset(
            part.attr
            for part in ast.walk(self.tree)
            if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store)
            if (chain := chain_of(part)) is not None and chain[0] in imported
        )

    @cached_property
    def _functions(self) -> dict[Place, list[Function]]:
        found: dict[Place, list[Function]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, FUNCTIONS):
                found.setdefault(_place(node), []).append(node)
        return found

    @cached_property
    def _places(self) -> dict[str, list[Place]]:
        found: dict[str, list[Place]] = {}
        for place in self._functions:
            found.setdefault(place.name, []).append(place)
        return found

    @cached_property
    def _compiled(self) -> dict[Place, set[bytes]]:
        """What each place's code is; classes and comprehensions, which are among them, are called otherwise."""
        found: dict[Place, set[bytes]] = {}
        for code in self._compile(self.tree):
            found.setdefault(Place(code.co_firstlineno, code.co_name), set()).add(code_bytes(code))
        return found

    @cached_property
    def _apart(self) -> dict[tuple[Place, bytes], Function]:
        """Functions that share a place, such as the lambdas of a line, by their code: each is given its own line."""
        tree = _parse(self.text)
        sharing = [
            (copy, node)
            for copy, node in zip(ast.walk(tree), ast.walk(self.tree), strict=True)
            if isinstance(copy, FUNCTIONS) and isinstance(node, FUNCTIONS) and len(self._functions[_place(node)]) > 1
        ]
        for number, (copy, _) in enumerate(sharing):
            copy.lineno = copy.end_lineno = _MARK + number
        compiled = {code.co_firstlineno: code_bytes(code) for code in self._compile(tree)}
        found: dict[tuple[Place, bytes], Function] = {}
        for number, (_, node) in enumerate(sharing):
            if (live := compiled.get(_MARK + number)) is not None:
                found.setdefault((_place(node), live), node)
        return found

    def _compile(self, tree: ast.Module) -> Iterator[types.CodeType]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has been compiled before, and said what it had to say
            return nested(compile(tree, self._filename, "exec", flags=self._flags, dont_inherit=True))


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _is_for_scripts(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'" and not node.orelse


def _place(node: Function) -> Place:
    if isinstance(node, ast.Lambda):
        return Place(node.lineno, _LAMBDA)
    return Place(node.decorator_list[0].lineno if node.decorator_list else node.lineno, node.name)


# ---------------------------------------------------------------- texts by file

_texts: OrderedDict[tuple[object, ...], SourceText | None] = OrderedDict()


def source_text(filename: str, flags: int = 0) -> SourceText | None:
    """What a file says now; None when there is none, or it is no Python. Parsed once for every state that it has."""
    try:
        stat = os.stat(filename)
        key: tuple[object, ...] = (filename, flags, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    except (OSError, ValueError):
        lines = linecache.getlines(filename)
        if not lines:
            return None
        key = (filename, flags, hash("".join(lines)))
    if key not in _texts:
        _texts[key] = _read(filename, flags)
        while len(_texts) > KEPT:
            _texts.popitem(last=False)
    return _texts[key]


def _read(filename: str, flags: int) -> SourceText | None:
    try:
        data = Path(filename).read_bytes()
    except (OSError, ValueError):
        text = "".join(linecache.getlines(filename))
    else:
        text = _decoded(data)
    try:
        return SourceText(filename, text, flags)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _decoded(data: bytes) -> str:
    """The text of a source file in the encoding that it declares; empty when it cannot be read so."""
    try:
        return importlib.util.decode_source(data)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return ""
