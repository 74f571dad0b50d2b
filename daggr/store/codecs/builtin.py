"""Which built-in codec takes a type; the modules that know other libraries are imported when one is first met.

A module of a family has `codec_of(kind)`, the codec for exactly this type or None, and `CODECS`, by name.
"""

from __future__ import annotations

import importlib
from typing import NamedTuple, Protocol, cast

from daggr.errors import UnknownCodecError
from daggr.store.codecs.codec import Codec

VALUE = "value"
FILE = "file"
ITEMS = "items"


class Family(NamedTuple):
    """The codecs for one library's types: the module they are in, what to install, and their names."""

    module: str
    install: str
    names: tuple[str, ...]


class FamilyModule(Protocol):
    """What the module of a family has."""

    CODECS: dict[str, Codec]

    def codec_of(self, kind: type) -> Codec | None:
        """The codec for exactly this type."""


FAMILIES: dict[str, Family] = {
    "numpy": Family("daggr.store.codecs.arrays", "numpy", ("ndarray", "numpy scalar")),
    "PIL": Family("daggr.store.codecs.images", "pillow", ("image",)),
    "pandas": Family("daggr.store.codecs.frames", "pandas", ("dataframe", "series", "pandas scalar")),
    **dict.fromkeys(
        ("datetime", "decimal", "fractions", "uuid"),
        Family(
            "daggr.store.codecs.standard",
            "",
            ("datetime", "date", "time", "timedelta", "decimal", "fraction", "uuid"),
        ),
    ),
    "torch": Family("daggr.store.codecs.tensors", "torch", ("tensor",)),
    "daggr": Family("daggr.store.codecs.fileref", "", (FILE,)),
}
"""By the root of the module that a type says it is from."""

NAMES = {VALUE, ITEMS, *(name for family in FAMILIES.values() for name in family.names)}

_BY_NAME = {name: family for family in FAMILIES.values() for name in family.names}

_IMAGE_FILE = ("PIL.ImageFile", "ImageFile")
"""Plugins outside of PIL have images, too; all of them derive from this."""


def for_type(kind: type) -> Codec | None:
    """The built-in codec for exactly this type, or None."""
    root = str(kind.__module__).partition(".")[0]
    if root not in FAMILIES and any((base.__module__, base.__qualname__) == _IMAGE_FILE for base in kind.__mro__):
        root = "PIL"
    if root not in FAMILIES:
        return None
    try:
        return _module(FAMILIES[root]).codec_of(kind)
    except ImportError:
        return None


def for_name(name: str) -> Codec | None:
    """The built-in codec of a name, or None.

    Raises:
        UnknownCodecError: its library is not installed.
    """
    family = _BY_NAME.get(name)
    if family is None:
        return None
    try:
        return _module(family).CODECS[name]
    except ImportError as error:
        raise UnknownCodecError(
            f"A value was written by the codec {name!r}, which needs {family.install}: {error}.",
            f"Install it: pip install {family.install}",
        ) from error


def _module(family: Family) -> FamilyModule:
    return cast(FamilyModule, importlib.import_module(family.module))
