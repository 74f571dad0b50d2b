"""Every value goes in and out here: JSON-like values by their canonical encoding, others by the codec of their type.

A value of a type with a codec may also be a part of a JSON-like value. Types are matched exactly, never by their bases.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from daggr.digest import UnencodableError, decode, encode
from daggr.errors import ArtifactCorruptError, ConfigError, UnknownCodecError, did_you_mean
from daggr.store.codecs import builtin
from daggr.store.codecs.builtin import FILE, VALUE
from daggr.store.codecs.codec import Chunk, Codec, Content
from daggr.store.codecs.fileref import FilePath, FileRef, replaced

T = TypeVar("T")

CANONICAL = frozenset((type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset))
NAME_LIMIT = 200

_lock = threading.Lock()
_kinds: dict[str, type] = {}
_by_kind: dict[type, Codec] = {}
_by_name: dict[str, Codec] = {}


class Encoded(NamedTuple):
    """A value as the name of a codec and its content: `size` bytes, in chunks that may lie in the value's memory.

    `refs` are the files that it refers to, each once.
    """

    codec: str
    chunks: list[Chunk]
    size: int
    refs: tuple[bytes, ...] = ()


def encode_value(value: Any) -> Encoded:
    """A value as a codec's name and content. Large arrays are not copied: write the chunks before the value changes.

    A path that daggr handed out is a text like any other; files are referred to by a FileRef.

    Raises:
        UnencodableError: it, or a part of it, has a type without codec, or its codec refuses it.
    """
    kind = type(value)
    if kind in CANONICAL or kind is FilePath:
        refs: list[bytes] = []
        content = _canonical(value, refs)
        return Encoded(VALUE, [content], len(content), tuple(dict.fromkeys(refs)))
    codec = _codec_for(kind)
    if codec is None:
        raise UnencodableError(value)
    chunks = _write(codec, value)
    return Encoded(codec.name, chunks, sum(map(len, chunks)), (value.digest,) if kind is FileRef else ())


def decode_value(codec: str, content: bytes | bytearray) -> Any:
    """The value that was encoded. It is writable and shares no memory with a content of bytes; a bytearray is its own.

    Raises:
        UnknownCodecError: this process has no such codec.
        ArtifactCorruptError: the content is not what the codec wrote.
    """
    return from_canonical(content) if codec == VALUE else _read(codec, content)


def has_codec(name: str) -> bool:
    """Whether this process has a codec of a name."""
    return name in builtin.NAMES or name in _by_name


def canonical(value: Any) -> bytes:
    """The canonical encoding of a value whose parts may be written by codecs; not of references to files.

    Raises:
        UnencodableError: a part of it has a type without codec, or its codec refuses it.
    """
    return _canonical(value, None)


def from_canonical(content: Content) -> Any:
    """The value that `canonical` was given. What is stored has been checked by a hash, so its form is not.

    Raises:
        UnknownCodecError: this process does not have the codec of a part.
        ArtifactCorruptError: it cannot be read.
    """
    return decode(content, _read, checked=True)


class _PathMet(Exception):
    """There is a path that daggr handed out."""


def _canonical(value: Any, refs: list[bytes] | None) -> bytes:
    """The canonical encoding. References to files are added to `refs`; without a list for them they are refused."""

    def write(part: Any) -> tuple[str, bytes]:
        if type(part) is FilePath:
            raise _PathMet
        if type(part) is not FileRef:
            return _write_part(part)
        if refs is None:
            raise UnencodableError(part, "which stands where no file can be referred to")
        refs.append(part.digest)
        return FILE, part.digest

    try:
        return encode(value, write)
    except _PathMet:
        if refs:
            refs.clear()
        return encode(replaced(value, FilePath, str), write)


def _write_part(value: Any) -> tuple[str, bytes]:
    codec = _codec_for(type(value))
    if codec is None:
        raise UnencodableError(value)
    return codec.name, b"".join(_write(codec, value))


def _codec_for(kind: type) -> Codec | None:
    return _by_kind.get(kind) or builtin.for_type(kind)


def _write(codec: Codec, value: Any) -> list[Chunk]:
    try:
        return codec.encode(value)
    except (UnencodableError, MemoryError):
        raise
    except Exception as error:
        why = f"which its codec {codec.name!r} could not write ({type(error).__name__}: {error})"
        raise UnencodableError(value, why) from error


def _read(name: str, content: Content) -> Any:
    codec = _by_name.get(name) or builtin.for_name(name)
    if codec is None:
        raise _unknown(name)
    try:
        return codec.decode(content)
    except (ArtifactCorruptError, UnknownCodecError, MemoryError):
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ArtifactCorruptError(f"The codec {name!r} could not read a value ({why}).") from error


def _unknown(name: str) -> UnknownCodecError:
    hint = f"Register it with daggr.codec(Type, name={name!r}, encode=…, decode=…) in the script."
    if guess := did_you_mean(name, list(_by_name)):
        hint = f"{guess} {hint}"
    return UnknownCodecError(f"A value was written by the codec {name!r}, which this process does not have.", hint)


# ---------------------------------------------------------------- users' codecs


def register(
    kind: type[T], *, name: str | None = None, encode: Callable[[T], bytes], decode: Callable[[bytes], T]
) -> None:
    """Teach the store values of exactly this type: `encode` gives their bytes, `decode` an equal value of these bytes.

    Equal values must have equal bytes, in every process. The name is written into the store with each value; it is the
    type's module and name unless another is given. A name belongs to one type; registering that type again (as a script
    does that is loaded again) replaces its codec.

    Raises:
        ConfigError: the type has a codec of daggr's own, or the name cannot be taken.
    """
    _check_kind(kind, encode, decode)
    name = f"{kind.__module__}.{kind.__qualname__}" if name is None else name
    _check_name(name)
    codec = Codec(name, lambda value: [_bytes_of(name, value, encode)], lambda content: _made(kind, content, decode))
    with _lock:
        known = _kinds.get(name, kind)
        if known is not kind and _place(known) != _place(kind):
            raise ConfigError(
                f"daggr.codec({kind.__qualname__}): the name {name!r} belongs to {_place(known)}.",
                "Give each type a name of its own: daggr.codec(Type, name=…, …)",
            )
        _by_kind.pop(known, None)
        _kinds[name], _by_kind[kind], _by_name[name] = kind, codec, codec


def _check_kind(kind: Any, encode: Any, decode: Any) -> None:
    if not isinstance(kind, type):
        raise ConfigError(f"daggr.codec takes a type first; given: {kind!r}.")
    if not callable(encode) or not callable(decode):
        raise ConfigError(f"daggr.codec({kind.__qualname__}): encode and decode must be functions.")
    if kind in CANONICAL or builtin.for_type(kind) is not None:
        raise ConfigError(f"daggr.codec({kind.__qualname__}): daggr stores values of this type already.")


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.isprintable() or not name.strip() or len(name) > NAME_LIMIT:
        raise ConfigError(f"The name of a codec is a text of 1 to {NAME_LIMIT} printable characters; given: {name!r}.")
    if name in builtin.NAMES:
        raise ConfigError(f"The name of a codec cannot be {name!r}, which is daggr's own.", "Give another: name=…")


def _place(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _bytes_of(name: str, value: Any, encode: Callable[[Any], bytes]) -> bytes:
    content: object = encode(value)
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    raise UnencodableError(value, f"whose codec {name!r} gave a {type(content).__name__} instead of bytes")


def _made(kind: type[T], content: Content, decode: Callable[[bytes], T]) -> T:
    value = decode(bytes(content))
    if type(value) is not kind:
        raise TypeError(f"decode gave a {type(value).__name__}, not a {kind.__name__}")
    return value
