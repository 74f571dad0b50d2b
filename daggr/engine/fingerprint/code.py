"""Code objects: what they do, which globals they load, and what they import."""

from __future__ import annotations

import dis
import importlib.util
import sys
import types
from collections.abc import Iterator
from typing import Any

from daggr.digest import digest, encode

_CHAIN = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_GLOBALS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_BETWEEN = frozenset({"CACHE", "PUSH_NULL", "EXTENDED_ARG", "PRECALL"})


def nested(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object and those within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from nested(constant)


def code_bytes(code: types.CodeType) -> bytes:
    """All of a code object that decides what it does, for one version of Python; not its name, file and lines."""
    return digest(
        "daggr/code",
        (sys.implementation.cache_tag or sys.version).encode(),
        code.co_code,
        getattr(code, "co_exceptiontable", b""),
        encode((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)),
        encode((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)),
        *(_constant_bytes(constant) for constant in code.co_consts),
    )


def _constant_bytes(constant: Any) -> bytes:
    match constant:
        case types.CodeType():
            return b"code" + code_bytes(constant)
        case types.EllipsisType():
            return b"ellipsis"
        case tuple():
            return digest("daggr/tuple", *(_constant_bytes(item) for item in constant))
        case frozenset():
            return digest("daggr/frozenset", *sorted(_constant_bytes(item) for item in constant))
        case slice():
            return digest("daggr/slice", _constant_bytes((constant.start, constant.stop, constant.step)))
        case _:
            return b"data" + encode(constant)


def loaded_globals(code: types.CodeType) -> list[tuple[str, ...]]:
    """The globals that are loaded, each with the attributes that directly follow, such as `("module", "helper")`."""
    found: set[tuple[str, ...]] = set()
    for part in nested(code):
        chain: tuple[str, ...] = ()
        for instruction in dis.get_instructions(part):
            if instruction.opname in _GLOBALS:
                found.add(chain)
                chain = (str(instruction.argval),)
            elif chain and instruction.opname in _CHAIN:
                chain = (*chain, str(instruction.argval))
            elif instruction.opname not in _BETWEEN:
                found.add(chain)
                chain = ()
        found.add(chain)
    return sorted(found - {()})


def imports_of(code: types.CodeType) -> list[tuple[str, int, tuple[str, ...]]]:
    """What the code imports when it runs: a module's name, the dots before it, and the names taken out of it."""
    found: set[tuple[str, int, tuple[str, ...]]] = set()
    for part in nested(code):
        constants: list[Any] = []
        for instruction in dis.get_instructions(part):
            if instruction.opname == "IMPORT_NAME":
                level, names = constants[-2:] if len(constants) > 1 else (0, ())
                found.add((str(instruction.argval), level, tuple(names or ())))
            elif instruction.opname in ("LOAD_CONST", "LOAD_SMALL_INT"):
                constants.append(instruction.argval)
    return sorted(found)


def absolute_names(name: str, level: int, names: tuple[str, ...], package: str) -> list[str]:
    """What `from {level dots}{name} import {names}` may import, as absolute names."""
    try:
        base = importlib.util.resolve_name("." * level + name, package) if level else name
    except ImportError:
        return []
    return [base, *(f"{base}.{item}" for item in names if item != "*")]
