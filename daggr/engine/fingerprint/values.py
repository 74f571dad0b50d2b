"""The identity of values that a definition meets: data by content, functions and classes by reference to their leaves.

Of a value whose type has no codec, such as a model or a client, its class and the statement that made it count.
"""

from __future__ import annotations

import argparse
import array
import collections
import contextlib
import enum
import functools
import logging
import pathlib
import re
import string
import sys
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from daggr.digest import UnencodableError, digest, encode
from daggr.engine.fingerprint.binding import Statement, statement_for
from daggr.engine.fingerprint.look import attribute, has_leaves, is_a, is_class, is_function, is_module
from daggr.engine.fingerprint.ownership import is_own
from daggr.engine.fingerprint.watch import Watch
from daggr.store.artifacts import identify

_BUILT_IN_FUNCTIONS = (
    types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, types.MethodWrapperType,
    types.ClassMethodDescriptorType,
)  # fmt: skip

_SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes})
_WRAPPINGS: dict[type, tuple[str, ...]] = {
    functools.partial: ("func", "args", "keywords"),
    functools.partialmethod: ("func", "args", "keywords"),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    functools.cached_property: ("func",),
}
"""What is made of functions, and the attributes that say what of."""

_STATELESS = frozenset({
    "_thread.lock", "_thread.RLock", "dataclasses._HAS_DEFAULT_FACTORY_CLASS",
    "dataclasses._MISSING_TYPE", "dataclasses._KW_ONLY_TYPE",
})  # fmt: skip
"""Standard instances that decide nothing."""

_PLAIN_BASES = frozenset({"abc", "typing", "collections.abc", "contextlib", "dataclasses", "pydantic.main"})
"""Modules whose classes keep all they know in Python attributes."""

_PAYLOADS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (collections.defaultdict, lambda value: [value.default_factory, list(value.items())]),
    (collections.OrderedDict, lambda value: list(value.items())),
    (collections.Counter, lambda value: list(value.items())),
    (collections.UserDict, lambda value: [value.data]),
    (collections.UserList, lambda value: [value.data]),
    (collections.UserString, lambda value: [value.data]),
    (types.SimpleNamespace, lambda value: sorted(vars(value).items())),
    (argparse.Namespace, lambda value: sorted(vars(value).items())),
    (string.Template, lambda value: [value.template]),
    (array.array, lambda value: [value.typecode, value.tobytes()]),
    (range, lambda value: [value.start, value.stop, value.step]),
    (slice, lambda value: [value.start, value.stop, value.step]),
    (dict, lambda value: list(value.items())),
    (collections.deque, lambda value: [value.maxlen, list(value)]),
    (list, list),
    (tuple, list),
    (set, lambda value: set(value)),
    (frozenset, lambda value: set(value)),
    (str, str.__str__),
    (bytes, lambda value: bytes(memoryview(value))),
    (bool, bool),
    (int, int.__int__),
    (float, float.__float__),
    (complex, lambda value: [value.real, value.imag]),
    (re.Pattern, lambda value: [value.pattern, value.flags]),
    (types.MappingProxyType, lambda value: list(value.items())),
    (pathlib.PurePath, str),
    (BaseException, lambda value: list(value.args)),
)
"""What an instance of these holds besides its attributes; the first that fits."""


DEEP = 40
"""Objects within objects that are looked at in one go: Python's stack is not endless, and a list may be linked."""


TOO_DEEP = 1000
"""So many lists in lists take seconds to look at, and no store keeps them."""


class Unknown(Exception):
    """A part whose identity cannot be trusted: under which name, and of which kind."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(name, kind)
        self.name = name
        self.kind = kind


class Walk(Protocol):
    """What the values of a definition are part of."""

    seen: dict[int, tuple[str, Any]]
    watch: Watch
    depth: int
    """How many objects lie around the one that is looked at."""

    def meet(self, name: str, value: Any) -> str:
        """Note that an object is met, under a name that no other object has."""

    def later(self, name: str, value: Any) -> bytes:
        """Refer to an object that is looked at when the others have been."""

    def reach(self, name: str, value: Any, *, only_called: bool = False) -> bytes:
        """Refer to a function, class or module; its leaves are added under the name at which it is met first."""

    def state(self, name: str, statement: Statement) -> None:
        """Add the leaf of a statement."""

    def library(self, module: str) -> None:
        """Note that a library is used."""


def identity(walk: Walk, name: str, value: Any) -> bytes:
    """The identity of any value, equal for equal content.

    Raises:
        Unknown: it, or a part of it, has none.
    """
    if type(value) in _SCALARS:
        return b"scalar" + encode(value)
    if id(value) in walk.seen and not has_leaves(value):
        return b"seen" + walk.seen[id(value)][0].encode()
    try:
        found = identify(value)
    except UnencodableError as error:
        if "nested deeper" in error.message and _is_too_deep(value):
            raise Unknown(name, f"a {type(value).__name__} that is nested too deep") from None
    else:
        walk.watch.content(value, found)
        return b"value" + found
    if (said := _name_in_typing(value)) is not None:
        return digest("daggr/library", encode(("typing", said)))
    if has_leaves(value):
        return walk.reach(name, value)
    walk.watch.opaque()
    if walk.depth >= DEEP:
        return walk.later(name, value)
    return described(walk, walk.meet(name, value), value)


def described(walk: Walk, name: str, value: Any) -> bytes:
    """The identity of an object, by what it has. A type without identity goes by the statement that makes it.

    Raises:
        Unknown: it, or a part of it, has none.
    """
    try:
        walk.depth += 1
        return _identity(walk, name, value)
    except Unknown:
        statement = statement_for(value)
        if statement is None:
            raise
        walk.state(f"{name} statement", statement)
        return digest(
            "daggr/bound", walk.reach(f"{name} class", type(value), only_called=True), f"{name} statement".encode()
        )
    finally:
        walk.depth -= 1


def _is_too_deep(value: Any) -> bool:
    """Whether lists and the like are nested beyond all reason; what holds itself is not."""
    waiting, seen = [(value, 0)], {id(value)}
    while waiting:
        at, depth = waiting.pop()
        if depth > TOO_DEEP:
            return True
        children = at.values() if type(at) is dict else at if type(at) in (list, tuple) else ()
        for child in children:
            if type(child) in (list, tuple, dict) and id(child) not in seen:
                seen.add(id(child))
                waiting.append((child, depth + 1))
    return False


def _name_in_typing(value: Any) -> str | None:
    """The name of what `typing` has; it is a class in some versions of Python, and something else in others."""
    kind = value if type(value) is type else type(value)
    if kind.__module__ != "typing":
        return None
    said = getattr(value, "_name", None) or getattr(value, "__name__", None)
    return said if isinstance(said, str) and getattr(typing, said, None) is value else None


def _identity(walk: Walk, name: str, value: Any) -> bytes:
    for kind, attributes in _WRAPPINGS.items():
        if is_a(value, kind):
            parts = {attribute: getattr(value, attribute) for attribute in attributes}
            return _of_parts(walk, name, kind.__name__, **parts)
    if is_a(value, types.MethodType):
        return _of_method(walk, name, value)
    if is_a(value, (types.EllipsisType, types.NotImplementedType)):
        return repr(value).encode()
    if is_a(value, enum.Enum):
        return _of_member(walk, name, value)
    if type(value).__module__ in ("typing", "types") and (is_a(value, types.UnionType) or typing.get_origin(value)):
        return _of_parts(walk, name, "type", origin=_origin(value), arguments=list(typing.get_args(value)))
    if type(value).__module__ == "typing":
        return _of_typing(walk, name, value)
    return bound(walk, name, value) if is_a(value, _BUILT_IN_FUNCTIONS) else _of_instance(walk, name, value)


def _of_member(walk: Walk, name: str, value: enum.Enum) -> bytes:
    known = value.name if value.name in type(value).__members__ else None  # else a combination of flags
    content = identity(walk, f"{name} value", value.value)
    return digest("daggr/member", walk.reach(f"{name} class", type(value), only_called=True), encode(known), content)


def _of_parts(walk: Walk, name: str, kind: str, **parts: Any) -> bytes:
    found = [identity(walk, f"{name} {part}", value) for part, value in parts.items()]
    return digest("daggr/parts", kind.encode(), *found)


def _of_items(walk: Walk, name: str, items: Any) -> bytes:
    """Parts in order. They are named by their place: a key may be a secret."""
    found = [
        _of_items(walk, f"{name}[{index}]", item) if type(item) is tuple else identity(walk, f"{name}[{index}]", item)
        for index, item in enumerate(items)
    ]
    return digest("daggr/items", *found)


def _of_method(walk: Walk, name: str, method: types.MethodType) -> bytes:
    if is_own(method.__func__):
        return _of_parts(walk, name, "method", function=method.__func__, self=method.__self__)
    return bound(walk, name, method)


def bound(walk: Walk, name: str, function: Any) -> bytes:
    """A library's function, by name; what it is bound to counts, too, unless it is a source such as `random`."""
    called = by_name(walk, function)
    owner = getattr(function, "__self__", None)
    if owner is None or is_module(owner) or _is_of_module(function, owner):
        return called
    return digest("daggr/bound method", called, identity(walk, f"{name} self", owner))


def _is_of_module(function: Any, owner: Any) -> bool:
    """Whether a library gives out a bound method as its own function, as `random` does: its state is nobody's."""
    module = sys.modules.get(str(getattr(function, "__module__", None) or type(owner).__module__))
    return bool(getattr(module, getattr(function, "__name__", ""), None) == function)


def by_name(walk: Walk, value: Any) -> bytes:
    """What belongs to a library, by its module and name."""
    owner = getattr(value, "__self__", None)
    module = str(getattr(value, "__module__", None) or type(owner).__module__)
    walk.library(module)
    return digest("daggr/library", encode((module, getattr(value, "__qualname__", type(value).__qualname__))))


def _origin(value: Any) -> Any:
    origin = typing.get_origin(value)
    return "union" if origin in (None, types.UnionType, typing.Union) else origin


def _of_typing(walk: Walk, name: str, value: Any) -> bytes:
    """A name of the typing module, a forward reference or a type variable."""
    said = getattr(value, "__forward_arg__", None) or getattr(value, "_name", None) or getattr(value, "__name__", "")
    bounds = [getattr(value, "__bound__", None), *getattr(value, "__constraints__", ())]
    return digest(
        "daggr/typing", type(value).__qualname__.encode(), str(said).encode(), _of_items(walk, f"{name} bound", bounds)
    )


# ---------------------------------------------------------------- instances


def _of_instance(walk: Walk, name: str, value: Any) -> bytes:
    kind = type(value)
    if callable(attribute(value, "__wrapped__")) and not is_own(kind):  # such as functools.lru_cache
        return _of_parts(walk, name, kind.__qualname__, wraps=value.__wrapped__)
    if is_a(value, logging.Logger):  # its name is often that of the module, which may be `__main__`
        return b"logger" if (found := statement_for(value)) is None else found.form
    if f"{kind.__module__}.{kind.__qualname__}" in _STATELESS:
        return digest("daggr/stateless", kind.__qualname__.encode())
    if is_a(value, pathlib.PurePath) and not is_own(kind):  # its class is found elsewhere in every version
        return digest("daggr/path", encode([kind.__name__, str(value)]))
    if is_own(kind) or any(kind is payload for payload, _ in _PAYLOADS):
        content = _payload(walk, name, value)
        state = [_of_items(walk, f"{name}.{attribute}", [part]) for attribute, part in _attributes(value)]
        names = encode([attribute for attribute, _ in _attributes(value)])
        return digest("daggr/instance", walk.reach(f"{name} class", kind, only_called=True), content, names, *state)
    raise Unknown(name, f"a {kind.__module__}.{kind.__qualname__}")


def _payload(walk: Walk, name: str, value: Any) -> bytes:
    """What an instance holds besides its attributes."""
    for kind, payload in _PAYLOADS:
        if is_a(value, kind):
            content = payload(value)
            if isinstance(content, set):
                return digest("daggr/set", *_members(walk, name, content))
            if isinstance(content, list):
                return digest("daggr/payload", kind.__name__.encode(), _of_items(walk, name, content))
            return digest("daggr/payload", kind.__name__.encode(), identity(walk, name, content))
    strange = [base for base in type(value).__mro__ if not is_own(base) and base is not object]
    if any(base.__module__ not in _PLAIN_BASES for base in strange):
        raise Unknown(name, f"a {type(value).__module__}.{type(value).__qualname__}")
    return b""


def _members(walk: Walk, name: str, members: set[Any]) -> list[bytes]:
    """The members of a set that are not all plain data, in an order of their own: that of the set is chance."""
    placed: dict[bytes, Any] = {}
    for member in members:
        place = _place(name, member)
        if place in placed:
            raise Unknown(name, "a set of objects")
        placed[place] = member
    return [identity(walk, f"{name}{{…}}", placed[place]) for place in sorted(placed)]


def _place(name: str, member: Any) -> bytes:
    """Where a member of a set comes among the others: what has neither a name nor a value has no place."""
    if is_a(member, enum.Enum):
        return encode((1, type(member).__qualname__, type(member).__module__, str(member)))
    if is_class(member) or is_function(member):
        return encode((2, member.__qualname__, member.__module__))
    try:
        return encode((3, bytes(identify(member))))
    except UnencodableError:
        if type(member) not in (tuple, frozenset):
            raise Unknown(name, "a set of objects") from None
    places = [_place(name, part) for part in member]
    return encode((4, places if type(member) is tuple else sorted(places)))


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of an instance, from its dict and its slots, by name."""
    try:
        found: dict[str, Any] = dict(object.__getattribute__(value, "__dict__"))
    except AttributeError:  # it has slots only
        found = {}
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot not in ("__dict__", "__weakref__"):
                with contextlib.suppress(AttributeError):  # not assigned yet
                    found[slot] = object.__getattribute__(value, slot)
    yield from sorted((name, part) for name, part in found.items() if isinstance(name, str))
