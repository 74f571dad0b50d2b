"""Identity: canonical bytes, sha256 digests of content, xxh3 keys for look-ups.

The encoding is injective and typed: two values have equal bytes only if they are equal and of equal type. `True`, `1`
and `1.0` differ, as do `0.0` and `-0.0`, tuples and lists, sets and frozensets, bytes and bytearrays; all NaNs are one.
Dictionaries keep their order, because functions can see it. It is written for reading back, too:
`decode(encode(value))` is an equal value of the same type.

It is MessagePack in its shortest form, with extension types for what MessagePack does not tell apart. A value of any
other type may be written by a codec: `extend` gives the codec's name and the content.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from functools import partial
from math import isnan, nan
from typing import Any, NewType

import msgspec
import xxhash
from msgspec.msgpack import Decoder, Encoder, Ext

from daggr.errors import ArtifactCorruptError, DaggrError

Digest = NewType("Digest", bytes)
"""32 bytes of sha256: the identity of an artifact, a blob or a fingerprint."""

Key = NewType("Key", bytes)
"""16 bytes of xxh3-128: finds records. Never proof of equality: what it finds is compared."""

MAX_DEPTH = 200
"""Deeper nesting is refused rather than left to the recursion limit."""

Write = Callable[[Any], tuple[str, bytes]]
"""A codec's name and the content it makes of a value. Raises UnencodableError."""

Read = Callable[[str, memoryview], Any]
"""The value of a codec's name and content; it shares no memory with the content."""

_PATH = 80


class UnencodableError(DaggrError, TypeError):
    """A value of a type that has no canonical bytes. `path` leads to it from the value given."""

    def __init__(self, value: object, why: str = "which has no canonical form") -> None:
        kind = type(value)
        self.kind = f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else kind.__qualname__
        self.path = ""
        self._why = why
        super().__init__("")
        self.within("")

    def within(self, part: str) -> None:
        """Say in which part of a container the value was found; called from the inside out."""
        self.path = part + self.path
        shown = self.path if len(self.path) <= _PATH else f"{self.path[:_PATH]}…"
        self.message = f"{shown or 'the value'} is a {self.kind}, {self._why}"
        self.args = (self.message,)


def digest(domain: str, *parts: bytes) -> Digest:
    """sha256 over a domain name and parts, each length-prefixed."""
    written = [domain.encode(), *parts]
    prefixed = [piece for part in written for piece in (len(part).to_bytes(8, "big"), part)]
    return Digest(hashlib.sha256(b"".join(prefixed)).digest())


def key(document: bytes) -> Key:
    """The look-up key of a key document."""
    return Key(xxhash.xxh3_128_digest(document))


def encode(value: Any, extend: Write | None = None) -> bytes:
    """The canonical bytes of a JSON-like value (also tuples, sets, bytes, complex, any size of int).

    Parts of other types are given to `extend`.

    Raises:
        UnencodableError: a part of it has another type that `extend` refuses, or is nested deeper than `MAX_DEPTH`.
    """
    try:
        if _is_plain(value, 0):
            return _pack(value)
    except (OverflowError, ValueError):  # a large int, or half a character
        pass
    except _TooDeepError:  # it may hold itself; where, the slow way says
        pass
    return _encode(value, 0, extend)


def decode(data: bytes | bytearray | memoryview, extend: Read | None = None, *, checked: bool = False) -> Any:
    """The value that `encode` was given.

    Args:
        data: The bytes.
        extend: Gives the values of parts that codecs wrote.
        checked: The bytes are known to be what `encode` gave, by a checksum; else they are compared with that.

    Raises:
        ArtifactCorruptError: these are not canonical bytes.
    """
    parts: dict[int, tuple[Any, str, memoryview]] = {}
    try:
        try:
            value = _unpack(data)
        except _CodecNeeded:
            value = _decoder(extend, parts).decode(data)
        again = data if checked else encode(value, partial(_rewrite, parts))
    except (msgspec.MsgspecError, ValueError, TypeError, struct.error, RecursionError) as error:
        raise ArtifactCorruptError(f"Not a canonical encoding: {error}") from error
    if again != data:
        raise ArtifactCorruptError("Not a canonical encoding: not the shortest form, or out of order.")
    return value


# ---------------------------------------------------------------- writing

_BIG_INT, _ODD_TEXT, _BYTEARRAY, _TUPLE, _SET, _FROZENSET, _COMPLEX, _CODEC = range(1, 9)
"""Extension types: an int beyond 64 bits, a text with lone surrogates, …, a value that a codec wrote."""

_ARRAY, _MAP = (0x90, 0xDC), (0x80, 0xDE)
_TWO_FLOATS = struct.Struct(">dd")
_PLAIN = frozenset((type(None), bool, int, str, bytes))

_pack: Callable[[Any], bytes] = Encoder().encode


class _TooDeepError(Exception):
    """A value is nested beyond reason."""


def _is_plain(value: Any, depth: int) -> bool:
    """Whether MessagePack by itself tells all parts of a value apart; ints and texts may still be too odd for it."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is float:
        return not isnan(value)
    if kind not in (list, dict):
        return False
    if depth >= MAX_DEPTH:
        raise _TooDeepError  # at once: what holds itself twice has no end of parts
    if kind is list:
        return all([type(item) in _PLAIN or _is_plain(item, depth + 1) for item in value])
    for name, item in value.items():
        if type(name) is not str and not _is_plain(name, depth + 1):
            return False
        if type(item) not in _PLAIN and not _is_plain(item, depth + 1):
            return False
    return True


def _encode(value: Any, depth: int, extend: Write | None) -> bytes:
    kind = type(value)
    if (scalar := _SCALARS.get(kind)) is not None:
        return scalar(value)
    if depth >= MAX_DEPTH:
        raise UnencodableError(value, f"nested deeper than {MAX_DEPTH}")
    if kind is list or kind is tuple:
        items = [_part(item, depth, extend, f"[{index}]") for index, item in enumerate(value)]
        return _joined(_ARRAY, items) if kind is list else _ext(_TUPLE, _joined(_ARRAY, items))
    if kind is dict:
        pairs = [
            _part(name, depth, extend, " key") + _part(item, depth, extend, f"[{_short(name)}]")
            for name, item in value.items()
        ]
        return _joined(_MAP, pairs)
    if kind is set or kind is frozenset:
        members = _joined(_ARRAY, sorted(_part(item, depth, extend, "{…}") for item in value))
        return _ext(_SET if kind is set else _FROZENSET, members)
    if extend is None:
        raise UnencodableError(value)
    return _ext(_CODEC, _pack(extend(value)))


def _part(item: Any, depth: int, extend: Write | None, where: str) -> bytes:
    try:
        return _encode(item, depth + 1, extend)
    except UnencodableError as error:
        error.within(where)
        raise


def _joined(tags: tuple[int, int], items: list[bytes]) -> bytes:
    """An array, or a map of joined pairs."""
    short, long = tags
    count = len(items)
    if count < 16:
        head = bytes((short | count,))
    else:
        width = 2 if count < 1 << 16 else 4
        head = bytes((long + (width == 4),)) + count.to_bytes(width, "big")
    return head + b"".join(items)


def _ext(code: int, content: bytes) -> bytes:
    return _pack(Ext(code, content))


def _float_bytes(value: float) -> float:
    return nan if isnan(value) else value


def _write_int(value: int) -> bytes:
    if -(1 << 63) <= value < 1 << 64:
        return _pack(value)
    return _ext(_BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _write_str(value: str) -> bytes:
    try:
        return _pack(value)
    except UnicodeEncodeError:
        return _ext(_ODD_TEXT, value.encode("utf-8", "surrogatepass"))


_SCALARS: dict[type, Callable[[Any], bytes]] = {
    type(None): _pack,
    bool: _pack,
    int: _write_int,
    float: lambda value: _pack(_float_bytes(value)),
    complex: lambda value: _ext(_COMPLEX, _TWO_FLOATS.pack(_float_bytes(value.real), _float_bytes(value.imag))),
    str: _write_str,
    bytes: _pack,
    bytearray: lambda value: _ext(_BYTEARRAY, bytes(value)),
}


def _short(name: object) -> str:
    return repr(name) if isinstance(name, str) and len(name) <= _PATH else f"<{type(name).__name__}>"


# ---------------------------------------------------------------- reading


class _CodecNeeded(Exception):
    """There is a part that a codec wrote."""


def _read_extension(code: int, data: memoryview, unpack: Callable[[memoryview], Any]) -> Any:
    """The value of an extension type. Whether it is in its canonical form is seen when it is written again."""
    if code == _BIG_INT:
        return int.from_bytes(data, "big", signed=True)
    if code == _ODD_TEXT:
        return bytes(data).decode("utf-8", "surrogatepass")
    if code == _BYTEARRAY:
        return bytearray(data)
    if code == _COMPLEX:
        return complex(*_TWO_FLOATS.unpack(data))
    if code not in (_TUPLE, _SET, _FROZENSET):
        raise ValueError(f"no extension type {code}")
    items = unpack(data)
    if type(items) is not list:
        raise ValueError("no array in a tuple or set")
    return tuple(items) if code == _TUPLE else set(items) if code == _SET else frozenset(items)


def _read_plain(code: int, data: memoryview) -> Any:
    if code == _CODEC:
        raise _CodecNeeded
    return _read_extension(code, data, _unpack)


_unpack: Callable[[Any], Any] = Decoder(ext_hook=_read_plain).decode
_unpack_codec = Decoder(tuple[str, memoryview]).decode


def _decoder(extend: Read | None, parts: dict[int, tuple[Any, str, memoryview]]) -> Decoder[Any]:
    """A decoder that gives parts to codecs, and notes what they were."""

    def read(code: int, data: memoryview) -> Any:
        if code != _CODEC:
            return _read_extension(code, data, decoder.decode)
        if extend is None:
            raise ValueError("a part that a codec wrote")
        name, content = _unpack_codec(data)
        value = extend(name, content)
        parts[id(value)] = value, name, content
        return value

    decoder: Decoder[Any] = Decoder(ext_hook=read)
    return decoder


def _rewrite(parts: dict[int, tuple[Any, str, memoryview]], value: Any) -> tuple[str, Any]:
    """What a codec's value was read from."""
    if id(value) not in parts:
        raise UnencodableError(value)
    return parts[id(value)][1:]
