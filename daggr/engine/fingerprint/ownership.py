"""Whose code something is: the user's own counts by what it says, everybody else's by its name."""

from __future__ import annotations

import functools
import site
import sys
import sysconfig
import types
from pathlib import Path
from typing import Any

from daggr.engine.fingerprint.look import attribute, is_class, is_function, is_module

_MAKERS = frozenset({"types", "collections", "abc", "enum", "dataclasses"})
"""Modules that make classes for others, such as `make_dataclass`: what is not found there is not theirs."""

_DAGGR = str(Path(__file__).resolve().parents[2])


def is_own(value: Any) -> bool:
    """Whether a function, class, module or instance's class is the user's own: not Python's, installed, or daggr's."""
    if is_function(value):
        return is_own_file(value.__code__.co_filename)
    if is_module(value):
        return _is_own_module(value)
    name = None if is_class(value) else attribute(value, "__module__")
    if not isinstance(name, str):
        name = type.__getattribute__(value if is_class(value) else type(value), "__module__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None or not is_module(module):
        return name not in (None, "builtins")
    if is_class(value) and name in _MAKERS:
        return getattr(module, value.__name__, None) is not value
    return _is_own_module(module)


def _is_own_module(module: types.ModuleType) -> bool:
    if module.__name__ == "__main__":
        return True
    source = getattr(module, "__file__", None)
    if source is not None:
        return is_own_file(source)
    return any(is_own_file(folder) for folder in getattr(module, "__path__", ()))  # a folder without __init__.py


def is_standard_module(name: str) -> bool:
    """Whether a module comes with Python."""
    return name.partition(".")[0] in sys.stdlib_module_names or name == "builtins"


@functools.lru_cache(maxsize=4096)
def is_own_file(filename: str) -> bool:
    """Whether a source file is the user's. Names in angle brackets are code that was typed or made at run time."""
    if filename.startswith("<"):
        return not filename.startswith("<frozen")
    return not f"{Path(filename).resolve()}/".replace("\\", "/").startswith(_library_roots())


@functools.cache
def _library_roots() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    roots = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    roots.update(site.getsitepackages() if hasattr(site, "getsitepackages") else ())
    roots.add(site.getusersitepackages())
    roots.add(_DAGGR)
    return tuple(f"{Path(root).resolve()}/".replace("\\", "/") for root in roots)
