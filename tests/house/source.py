"""Reading the source for the rules: files, imports and functions, by syntax only (nothing is imported)."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Import(NamedTuple):
    """One imported module. `module` is dotted; `from a import b` is `a`, with `b` in `names`."""

    path: str
    line: int
    module: str
    names: tuple[str, ...]
    in_function: bool
    types_only: bool

    @property
    def package(self) -> str:
        """The first part of the module's name."""
        return self.module.partition(".")[0]

    @property
    def place(self) -> str:
        """`file:line`, for messages."""
        return f"{self.path}:{self.line}"

    @property
    def is_stdlib(self) -> bool:
        """Whether it comes with Python."""
        return self.package in sys.stdlib_module_names


def python_files() -> list[str]:
    """Every Python file of the package, relative to the repository."""
    return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "daggr").rglob("*.py"))


@functools.cache
def tree(path: str) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), path)


def walk(path: str) -> Iterator[tuple[ast.AST, bool, bool]]:
    """Every syntax node with: is it in a function, is it under `if TYPE_CHECKING`."""

    def down(node: ast.AST, in_function: bool, types_only: bool) -> Iterator[tuple[ast.AST, bool, bool]]:
        yield node, in_function, types_only
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for part in node.body:
                yield from down(part, in_function, True)
            for part in node.orelse:
                yield from down(part, in_function, types_only)
            return
        inside = in_function or isinstance(node, (*FUNCTIONS, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            yield from down(child, inside, types_only)

    return down(tree(path), False, False)


def imports(path: str) -> Iterator[Import]:
    """Every import of a file, those by a constant name through importlib included."""
    for node, in_function, types_only in walk(path):
        found: list[tuple[str, tuple[str, ...]]] = []
        if isinstance(node, ast.Import):
            found = [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [("." * node.level + (node.module or ""), tuple(alias.name for alias in node.names))]
        elif isinstance(node, ast.Call) and (name := _dynamic_import(node)):
            found = [(name, ())]
        for module, names in found:
            yield Import(path, node.lineno, module, names, in_function, types_only)  # type: ignore[attr-defined]


def _dynamic_import(call: ast.Call) -> str:
    """The constant that `import_module("x")` or `__import__("x")` is given, else an empty text."""
    name = ast.unparse(call.func).rpartition(".")[2]
    if name in ("import_module", "__import__") and call.args and isinstance(call.args[0], ast.Constant):
        return str(call.args[0].value)
    return ""


def functions(path: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file, nested ones included."""
    for node in ast.walk(tree(path)):
        if isinstance(node, FUNCTIONS):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its decorators and docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines
