"""The public face as text: every name of `daggr.__all__` with its signatures.

    python -m tests.house.face            print it
    python -m tests.house.face --write    accept it as tests/house/public_face.txt

A change of that file is a change that users see: it belongs in the changelog.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import daggr

SNAPSHOT = Path(__file__).with_name("public_face.txt")


def face() -> str:
    """The whole face, names in the order of the alphabet."""
    return "".join(f"{line}\n" for name in sorted(daggr.__all__) for line in describe(name, getattr(daggr, name)))


def describe(name: str, thing: object) -> Iterator[str]:
    """The lines of one public name."""
    if isinstance(thing, type):
        bases = ", ".join(base.__name__ for base in thing.__bases__ if base is not object)
        yield f"class {name}{f' < {bases}' if bases else ''}"
        yield f"    {name}{signature(thing)}"
        for member in sorted(public_members(thing)):
            yield f"    .{member}{member_text(inspect.getattr_static(thing, member))}"
    elif callable(thing):
        yield f"def {name}{signature(thing)}"
    elif inspect.ismodule(thing):
        yield f"module {name}"
    else:
        yield f"{name}: {type(thing).__name__}"


def public_members(cls: type) -> set[str]:
    """Methods and properties without an underscore that daggr's own classes define."""
    return {
        name
        for base in cls.__mro__
        if base.__module__.partition(".")[0] == "daggr"
        for name, value in vars(base).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, (property, staticmethod, classmethod)))
    }


def member_text(member: object) -> str:
    """What follows a member's name."""
    if isinstance(member, property):
        return " (settable property)" if member.fset else " (property)"
    if isinstance(member, (staticmethod, classmethod)):
        return f"{signature(member.__func__)} ({type(member).__name__})"
    return signature(member)


class Bare(str):
    """An annotation that shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def signature(thing: object) -> str:
    """A signature without quotes around types and without addresses; `(…)` where Python cannot tell."""
    try:
        found = inspect.signature(thing)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "(…)"
    parameters = [p.replace(annotation=bare(p.annotation)) for p in found.parameters.values()]
    text = str(found.replace(parameters=parameters, return_annotation=bare(found.return_annotation)))
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def bare(annotation: object) -> object:
    """An annotation, bare if it is a text."""
    return Bare(annotation) if isinstance(annotation, str) else annotation


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        SNAPSHOT.write_text(face(), encoding="utf-8", newline="\n")
    else:
        sys.stdout.write(face())
