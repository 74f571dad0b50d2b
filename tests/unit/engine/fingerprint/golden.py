"""The digests that a choice of projects must have under every Python, in every process and every place.

    python -m tests.unit.engine.fingerprint.golden            print them
    python -m tests.unit.engine.fingerprint.golden --write    accept them as tests/golden/fingerprints.json

A change of that file makes every user's results stale: it belongs in the changelog.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.unit.engine.fingerprint.edits import MUST_CHANGE, MUST_NOT_CHANGE
from tests.unit.engine.fingerprint.edits.edit import Project
from tests.unit.engine.fingerprint.projects import print_in

FILE = Path(__file__).parents[3] / "golden" / "fingerprints.json"

CHOICE = [
    "body",
    "big number",
    "constant in a set",
    "loops of a nested comprehension",
    "walrus in a comprehension",
    "f-string nested format",
    "f-string that shows its expression",
    "finally",
    "nonlocal",
    "async with",
    "match mapping",
    "keyword default",
    "second lambda of a line",
    "closure object",
    "partial of a method",
    "three that call each other",
    "three hops",
    "relative import",
    "import in the function",
    "what an own decorator wraps",
    "what lru_cache of a size wraps",
    "function registered with singledispatch",
    "state of a global object",
    "cached property",
    "super",
    "base that registers its children",
    "abstract class",
    "generic class",
    "protocol with a body",
    "field of a dataclass",
    "dataclass with slots",
    "default of a named tuple",
    "named tuple of collections",
    "method of an enumeration",
    "enumeration of texts",
    "flags",
    "default of a pydantic model",
    "pydantic model in another one",
    "table in a table",
    "decorator that registers",
    "nested dict",
    "set",
    "date",
    "pattern",
    "path",
    "element of an array",
    "pixel of an image",
    "address of a client",
    "docstring of a class that is read",
    "annotation that a decorator reads",
    "annotated limit that is read",
    "local that a comprehension reads",
    "annotations as texts",
    "formatting",
]
"""Edits whose projects, as they are before the edit, are held fast."""


def chosen() -> dict[str, Project]:
    """The projects by name."""
    projects = {edit.name: edit.before for edit in [*MUST_CHANGE, *MUST_NOT_CHANGE]}
    return {name: projects[name] for name in CHOICE}


def digests(projects: dict[str, Project]) -> dict[str, str]:
    """The digest of each project, made in a folder that is gone afterwards; the refusal, if one is refused."""
    with tempfile.TemporaryDirectory() as folder:
        prints = {name: print_in(Path(folder, str(n)), one) for n, (name, one) in enumerate(projects.items())}
    return {name: found.uncached or found.digest.hex() for name, found in prints.items()}


def as_text(found: dict[str, str]) -> str:
    """The digests as the file holds them."""
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str], file: Path = FILE) -> None:
    """Print the digests, or write them."""
    text = as_text(digests(chosen()))
    if "--write" in arguments:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    else:
        sys.stdout.buffer.write(text.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
