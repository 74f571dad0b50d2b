"""Looking at objects without asking them: some say that they are another, or have an answer to every attribute."""

from __future__ import annotations

import inspect
import types
import typing
from typing import Any


def is_a(value: Any, kinds: type | tuple[type, ...]) -> bool:
    """Whether the type of a value is one of these or derives from it, whatever its `__class__` says."""
    return issubclass(type(value), kinds)  # `isinstance` would believe `__class__`


def attribute(value: Any, name: str, default: Any = None) -> Any:
    """An attribute as it lies in an object or its class; no code of the object's is run."""
    try:
        return inspect.getattr_static(value, name, default)
    except Exception:  # noqa: BLE001  (whatever it is, it has no such attribute)
        return default


def is_class(value: Any) -> bool:
    """Whether this is a class."""
    return type(value) is type or (is_a(value, type) and typing.get_origin(value) is None)  # on 3.10 list[int] is one


def is_module(value: Any) -> bool:
    """Whether this is a module that the import system made."""
    return issubclass(type(value), types.ModuleType) and isinstance(vars(value).get("__name__"), str)


def has_leaves(value: Any) -> bool:
    """Whether this is a function, a module or a class: what has leaves of its own, and is referred to."""
    return is_function(value) or is_module(value) or is_class(value)


def content_of(cell: types.CellType, default: Any = None) -> Any:
    """What a variable of a function around holds; the default if nothing was assigned yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return default


def is_function(value: Any) -> bool:
    """Whether this is a function made by `def` or `lambda`."""
    return type(value) is types.FunctionType  # which nothing can derive from
