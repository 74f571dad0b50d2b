"""Leaves of Python definitions: the code of a function and everything of the user's own that it reaches.

Code counts by its canonical form. Followed from there: defaults, closures, the globals that are loaded, attributes of
own modules, imports inside functions, decorators, partials, methods and instances, classes with their own bases.
Functions of libraries count by name, data by value. A part of another type is what its class and the statement
that made it say; where that is not clear the definition is not cached, and says which part it is.

Not seen: `getattr` with a computed name, `eval`, and what a library does with names.
"""

from __future__ import annotations

import builtins
import inspect
import types
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from daggr.digest import digest, encode
from daggr.engine.fingerprint.binding import Statement
from daggr.engine.fingerprint.classes import add_class, own_functions
from daggr.engine.fingerprint.code import absolute_names
from daggr.engine.fingerprint.function import FunctionCode, function_code
from daggr.engine.fingerprint.leaves import LeafMap
from daggr.engine.fingerprint.libraries import library_version
from daggr.engine.fingerprint.look import content_of, has_leaves, is_class, is_function, is_module
from daggr.engine.fingerprint.ownership import is_own
from daggr.engine.fingerprint.redact import redacted
from daggr.engine.fingerprint.scope import Reference
from daggr.engine.fingerprint.source import own_texts, sources_digest
from daggr.engine.fingerprint.values import Unknown, by_name, described, identity

_NOTHING = object()
_LONG = 240
"""The length from which a leaf's name is shortened."""


def add_python(leaves: LeafMap, name: str, value: Any) -> None:
    """Add the leaves of a function, class, instance or plain value under a name."""
    walk = _Walk(leaves)
    try:
        walk.visit(name, value, only_called=True)
        walk.drain()
    except RecursionError:
        leaves.refuse(name, "something nested too deep")


@dataclass
class _Reached:
    """A function of the user's own that has been met. `in_full`: something may ask for its docstring."""

    name: str
    function: types.FunctionType
    code: FunctionCode
    in_full: bool


class _Walk:
    """One walk over what a definition reaches, nearest first; meets every object once."""

    def __init__(self, leaves: LeafMap) -> None:
        self.leaves = leaves
        self.watch = leaves.watch
        self.seen: dict[int, tuple[str, Any]] = {}
        self.depth = 0
        self._waiting: deque[tuple[str, Any]] = deque()
        self._functions: dict[int, _Reached] = {}
        self._names: dict[str, int] = {}
        """How often a name was asked for."""
        self._shown: dict[int, type] = {}
        """Classes that are passed on to somebody."""
        self._stated: set[tuple[int, bytes]] = set()

    # ------------------------------------------------------------ what values.Walk and classes.Leaves promise

    def add(self, name: str, *parts: bytes) -> None:
        """Add a leaf."""
        self.leaves.add(name, *parts)

    def library(self, module: str) -> None:
        """Note the version of a library."""
        package = module.partition(".")[0]
        if version := library_version(package):
            self.leaves.soft[package] = version

    def reach(self, name: str, value: Any, *, only_called: bool = False) -> bytes:
        """Refer to a function, class or module; its leaves are added under the name at which it is met first."""
        if not is_own(value) and not is_function(value):
            return self._of_library(value)
        known = self.seen.get(id(value))
        if known is None:
            name = self.meet(name, value)
            if is_function(value) and is_own(value):
                code = function_code(value.__code__)
                self._functions[id(value)] = _Reached(name, value, code, code.decorated)
            self._waiting.append((name, value))
        if not only_called and is_class(value):
            self._show_class(value)
        elif not only_called and (reached := self._functions.get(id(value))) is not None:
            self._show_in_full(reached)
        return b"leaf" + (known[0] if known is not None else name).encode()

    def meet(self, name: str, value: Any) -> str:
        """Note that an object is met, under a name that no other object has: others refer to it by that name."""
        name = _shortened(name)
        self._names[name] = count = self._names.get(name, 0) + 1
        unique = name if count == 1 else f"{name} #{count}"
        self.seen[id(value)] = (unique, value)  # the reference keeps the id from being used again
        return unique

    def later(self, name: str, value: Any) -> bytes:
        """Refer to an object that lies deep in others; it becomes a leaf of its own."""
        name = self.meet(name, value)
        self._waiting.append((name, value))
        return b"leaf" + name.encode()

    def state(self, name: str, statement: Statement) -> None:
        """Add the leaf of a statement, and what it refers to."""
        self.leaves.add(name, statement.form)
        self.leaves.sources.setdefault(name, statement.text)
        if (place := (id(statement.module), statement.form)) not in self._stated:
            self._stated.add(place)
            self._follow(name, statement.references, statement.module)

    # ------------------------------------------------------------ the walk

    def visit(self, name: str, value: Any, *, only_called: bool = False) -> None:
        """Add the leaves of a value under a name."""
        if has_leaves(value):
            known = len(self.seen)
            said = self.reach(name, value, only_called=only_called)
            if len(self.seen) == known:  # else its own leaves say what it is
                self.leaves.add(name, said)
            return
        try:
            self.leaves.add(name, identity(self, name, value))
        except Unknown as unknown:
            self.leaves.refuse(unknown.name, unknown.kind)

    def drain(self) -> None:
        """Visit what was reached, until nothing is new; then add the leaves of the functions."""
        while True:
            while self._waiting:
                self._visit_reached(*self._waiting.popleft())
            reached = list(self._functions.values())
            if any(one.code.reads_docs for one in reached) and not all(one.in_full for one in reached):
                for one in reached:
                    self._show_in_full(one)
                continue
            break
        if any(one.code.reads_members for one in reached):
            for name, value in self.seen.values():
                if is_class(value) and is_own(value):
                    self.leaves.add(f"{name} order", encode([member for member in vars(value) if member[:2] != "__"]))
        names = any(one.code.reads_names for one in reached)
        texts = any(one.code.reads_source for one in reached)
        for one in reached:
            self._add_code(one, with_name=names, with_text=texts)

    def _visit_reached(self, name: str, value: Any) -> None:
        try:
            if is_module(value):
                if not self._add_sources(name, value.__name__):
                    self.leaves.refuse(name, f"the module {value.__name__}, which has no source file")
            elif is_function(value) and is_own(value):
                self._visit_function(self._functions[id(value)])
            elif is_function(value):
                self._visit_wrapper(name, value)
            elif not is_class(value):
                self.leaves.add(name, described(self, name, value))
            else:
                self.watch.kind(value)
                add_class(self, name, value, in_full=id(value) in self._shown)
        except Unknown as unknown:
            self.leaves.refuse(unknown.name, unknown.kind)

    def _show_in_full(self, reached: _Reached) -> None:
        if not reached.in_full:
            reached.in_full = True
            self._follow(reached.name, reached.code.full_references, reached.function.__globals__)

    def _show_class(self, value: type) -> None:
        if id(value) not in self._shown:
            self._shown[id(value)] = value
            for _, function in own_functions(value):
                if (reached := self._functions.get(id(function))) is not None:
                    self._show_in_full(reached)

    # ------------------------------------------------------------ functions

    def _visit_function(self, reached: _Reached) -> None:
        name, function, code = reached.name, reached.function, reached.code
        self.watch.function(function)
        if function.__defaults__ or function.__kwdefaults__:
            self._visit_defaults(name, function)
        if function.__closure__:
            self._visit_closure(name, function)
        if vars(function):
            self._visit_attributes(name, function)
        self._follow(name, code.references, function.__globals__)
        if reached.in_full:
            self._follow(name, code.full_references, function.__globals__)
        if code.imported:
            package = str(function.__globals__.get("__package__") or "")
            modules = {one for given in code.imported for one in absolute_names(*given, package)}
            for module in sorted(modules):
                self._add_sources(f"{name} import {module}", module)

    def _add_code(self, reached: _Reached, *, with_name: bool, with_text: bool) -> None:
        code, function = reached.code, reached.function
        parts: list[bytes] = [code.full if reached.in_full else code.short]
        if reached.in_full:
            parts.append(inspect.cleandoc(function.__doc__ or "").encode("utf-8", "surrogatepass"))
        if reached.in_full or with_name:
            parts.append(function.__name__.encode())
        if with_text:
            parts.append(code.exact)
        self.leaves.add(reached.name, b"code", *parts)
        if code.text:
            self.leaves.sources[reached.name] = code.text

    def _visit_wrapper(self, name: str, function: types.FunctionType) -> None:
        """A library's function: by name, and what it wraps or was made with."""
        self.watch.function(function)
        self.leaves.add(name, by_name(self, function))
        if hasattr(function, "__wrapped__"):
            self.visit(f"{name} wraps", function.__wrapped__)
            self._visit_attributes(name, function)
        elif function.__closure__:
            self._visit_closure(name, function)

    def _visit_defaults(self, name: str, function: types.FunctionType) -> None:
        code, given = function.__code__, function.__defaults__ or ()
        names = reversed(code.co_varnames[: code.co_argcount])
        positional = [*zip(names, reversed(given), strict=False)][::-1]  # whoever sets defaults may set too many
        for parameter, value in (*positional, *sorted((function.__kwdefaults__ or {}).items())):
            self.visit(f"{name} default {parameter}", value)

    def _visit_closure(self, name: str, function: types.FunctionType) -> None:
        for variable, cell in sorted(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)):
            if (content := content_of(cell, _NOTHING)) is not _NOTHING:
                self.visit(f"{name} closure {variable}", content)

    def _visit_attributes(self, name: str, function: types.FunctionType) -> None:
        for attribute, value in sorted(vars(function).items()):
            if attribute != "__wrapped__" and (is_own(function) or not inspect.isroutine(value)):
                self.visit(f"{name} attribute {attribute}", value)

    # ------------------------------------------------------------ names and modules

    def _follow(self, name: str, found: Iterable[Reference], module: dict[str, Any]) -> None:
        """Visit what names lead to, through own modules to what is really used; a library's goes by its name."""
        for chain, called in found:
            self.watch.name(module, chain[0])
            if chain[0] not in module:
                if is_function(planted := vars(builtins).get(chain[0])) and is_own(planted):
                    self.visit(f"{name}: {chain[0]}", planted)
                continue
            value, used, only_called = module[chain[0]], 1, called
            if is_module(value) and not is_own(value):
                if (planted := _own_within(value, chain[1:])) is not None:
                    self.visit(f"{name}: {'.'.join(chain)}", planted)
                    continue
                self.library(value.__name__)
                self.leaves.add(f"{name}: {'.'.join(chain)}", b"library", encode((value.__name__, *chain[1:])))
                continue
            for attribute in chain[1:]:
                if not is_module(value):
                    break
                self.watch.name(vars(value), attribute)
                if not hasattr(value, attribute):
                    break
                if attribute not in vars(value):  # the module's `__getattr__` has it
                    self.watch.opaque()
                value, used = getattr(value, attribute), used + 1
            if used < len(chain):  # an attribute: of a class, such as a method, or of a function
                only_called = is_class(value)
            self.visit(f"{name}: {'.'.join(chain[:used])}", value, only_called=only_called)

    def _of_library(self, value: Any) -> bytes:
        if is_module(value):
            self.library(value.__name__)
            return digest("daggr/library", value.__name__.encode())
        return by_name(self, value)

    def _add_sources(self, name: str, module: str) -> bool:
        """The sources behind a module's name; a library has none. Says whether there were any."""
        self.watch.opaque()
        sources = sorted(own_texts(module))
        for own, form, text in sources:
            self.leaves.add(leaf := f"{name} source of {own}", form)
            if text:
                self.leaves.sources.setdefault(leaf, redacted(text))
        if sources:
            self.leaves.modules[module] = sources_digest((own, form) for own, form, _ in sources)
        return bool(sources)


def _shortened(name: str) -> str:
    """The way to a leaf, without its middle if it is long: the names of a chain of functions grow with the chain."""
    return name if len(name) <= _LONG else f"{name[: _LONG // 2]} … {name[-_LONG // 2 :]}"


def _own_within(module: types.ModuleType, attributes: Iterable[str]) -> Any:
    """A function or class of the user's own that was put into a library's module; None for what is the library's."""
    value: Any = module
    for attribute in attributes:
        value = vars(value).get(attribute) if is_module(value) else None
    return value if (is_function(value) or is_class(value)) and is_own(value) else None
