"""What a function's code says: its canonical form, what it refers to, and its text. Known once for every code object.

The form is that of the source, if the source gives this very code; else it is the bytecode, good for one version of
Python.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import sys
import types
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from daggr.digest import Digest, digest
from daggr.engine.fingerprint.canonical import function_form
from daggr.engine.fingerprint.code import code_bytes, imports_of, loaded_globals, nested
from daggr.engine.fingerprint.redact import redacted
from daggr.engine.fingerprint.scope import (
    Reference,
    annotated_by,
    imports,
    references,
    references_in,
    telling_decorators,
)
from daggr.engine.fingerprint.text import source_text

KEPT = 8192

_READS_DOCS = frozenset({
    "__doc__", "__annotations__", "getdoc", "get_type_hints", "signature", "get_annotations", "getfullargspec",
    "getsource", "__signature__", "__code__", "getsourcelines",
})  # fmt: skip
_READS_SOURCE = frozenset({"getsource", "getsourcelines", "getsourcefile", "findsource", "linecache"})
_IMPORTS_BY_TEXT = frozenset({"import_module", "__import__", "run_module", "run_path"})
READS_FILES = frozenset({
    "open", "read", "read_text", "read_bytes", "readlines", "read_csv", "read_json", "read_parquet", "read_excel",
    "read_table", "read_feather", "loadtxt", "genfromtxt", "fromfile", "imread",
})  # fmt: skip
"""Names under which files are read as data."""

_READS_MEMBERS = frozenset({"vars", "dir", "__dict__", "getmembers", "getmembers_static"})
_READS_NAMES = frozenset({"__name__", "__qualname__"})
_FUTURES = 0
for _feature in __future__.all_feature_names:
    _FUTURES |= getattr(__future__, _feature).compiler_flag


@dataclass(frozen=True)
class FunctionCode:
    """What there is to know of a function's code, apart from the values it meets.

    Attributes:
        short: Its identity, docstring and annotations left out.
        full: Its identity with them.
        exact: Its identity with every comment and space.
        references: What it looks up in its module.
        full_references: What its decorators look up, and its annotations.
        imported: What it imports when it runs: name, dots before it, and the names taken out.
        decorated: Whether its source has decorators.
        reads_docs: Whether it may read docstrings, annotations or signatures.
        reads_files: Whether it may read files.
        reads_members: Whether it may look at what a class has, in order.
        reads_source: Whether it may read the source of functions.
        reads_names: Whether it may read the names of functions.
        text: Its source, without what looks like a secret; empty if there is none.
    """

    short: Digest
    full: Digest
    exact: Digest
    references: tuple[Reference, ...]
    full_references: tuple[Reference, ...]
    imported: tuple[tuple[str, int, tuple[str, ...]], ...]
    decorated: bool
    reads_docs: bool
    reads_files: bool
    reads_members: bool
    reads_source: bool
    reads_names: bool
    text: str


_known: OrderedDict[int, tuple[types.CodeType, FunctionCode]] = OrderedDict()


def function_code(code: types.CodeType) -> FunctionCode:
    """What a code object says."""
    known = _known.get(id(code))
    if known is not None and known[0] is code:
        return known[1]
    found = _from_source(code) or _from_bytecode(code)
    _known[id(code)] = (code, found)  # the reference keeps the id from being used again
    while len(_known) > KEPT:
        _known.popitem(last=False)
    return found


def _from_source(code: types.CodeType) -> FunctionCode | None:
    source = source_text(code.co_filename, code.co_flags & _FUTURES)
    try:
        node = source.find(code) if source is not None else None
        if source is None or node is None:
            return None
        decorators = telling_decorators(node)
        free = frozenset(code.co_freevars)
        made, words = _made_otherwise(code), frozenset(_words(node))
        return FunctionCode(
            short=digest("daggr/source", function_form(node, full=False), made),
            full=digest("daggr/full source", function_form(node, full=True), made),
            exact=digest("daggr/text", source.segment(node).encode("utf-8", "surrogatepass")),
            references=_once([*_mangled(references(node, free), code), *_named_by_text(node, words)]),
            full_references=_once(references_in([*decorators, *annotated_by(node)], free)),
            imported=tuple(sorted({*imports(node), *_imported_by_text(node, words)})),
            decorated=bool(decorators),
            reads_docs=not _READS_DOCS.isdisjoint(words),
            reads_files=not READS_FILES.isdisjoint(words),
            reads_members=not _READS_MEMBERS.isdisjoint(words),
            reads_source=not _READS_SOURCE.isdisjoint(words),
            reads_names=_reads_names(node),
            text=redacted(source.segment(node)),
        )
    except (RecursionError, SyntaxError, ValueError):
        return None


def _made_otherwise(code: types.CodeType) -> bytes:
    """What makes the same source another code: `python -O`, and `types.coroutine`."""
    made = str(sys.flags.optimize).encode() if sys.flags.optimize else b""
    return made + (b"coroutine" if code.co_flags & inspect.CO_ITERABLE_COROUTINE else b"")


def _mangled(found: Iterable[Reference], code: types.CodeType) -> Iterator[Reference]:
    """References as the code makes them: in a class `C`, the name `__x` is `_C__x`."""
    for one in found:
        name, *attributes = one.chain
        if name.startswith("__") and not name.endswith("__"):
            names = {known for part in nested(code) for known in part.co_names if known.endswith(name)}
            yield from (Reference((known, *attributes), one.only_called) for known in sorted(names))
        else:
            yield one


def _named_by_text(node: ast.AST, words: frozenset[str]) -> Iterator[Reference]:
    """Texts that may be names of the module, in a function that asks for `globals()`."""
    if "globals" in words:
        texts = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
        yield from (Reference((text,), only_called=False) for text in texts if isinstance(text, str))


def _imported_by_text(node: ast.AST, words: frozenset[str]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Texts that may be names of modules, in a function that imports by text."""
    if _IMPORTS_BY_TEXT.isdisjoint(words):
        return
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            name = part.value.lstrip(".")
            if name and all(word.isidentifier() for word in name.split(".")):
                yield name, len(part.value) - len(name), ()


def _words(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def _reads_names(node: ast.AST) -> bool:
    """Whether a name is read, other than that of an exception's type."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and part.attr in _READS_NAMES:
            of = part.value
            is_type = isinstance(of, ast.Call) and isinstance(of.func, ast.Name) and of.func.id == "type"
            if not is_type and not (isinstance(of, ast.Attribute) and of.attr == "__class__"):
                return True
        elif isinstance(part, ast.Constant) and part.value in ("__name__", "__qualname__"):
            return True
    return False


def _from_bytecode(code: types.CodeType) -> FunctionCode:
    identity = code_bytes(code)
    return FunctionCode(
        short=Digest(identity),
        full=Digest(identity),
        exact=Digest(identity),
        references=tuple(Reference(chain, only_called=False) for chain in loaded_globals(code)),
        full_references=(),
        imported=tuple(imports_of(code)),
        decorated=False,
        reads_docs=True,
        reads_files=True,
        reads_members=True,
        reads_source=True,
        reads_names=True,
        text="",
    )


def _once(found: Iterable[Reference]) -> tuple[Reference, ...]:
    """Each chain once; only called, if it is nowhere used in another way."""
    uses: dict[tuple[str, ...], bool] = {}
    for one in found:
        uses[one.chain] = uses.get(one.chain, True) and one.only_called
    return tuple(Reference(chain, called) for chain, called in sorted(uses.items()))
