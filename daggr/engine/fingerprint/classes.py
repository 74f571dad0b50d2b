"""The leaves of a class of the user's own: its bases, and what its body says. What Python generates is left out."""

from __future__ import annotations

import abc
import enum
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

from daggr.digest import digest, encode
from daggr.engine.fingerprint.binding import Statement, statement_of
from daggr.engine.fingerprint.leaves import LeafMap
from daggr.engine.fingerprint.look import is_a, is_function
from daggr.engine.fingerprint.ownership import is_own
from daggr.engine.fingerprint.redact import redacted
from daggr.engine.fingerprint.text import source_text
from daggr.engine.fingerprint.values import Unknown, Walk, identity

_NOISE = frozenset({"_abc_impl", "_is_protocol", "_is_runtime_protocol", *(f"__{name}__" for name in (
    "dict", "weakref", "module", "qualname", "doc", "firstlineno", "static_attributes", "dataclass_fields",
    "protocol_attrs", "dataclass_params", "non_callable_proto_members", "parameters", "readonly_keys", "mutable_keys",
    "classcell", "callable_proto_members_only", "annotate_func", "annotations_cache", "type_params",
))})  # fmt: skip
_OF_NAMED_TUPLES = frozenset({
    "__new__", "_make", "_replace", "__replace__", "__repr__", "_asdict", "__getnewargs__", "__match_args__",
    "__orig_bases__",
})  # fmt: skip
_OF_PROTOCOLS = frozenset({"__init__", "__subclasshook__"})
_PLAIN_METACLASSES = (type, abc.ABCMeta, enum.EnumMeta)
_DECORATED = ("init", "repr", "eq", "order", "unsafe_hash", "frozen")
_FIELD = ("name", "init", "repr", "hash", "compare", "kw_only")


class Leaves(Walk, typing.Protocol):
    """A walk that takes leaves."""

    leaves: LeafMap

    def add(self, name: str, *parts: bytes) -> None:
        """Add a leaf."""

    def visit(self, name: str, value: Any, *, only_called: bool = False) -> None:
        """Add the leaves of a value."""


def add_class(walk: Leaves, name: str, value: type, *, in_full: bool) -> None:
    """Add the leaves of a class. `in_full`: it is passed on to somebody, who may ask its methods for their docstrings.

    Raises:
        Unknown: a part has no identity, and no statement at the top of its module makes the class.
    """
    head = [value.__qualname__.encode(), _docstring(value).encode()]
    if is_own(type(value)):
        head.append(identity(walk, f"{name} metaclass", type(value)))
    for base in value.__bases__:
        head.append(walk.reach(f"{name} base {base.__name__}", base, only_called=True))
    walk.add(name, b"class", *head)
    module = sys.modules.get(value.__module__)
    source = source_text(str(getattr(module, "__file__", "")))
    if source is not None and (text := source.class_segment(value.__qualname__)):
        walk.leaves.sources[name] = redacted(text)
    if _is_made_by_library(value):
        walk.state(f"{name} statement", _statement(name, value))
        for member, function in own_functions(value):
            walk.reach(f"{name}.{member}", function)
        return
    try:
        _add_members(walk, name, value, only_called=not (in_full or reads_docs(value)))
    except Unknown as unknown:
        walk.state(f"{name} statement", _statement(unknown.name, value, unknown.kind))


def reads_docs(value: type) -> bool:
    """Whether something may read the docstrings and annotations of a class's methods: a base, metaclass or hook."""
    if type(value) not in _PLAIN_METACLASSES:
        return True
    return any(
        "__init_subclass__" in vars(base)
        if is_own(base)
        else base.__module__ not in ("builtins", "abc", "enum", "typing")
        for base in value.__mro__
    )


def _add_members(walk: Leaves, name: str, value: type, *, only_called: bool) -> None:
    if "__dataclass_fields__" in vars(value):
        walk.add(f"{name} fields", _fields(walk, name, value))
    if issubclass(value, enum.Enum):
        walk.add(f"{name} members", encode(list(value.__members__)))
        for member, one in value.__members__.items():
            walk.add(f"{name}.{member}", encode(one.name), identity(walk, f"{name}.{member}", one.value))
    for member, content in sorted(vars(value).items()):
        if not _is_noise(value, member, content):
            if is_function(content):
                walk.visit(f"{name}.{member}", content, only_called=only_called)
            else:
                walk.add(f"{name}.{member}", identity(walk, f"{name}.{member}", content))


def _fields(walk: Walk, name: str, value: Any) -> bytes:
    """What a dataclass's decorator was told, and its fields."""
    parts = [encode([bool(getattr(value.__dataclass_params__, part, False)) for part in _DECORATED])]
    for one in value.__dataclass_fields__.values():
        said = [getattr(one, part, None) for part in _FIELD]
        parts.append(encode([part if isinstance(part, (str, bool)) else None for part in said]))
        parts.append(identity(walk, f"{name}.{one.name} default", one.default))
        parts.append(identity(walk, f"{name}.{one.name} default_factory", one.default_factory))
        parts.append(identity(walk, f"{name}.{one.name} metadata", one.metadata))
    return digest("daggr/fields", *parts)


def _is_noise(owner: type, member: str, content: Any) -> bool:
    """Whether a member says nothing that is not said elsewhere: what Python makes, and plain access to fields."""
    if member in _NOISE or is_a(content, (types.GetSetDescriptorType, types.MemberDescriptorType)):
        return True
    if type(content).__name__ == "_tuplegetter":
        return True
    function = inspect.unwrap(content) if is_function(content) else _unwrapped(content)
    code = function.__code__ if is_function(function) else None
    if "__dataclass_fields__" in vars(owner) and (member == "__match_args__" or _is_generated(code)):
        return True
    if "_fields" in vars(owner) and issubclass(owner, tuple) and member in _OF_NAMED_TUPLES:
        return not (is_function(content) and is_own(content) and not _is_generated(code))
    if isinstance(owner, enum.EnumMeta):
        is_sunder = member.startswith("_") and member.endswith("_")
        return (is_sunder and not _is_written(content)) or member in owner.__members__
    if member == "__annotations__" and not content:
        return True
    return member in _OF_PROTOCOLS and typing.Protocol in owner.__mro__ and not _is_written(content)


def _is_written(content: Any) -> bool:
    """Whether a function stands in the user's own source."""
    function = _unwrapped(content)
    return is_function(function) and is_own(function) and not _is_generated(function.__code__)


def _unwrapped(content: Any) -> Any:
    return content.__func__ if is_a(content, (staticmethod, classmethod)) else content


def _is_generated(code: Any) -> bool:
    return isinstance(code, types.CodeType) and (code.co_filename == "<string>" or "dataclasses" in code.co_filename)


def _docstring(value: type) -> str:
    """What the class says of itself; nothing where Python wrote it."""
    written = vars(value).get("__doc__")
    if not isinstance(written, str):
        return ""
    text = inspect.cleandoc(written)
    made = text.startswith(f"{value.__name__}(") and ("__dataclass_fields__" in vars(value) or "_fields" in vars(value))
    return "" if made or (is_a(value, enum.EnumMeta) and text == "An enumeration.") else text


def _is_made_by_library(value: type) -> bool:
    """Whether a library's metaclass made the class, such as pydantic's: what is in it then is not what was written."""
    kind = type(value)
    return kind not in _PLAIN_METACLASSES and not is_own(kind) and kind.__module__ != "typing"


def own_functions(value: type) -> Iterator[tuple[str, Any]]:
    """The functions of a class that stand in the user's source, by member."""
    for member, content in sorted(vars(value).items()):
        function = _unwrapped(content)
        if is_function(function) and is_own(function) and not _is_generated(function.__code__):
            yield member, function


def _statement(name: str, value: type, kind: str = "") -> Statement:
    module = sys.modules.get(value.__module__)
    found = (
        statement_of(vars(module), value.__name__)
        if module is not None and value.__qualname__ == value.__name__
        else None
    )
    if found is None:
        raise Unknown(name, kind or f"the class {value.__qualname__}, whose statement is not at the top of its module")
    return found
