"""Leaves of Python definitions: the code of a function and everything of the user's own that it reaches.

Code counts by its bytecode (so comments, positions and formatting do not), for one version of Python. Followed from
there: defaults, closures, the globals that are really loaded, attribute chains on own modules, imports inside
functions, decorators, partials, methods and instances, classes with their own bases. Functions of libraries count by
name, data by value. A value of another type has no identity that could be trusted: the definition is then not cached,
and says which part it is.

Not seen: `getattr` with a computed name, `eval`, and what a library does with names.
"""

from __future__ import annotations

import collections
import functools
import re
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

from daggr.digest import UnencodableError, encode
from daggr.engine.fingerprint.code import code_bytes, imported_names, loaded_globals
from daggr.engine.fingerprint.leaves import LeafMap
from daggr.engine.fingerprint.ownership import is_own, is_standard
from daggr.engine.fingerprint.source import own_sources, sources_digest

_CLASS_NOISE = frozenset({"_abc_impl", *(f"__{name}__" for name in (
    "dict", "weakref", "module", "qualname", "doc", "firstlineno", "static_attributes", "dataclass_fields",
    "dataclass_params",
))})  # fmt: skip
_BUILT_IN_FUNCTIONS = (
    types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, types.MethodWrapperType,
    types.ClassMethodDescriptorType,
)  # fmt: skip
_VALUE_MODULES = frozenset({"datetime", "decimal", "fractions", "uuid", "pathlib"})
"""Standard modules whose instances are values: what `__reduce_ex__` gives is all of them."""

_STATELESS = frozenset({
    "logging.Logger", "_thread.lock", "_thread.RLock", "dataclasses._HAS_DEFAULT_FACTORY_CLASS",
    "dataclasses._MISSING_TYPE", "dataclasses._KW_ONLY_TYPE",
})  # fmt: skip
"""Standard instances that decide nothing."""

_PAYLOADS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (collections.defaultdict, lambda value: [value.default_factory, list(value.items())]),
    (dict, lambda value: list(value.items())),
    (collections.deque, lambda value: [value.maxlen, list(value)]),
    (list, list),
    (tuple, list),
    (str, str.__str__),
    (bytes, lambda value: bytes(memoryview(value))),
    (bool, bool),
    (int, int.__int__),
    (float, float.__float__),
    (re.Pattern, lambda value: [value.pattern, value.flags]),
    (types.MappingProxyType, lambda value: list(value.items())),
)
"""What an instance of these holds besides its attributes; the first that fits."""


def add_python(leaves: LeafMap, name: str, value: Any) -> None:
    """Add the leaves of a function, class, instance or plain value under a name."""
    try:
        _Walk(leaves).visit(name, value)
    except RecursionError:
        leaves.refuse(name, "something nested too deep")


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
                self.visit_method(name, value)
            case functools.partial():
                self.leaves.add(name, b"partial")
                self.visit_parts(name, func=value.func, args=value.args, keywords=value.keywords)
            case types.ModuleType():
                self.visit_module(name, value)
            case _ if typing.get_origin(value) is not None:  # such as list[int]; on Python 3.10 it claims to be a class
                self.leaves.add(name, b"type")
                self.visit_sequence(name, [typing.get_origin(value), *typing.get_args(value)])
            case _ if type(value).__module__ == "typing":
                self.visit_typing(name, value)
            case type():
                self.visit_class(name, value)
            case _ if isinstance(value, _BUILT_IN_FUNCTIONS):
                self.visit_bound(name, value)
            case staticmethod() | classmethod():
                self.visit(name, value.__func__)
            case property():
                self.visit_parts(name, fget=value.fget, fset=value.fset, fdel=value.fdel)
            case functools.cached_property():
                self.visit(name, value.func)
            case types.EllipsisType() | types.NotImplementedType():
                self.leaves.add(name, repr(value).encode())
            case set() | frozenset():
                self.leaves.refuse(name, f"a {type(value).__name__} of objects")
            case _:
                self.visit_instance(name, value)

    def visit_parts(self, name: str, **parts: Any) -> None:
        for part, value in parts.items():
            self.visit(f"{name} {part}", value)

    # ------------------------------------------------------------ functions

    def visit_function(self, name: str, function: types.FunctionType) -> None:
        if is_own(function):
            self.leaves.add(name, code_bytes(function.__code__))
            self.visit_parts(name, defaults=function.__defaults__, keyword_defaults=function.__kwdefaults__)
            self.visit_closure(name, function)
            self.visit_attributes(name, function)
            for chain in loaded_globals(function.__code__):
                if chain[0] in function.__globals__:
                    self.visit_chain(name, chain, function.__globals__[chain[0]])
            package = function.__globals__.get("__package__") or ""
            for imported in imported_names(function.__code__, package):
                self.visit_source(f"{name} import {imported}", imported)
            return
        self.visit_name(name, function)
        if hasattr(function, "__wrapped__"):  # a library's decorator around something
            self.visit(f"{name} wraps", function.__wrapped__)
            self.visit_attributes(name, function)
        elif function.__closure__:
            self.visit_closure(name, function)

    def visit_closure(self, name: str, function: types.FunctionType) -> None:
        for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                content = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            self.visit(f"{name} closure {variable}", content)

    def visit_attributes(self, name: str, function: types.FunctionType) -> None:
        for attribute, value in sorted(vars(function).items()):
            if attribute != "__wrapped__" and (is_own(function) or not isinstance(value, types.FunctionType)):
                self.visit(f"{name} attribute {attribute}", value)

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

    def visit_method(self, name: str, method: types.MethodType) -> None:
        if is_own(method.__func__):
            self.visit(f"{name} function", method.__func__)
            self.visit(f"{name} self", method.__self__)
        else:
            self.visit_bound(name, method)

    def visit_bound(self, name: str, function: Any) -> None:
        """A library's function, by name; what it is bound to counts, too, unless it is a source such as `random`."""
        self.visit_name(name, function)
        bound = getattr(function, "__self__", None)
        if bound is None or isinstance(bound, types.ModuleType):
            return
        if self.has_value(bound) or not is_standard(type(bound)):
            self.visit(f"{name} self", bound)

    def visit_name(self, name: str, value: Any) -> None:
        owner = getattr(value, "__self__", None)
        module = getattr(value, "__module__", None) or type(owner).__module__
        self.leaves.add(name, b"library", encode((module, getattr(value, "__qualname__", type(value).__qualname__))))

    # ------------------------------------------------------------ classes and modules

    def visit_class(self, name: str, value: type) -> None:
        if not is_own(value):
            self.visit_name(name, value)
            return
        self.leaves.add(name, b"class", value.__qualname__.encode())
        if is_own(type(value)):
            self.visit(f"{name} metaclass", type(value))
        for base in value.__bases__:
            self.visit(f"{name} base {base.__name__}", base)
        for member, content in sorted(vars(value).items()):
            if member not in _CLASS_NOISE and not _is_field_access(content):
                self.visit(f"{name}.{member}", content)

    def visit_typing(self, name: str, value: Any) -> None:
        """A name of the typing module, a forward reference or a type variable."""
        said = (
            getattr(value, "__forward_arg__", None) or getattr(value, "_name", None) or getattr(value, "__name__", "")
        )
        self.leaves.add(name, b"typing", type(value).__qualname__.encode(), str(said).encode())

    def visit_module(self, name: str, module: types.ModuleType) -> None:
        """A module that is used as a whole."""
        if not is_own(module):
            self.leaves.add(name, b"library", module.__name__.encode())
        elif not self.visit_source(name, module.__name__):
            self.leaves.refuse(name, f"the module {module.__name__}, which has no source file")

    def visit_source(self, name: str, module: str) -> bool:
        """The sources behind a module's name; a library has none. Says whether there were any."""
        sources = sorted(own_sources(module))
        for own, source in sources:
            self.leaves.add(f"{name} source of {own}", source)
        if sources:
            self.leaves.modules[module] = sources_digest(sources)
        return bool(sources)

    # ------------------------------------------------------------ instances

    def has_value(self, value: Any) -> bool:
        """Whether an object is a value: plain data, a container, or an instance of a standard value type."""
        try:
            encode(value)
        except UnencodableError:
            kind = type(value)
            is_payload = any(kind is payload for payload, _ in _PAYLOADS)
            return is_payload or kind.__module__.partition(".")[0] in _VALUE_MODULES
        return True

    def visit_instance(self, name: str, value: Any) -> None:
        kind = type(value)
        if callable(getattr(value, "__wrapped__", None)) and not is_own(kind):  # such as functools.lru_cache
            self.leaves.add(f"{name} wrapper", kind.__qualname__.encode())
            self.visit(name, value.__wrapped__)
        elif not is_own(kind) and kind.__module__.partition(".")[0] in _VALUE_MODULES:
            self.visit_name(name, kind)
            self.visit_sequence(f"{name} value", value.__reduce_ex__(2)[1:3])
        elif f"{kind.__module__}.{kind.__qualname__}" in _STATELESS:
            self.leaves.add(name, b"stateless", kind.__qualname__.encode())
        elif (is_own(kind) or any(kind is payload for payload, _ in _PAYLOADS)) and self.visit_payload(name, value):
            self.visit(f"{name} class", kind)
            self.visit_sequence(f"{name} state", [part for pair in _attributes(value) for part in pair])
        else:
            self.leaves.refuse(name, f"a {kind.__module__}.{kind.__qualname__}")

    def visit_payload(self, name: str, value: Any) -> bool:
        """What an instance holds besides its attributes. False when it holds something that cannot be seen."""
        for kind, payload in _PAYLOADS:
            if isinstance(value, kind):
                self.leaves.add(name, kind.__name__.encode())
                content = payload(value)
                if isinstance(content, list):
                    self.visit_sequence(name, content)
                else:
                    self.visit(f"{name} value", content)
                return True
        return not any(not is_own(base) and base is not object for base in type(value).__mro__ if not _is_plain(base))

    def visit_sequence(self, name: str, items: Any) -> None:
        """Parts in order. They are named by their place: a key may be a secret."""
        self.leaves.add(f"{name} length", str(len(items)).encode())
        for index, item in enumerate(items):
            if isinstance(item, tuple) and type(item) is tuple:
                self.visit_sequence(f"{name}[{index}]", item)
            else:
                self.visit(f"{name}[{index}]", item)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of an instance, from its dict and its slots, by name."""
    found: dict[str, Any] = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot not in ("__dict__", "__weakref__") and hasattr(value, slot):
                found[slot] = getattr(value, slot)
    yield from sorted(found.items())


def _is_field_access(content: Any) -> bool:
    """Whether a member of a class only reads a field, as slots and named tuples do."""
    return isinstance(content, (types.GetSetDescriptorType, types.MemberDescriptorType)) or (
        type(content).__module__ == "_collections"
    )


def _is_plain(base: type) -> bool:
    """Whether a base of the standard library keeps all it knows in Python attributes."""
    return base.__module__ in ("abc", "typing", "enum", "collections.abc", "contextlib", "dataclasses")
