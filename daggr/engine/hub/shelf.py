"""A shelf: small JSON documents by name, in a folder of the user's. What is damaged is as if it were not there."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daggr.digest import key

MOST = 500
"""Documents that are kept; beyond that the oldest go."""

LARGEST = 16 << 20
"""Bytes that are read at most."""


class Shelf:
    """Documents in a folder, which is made when something is put there. A folder that cannot be used keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> dict[str, Any] | None:
        """A document; None if there is none that can be read."""
        kept = read(self._path(name))
        return kept["document"] if kept is not None and kept.get("name") == name and _is_object(kept) else None

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep a document, in the place of the one before it."""
        with contextlib.suppress(OSError):
            write(self._path(name), {"name": name, "document": document})
            self._tidy()

    def drop(self, name: str) -> None:
        """Keep it no longer."""
        with contextlib.suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:80]
        return self._folder / f"{readable}-{key(name.encode('utf-8', 'surrogatepass')).hex()}.json"

    def _tidy(self) -> None:
        documents = [entry for entry in os.scandir(self._folder) if entry.name.endswith(".json")]
        if len(documents) > MOST:
            for entry in sorted(documents, key=lambda entry: entry.stat().st_mtime)[: len(documents) - MOST]:
                Path(entry.path).unlink(missing_ok=True)


def _is_object(kept: Mapping[str, Any]) -> bool:
    return isinstance(kept.get("document"), dict)


def read(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file; None if there is none that can be read."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON object, for the user alone: a reader sees the one before or this one, never a part.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
    number, staged = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")  # mode 0600
    try:
        with os.fdopen(number, "wb") as file:
            file.write(text)
        os.replace(staged, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(staged)
        raise
