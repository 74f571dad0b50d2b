"""Versions of installed libraries: shown with a run, never part of a key."""

from __future__ import annotations

import functools
import importlib.metadata
import sys

from daggr.engine.fingerprint.ownership import is_standard_module


@functools.lru_cache(maxsize=1024)
def library_version(package: str) -> str:
    """The version of the library that a top-level package belongs to; empty for Python's own and what says none."""
    if is_standard_module(package):
        return ""
    said = getattr(sys.modules.get(package), "__version__", None)
    if isinstance(said, str):
        return said
    try:
        return importlib.metadata.version(package)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""
