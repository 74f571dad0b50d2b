"""Leaves of Python definitions: the code of a function and everything of the user's own that it reaches.

Code counts by its bytecode (so comments, positions and formatting do not), for one version of Python. Followed from
there: defaults, closures, the globals that are really loaded, attribute chains on own modules, decorators, partials,
methods and instances, classes with their own bases. Functions of libraries count by name, data by value. A value of
another type has no identity that could be trusted: the definition is then not cached, and says which part it is.

Not seen: `getattr` with a computed name, `eval`, and what a library does with names.
"""

from __future__ import annotations

import dis
import functools
import importlib.util
import site
import sys
import sysconfig
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daggr.digest import UnencodableError, digest, encode
from daggr.engine.fingerprint.leaves import LeafMap

_PACKAGE = str(Path(__file__).resolve().parents[2])
_CHAIN = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_CLASS_NOISE = frozenset(
    f"__{name}__" for name in ["dict", "weakref", "module", "qualname", "doc", "firstlineno", "static_attributes"]
)


def add_python(leaves: LeafMap, name: str, value: Any) -> None:
    """Add the leaves of a function, class, instance or plain value under a name."""
    _Walk(leaves).visit(name, value)


class _Walk:
    """One walk over what a definition reaches; meets every object once."""

    def __init__(self, leaves: LeafMap) -> None:
        self.leaves = leaves
        self.seen: dict[int, tuple[int, Any]] = {}

    def visit(self, name: str, value: Any) -> None:
        try:  # plain data has no identity of its own: equal values are equal leaves
            self.leaves.add(name, encode(value))
            return
        except UnencodableError:
            pass
        if id(value) in self.seen:
            self.leaves.add(name, b"seen", str(self.seen[id(value)][0]).encode())
            return
        self.seen[id(value)] = (len(self.seen), value)  # the reference keeps the id from being used again
        self.visit_object(name, value)

    def visit_object(self, name: str, value: Any) -> None:
        match value:
            case types.FunctionType():
                self.visit_function(name, value)
            case types.MethodType():
                self.visit(name, value.__func__)
                self.visit(f"{name} self", value.__self__)
            case functools.partial():
                self.leaves.add(name, b"partial")
                self.visit(f"{name} func", value.func)
                self.visit(f"{name} args", value.args)
                self.visit(f"{name} keywords", value.keywords)
            case types.BuiltinFunctionType() | types.MethodDescriptorType() | types.WrapperDescriptorType():
                self.visit_library(name, value)
            case type():
                self.visit_class(name, value)
            case types.ModuleType():
                self.visit_module(name, value)
            case staticmethod() | classmethod():
                self.visit(name, value.__func__)
            case property():
                for part in ("fget", "fset", "fdel"):
                    self.visit(f"{name} {part}", getattr(value, part))
            case functools.cached_property():
                self.visit(name, value.func)
            case list() | tuple() | set() | frozenset() | dict():
                self.visit_container(name, value)
            case _ if callable(getattr(value, "__wrapped__", None)) and not is_own(type(value)):
                self.leaves.add(f"{name} wrapper", type(value).__qualname__.encode())
                self.visit(name, value.__wrapped__)
            case _:
                self.visit_instance(name, value)

    # ------------------------------------------------------------ functions

    def visit_function(self, name: str, function: types.FunctionType) -> None:
        if not is_own(function):
            self.visit_library(name, function)
            return
        self.leaves.add(name, _code_bytes(function.__code__))
        self.visit(f"{name} defaults", function.__defaults__)
        self.visit(f"{name} keyword defaults", function.__kwdefaults__)
        for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                content = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            self.visit(f"{name} closure {variable}", content)
        for chain, root in self.globals_of(function):
            self.visit_chain(name, chain, root)
        for imported in _imports(function.__code__):
            self.visit_import(f"{name} import {imported}", imported)

    def globals_of(self, function: types.FunctionType) -> Iterator[tuple[tuple[str, ...], Any]]:
        """The globals that the code loads, with the attributes that directly follow."""
        found: dict[tuple[str, ...], None] = {}
        for code in _nested(function.__code__):
            chain: list[str] = []
            for instruction in dis.get_instructions(code):
                if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                    if chain:
                        found.setdefault(tuple(chain))
                    chain = [str(instruction.argval)]
                elif chain and instruction.opname in _CHAIN:
                    chain.append(str(instruction.argval))
                elif instruction.opname not in ("CACHE", "PUSH_NULL", "EXTENDED_ARG"):
                    if chain:
                        found.setdefault(tuple(chain))
                    chain = []
            if chain:
                found.setdefault(tuple(chain))
        for path in sorted(found):
            if path[0] in function.__globals__:
                yield path, function.__globals__[path[0]]

    def visit_chain(self, name: str, chain: tuple[str, ...], root: Any) -> None:
        """Follow `module.attribute…` through own modules to what is really used; a library's goes by its name."""
        if isinstance(root, types.ModuleType) and not is_own(root):
            self.leaves.add(f"{name}: {'.'.join(chain)}", b"library", encode((root.__name__, *chain[1:])))
            return
        value, used = root, chain[:1]
        for attribute in chain[1:]:
            if not isinstance(value, types.ModuleType) or not hasattr(value, attribute):
                break
            value, used = getattr(value, attribute), (*used, attribute)
        self.visit(f"{name}: {'.'.join(used)}", value)

    # ------------------------------------------------------------ the rest

    def visit_library(self, name: str, value: Any) -> None:
        owner = getattr(value, "__self__", None)
        module = getattr(value, "__module__", None) or type(owner).__module__
        self.leaves.add(name, b"library", encode((module, getattr(value, "__qualname__", type(value).__qualname__))))

    def visit_class(self, name: str, value: type) -> None:
        if not is_own(value):
            self.visit_library(name, value)
            return
        self.leaves.add(name, b"class", value.__qualname__.encode())
        for base in value.__bases__:
            self.visit(f"{name} base {base.__name__}", base)
        for member, content in sorted(vars(value).items()):
            if member not in _CLASS_NOISE and not isinstance(
                content, (types.GetSetDescriptorType, types.MemberDescriptorType)
            ):
                self.visit(f"{name}.{member}", content)

    def visit_module(self, name: str, module: types.ModuleType) -> None:
        if not is_own(module):
            self.leaves.add(name, b"library", module.__name__.encode())
            return
        source = getattr(module, "__file__", None)
        self.leaves.add(name, b"module", Path(source).read_bytes() if source else module.__name__.encode())
        for member, content in sorted(vars(module).items()):
            if isinstance(content, types.ModuleType) and is_own(content):
                self.visit(f"{name}.{member}", content)

    def visit_import(self, name: str, imported: str) -> None:
        """An import inside a function: an own module counts with its whole file and the own modules it uses."""
        if imported in sys.modules:
            self.visit_module(name, sys.modules[imported])
            return
        try:
            spec = importlib.util.find_spec(imported)
        except (ImportError, ValueError):
            spec = None
        if spec is not None and spec.origin and not _is_library(spec.origin):
            self.leaves.add(name, b"module", Path(spec.origin).read_bytes())

    def visit_container(self, name: str, value: Any) -> None:
        self.leaves.add(name, type(value).__name__.encode(), str(len(value)).encode())
        if isinstance(value, dict):
            for key, item in value.items():
                self.visit(f"{name} key", key)
                self.visit(f"{name}[{key!r}]" if isinstance(key, (str, int)) else f"{name}[…]", item)
        elif isinstance(value, (set, frozenset)):
            self.leaves.refuse(name, f"a {type(value).__name__} of objects")
        else:
            for index, item in enumerate(value):
                self.visit(f"{name}[{index}]", item)

    def visit_instance(self, name: str, value: Any) -> None:
        kind = type(value)
        state = getattr(value, "__dict__", None)
        if not is_own(kind) or state is None or hasattr(kind, "__slots__"):
            self.leaves.refuse(name, f"a {kind.__module__}.{kind.__qualname__}")
            return
        self.visit(f"{name} class", kind)
        self.visit(f"{name} state", dict(sorted(state.items())))


# ---------------------------------------------------------------- code


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _imports(code: types.CodeType) -> list[str]:
    return sorted(
        {
            str(instruction.argval)
            for part in _nested(code)
            for instruction in dis.get_instructions(part)
            if instruction.opname == "IMPORT_NAME" and instruction.argval
        }
    )


def _code_bytes(code: types.CodeType) -> bytes:
    """All of a code object that decides what it does; its name, file and lines are not among it."""
    return digest(
        "daggr/code",
        sys.implementation.cache_tag.encode() if sys.implementation.cache_tag else sys.version.encode(),
        code.co_code,
        getattr(code, "co_exceptiontable", b""),
        encode((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)),
        encode((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)),
        *(_constant_bytes(constant) for constant in code.co_consts),
    )


def _constant_bytes(constant: Any) -> bytes:
    if isinstance(constant, types.CodeType):
        return b"code" + _code_bytes(constant)
    if constant is ...:
        return b"ellipsis"
    if isinstance(constant, (tuple, frozenset)):
        parts = [_constant_bytes(item) for item in constant]
        return digest(
            "daggr/constants",
            type(constant).__name__.encode(),
            *(sorted(parts) if isinstance(constant, frozenset) else parts),
        )
    if isinstance(constant, slice):
        return b"slice" + _constant_bytes((constant.start, constant.stop, constant.step))
    return b"data" + encode(constant)


# ---------------------------------------------------------------- whose code it is


def is_own(value: Any) -> bool:
    """Whether this is the user's own code: neither Python's, nor installed, nor daggr's."""
    if isinstance(value, types.FunctionType):
        return not _is_library(value.__code__.co_filename)
    module = value if isinstance(value, types.ModuleType) else sys.modules.get(getattr(value, "__module__", None) or "")
    if module is None:
        return getattr(value, "__module__", None) not in (None, "builtins")
    if module.__name__ == "__main__":
        return True
    source = getattr(module, "__file__", None)
    return source is not None and not _is_library(source)


@functools.cache
def _library_roots() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    roots = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    roots.update(site.getsitepackages() if hasattr(site, "getsitepackages") else ())
    roots.add(site.getusersitepackages())
    roots.add(_PACKAGE)
    return tuple(f"{Path(root).resolve()!s}/".replace("\\", "/") for root in roots)


@functools.lru_cache(maxsize=4096)
def _is_library(filename: str) -> bool:
    if filename.startswith("<frozen"):
        return True
    if filename.startswith("<"):
        return False
    return str(Path(filename).resolve()).replace("\\", "/").startswith(_library_roots())
