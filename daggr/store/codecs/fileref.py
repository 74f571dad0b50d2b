"""Files within values: a reference as it is stored, and a path as functions are given it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import is_
from typing import Any, overload

from daggr.digest import MAX_DEPTH
from daggr.store.codecs.codec import Chunk, Codec, Content

_LENGTH = 32
_LEAVES = frozenset((str, int, float, bool, bytes, type(None)))


@dataclass(frozen=True, slots=True)
class FileRef:
    """Stands for a file artifact within lists, tuples, dicts and sets."""

    digest: bytes


class FilePath(str):
    """A path that daggr hands to a function: a text that also reads like Gradio's dict of a file, by `["path"]`.

    Attributes:
        digest: The file artifact that it is a copy of, if that is known.
    """

    __slots__ = ("digest",)
    digest: bytes

    def __new__(cls, path: str, digest: bytes = b"") -> FilePath:
        """A path; pickled it is a plain text."""
        made = super().__new__(cls, path)
        made.digest = digest
        return made

    def __getitem__(self, key: Any) -> str:
        """A part of the text, or the whole of it as `["path"]`."""
        if type(key) is str:
            if key == "path":
                return str(self)
            raise KeyError(key)
        return super().__getitem__(key)

    @overload
    def get(self, key: str) -> str | None: ...
    @overload
    def get(self, key: str, default: Any) -> Any: ...
    def get(self, key: str, default: Any = None) -> Any:
        """The path for `"path"`, else the default."""
        return str(self) if key == "path" else default

    def __copy__(self) -> FilePath:
        """Nothing of it changes."""
        return self

    def __deepcopy__(self, memo: object) -> FilePath:
        """Nothing of it changes."""
        return self

    def __reduce_ex__(self, protocol: object) -> tuple[type[str], tuple[str]]:
        """Elsewhere it is a text."""
        return str, (str(self),)


def replaced(value: Any, kind: type, by: Callable[[Any], Any], depth: int = 0) -> Any:
    """A value with `by(part)` in place of each part of exactly this type. What has no such part is the same object.

    Looks into lists, tuples, dicts and sets; these are not changed, but made anew where a part of them is replaced.
    """
    given = type(value)
    if given is kind:
        return by(value)
    if depth > MAX_DEPTH:
        return value
    if given is dict:
        parts = [part for pair in value.items() for part in pair]
    elif given in (list, tuple, set, frozenset):
        parts = list(value)
    else:
        return value
    new = [part if type(part) in _LEAVES else replaced(part, kind, by, depth + 1) for part in parts]
    if all(map(is_, new, parts)):
        return value
    return dict(zip(new[::2], new[1::2], strict=True)) if given is dict else given(new)


# ---------------------------------------------------------------- the codec


def codec_of(kind: type) -> Codec | None:
    """The codec for exactly this type."""
    return CODECS["file"] if kind is FileRef else None


def _write(value: FileRef) -> list[Chunk]:
    return [value.digest]


def _read(content: Content) -> FileRef:
    if len(content) != _LENGTH:
        raise ValueError("no digest")
    return FileRef(bytes(content))


CODECS = {"file": Codec("file", _write, _read)}
