"""Own modules as a whole, by their source: their files and the files of all own modules that these import.

Read from disk without executing anything, so it is the same whether or not a module has been loaded yet.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from daggr.digest import Digest, digest
from daggr.engine.fingerprint.code import absolute_names
from daggr.engine.fingerprint.ownership import is_own_file
from daggr.engine.fingerprint.scope import imports
from daggr.engine.fingerprint.text import source_text

LONGEST_TEXT = 200_000
"""The texts of longer modules are not kept with a definition."""


def own_sources(module: str) -> Iterator[tuple[str, bytes]]:
    """The name and canonical form of an own module, its packages, and every own module they import; each once."""
    for name, form, _ in own_texts(module):
        yield name, form


def own_texts(module: str) -> Iterator[tuple[str, bytes, str]]:
    """As `own_sources`, with the texts: empty for what is no Python, or too long to keep."""
    waiting, seen = [module], set()
    while waiting:
        name = waiting.pop()
        if name in seen or not name:
            continue
        seen.add(name)
        waiting.append(name.rpartition(".")[0])
        spec = _find(name)
        if spec is None or spec.origin is None or not is_own_file(spec.origin) or not spec.has_location:
            continue
        source = source_text(spec.origin)
        if source is None:
            yield name, digest("daggr/file", Path(spec.origin).read_bytes()), ""
            continue
        yield name, source.form, source.text if len(source.text) <= LONGEST_TEXT else ""
        package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
        waiting.extend(one for given in imports(source.imported) for one in absolute_names(*given, package))


def sources_digest(sources: Iterable[tuple[str, bytes]]) -> Digest:
    """One digest over sources by name."""
    return digest("daggr/sources", *(part for name, source in sorted(sources) for part in (name.encode(), source)))


def _find(name: str) -> importlib.machinery.ModuleSpec | None:
    """The spec of a module, found without importing its packages."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__spec__", None)
    path = None
    spec = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[:end]), path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    return spec
