"""Identity: canonical bytes, sha256 digests of content, xxh3 keys for look-ups.

The encoding is injective and typed: two values have equal bytes only if they are equal and of equal type. `True`, `1`
and `1.0` differ, as do `0.0` and `-0.0`, tuples and lists, sets and frozensets, bytes and bytearrays; all NaNs are one.
Dictionaries keep their order, because functions can see it. Every part is length-prefixed, so nothing can be moved from
one part to the next. It is written for reading back, too: `decode(encode(value))` is an equal value of the same type.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable
from typing import Any, NewType

import xxhash

from daggr.errors import ArtifactCorruptError, DaggrError

Digest = NewType("Digest", bytes)
"""32 bytes of sha256: the identity of an artifact, a blob or a fingerprint."""

Key = NewType("Key", bytes)
"""16 bytes of xxh3-128: finds records. Never proof of equality: what it finds is compared."""

MAX_DEPTH = 200
"""Deeper nesting is refused rather than left to the recursion limit."""


class UnencodableError(DaggrError, TypeError):
    """A value of a type that has no canonical bytes. `path` leads to it from the value given."""

    def __init__(self, value: object, path: str) -> None:
        kind = type(value)
        self.kind = f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else kind.__qualname__
        self.path = path
        super().__init__(f"{path or 'the value'} is a {self.kind}, which has no canonical form")


def digest(domain: str, *parts: bytes) -> Digest:
    """sha256 over a domain name and parts, each length-prefixed."""
    hasher = hashlib.sha256()
    for part in (domain.encode(), *parts):
        hasher.update(len(part).to_bytes(8, "big"))
        hasher.update(part)
    return Digest(hasher.digest())


def key(document: bytes) -> Key:
    """The look-up key of a key document."""
    return Key(xxhash.xxh3_128_digest(document))


def encode(value: Any) -> bytes:
    """The canonical bytes of a JSON-like value (also tuples, sets, bytes, complex, any size of int).

    Raises:
        UnencodableError: a part of it has another type, or is nested deeper than `MAX_DEPTH`.
    """
    out = bytearray()
    _encode(value, out, "", 0)
    return bytes(out)


def decode(data: bytes) -> Any:
    """The value that `encode` was given.

    Raises:
        ArtifactCorruptError: these are not canonical bytes.
    """
    try:
        value, end = _decode(memoryview(data), 0)
    except (IndexError, KeyError, ValueError, struct.error, TypeError) as error:
        raise ArtifactCorruptError(f"Not a canonical encoding: {error}") from error
    if end != len(data):
        raise ArtifactCorruptError(f"Not a canonical encoding: {len(data) - end} bytes too many")
    return value


# ---------------------------------------------------------------- writing: tag ‖ length or count ‖ content

_LENGTH = struct.Struct(">Q")
_FLOAT = struct.Struct(">d")
_NAN = bytes.fromhex("7ff8000000000000")


def _float_bytes(value: float) -> bytes:
    return _NAN if math.isnan(value) else _FLOAT.pack(value)


def _int_bytes(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 8) // 8, "big", signed=True)


_SCALARS: dict[type, tuple[bytes, Callable[[Any], bytes]]] = {
    type(None): (b"n", lambda _: b""),
    bool: (b"?", lambda value: b"1" if value else b"0"),
    int: (b"i", _int_bytes),
    float: (b"f", _float_bytes),
    complex: (b"c", lambda value: _float_bytes(value.real) + _float_bytes(value.imag)),
    str: (b"s", lambda value: value.encode("utf-8", "surrogatepass")),
    bytes: (b"b", bytes),
    bytearray: (b"B", bytes),
}
_SEQUENCES: dict[type, bytes] = {list: b"l", tuple: b"t"}
_SETS: dict[type, bytes] = {set: b"e", frozenset: b"E"}


def _encode(value: Any, out: bytearray, path: str, depth: int) -> None:
    kind = type(value)
    if (scalar := _SCALARS.get(kind)) is not None:
        tag, content = scalar
        data = content(value)
        out += tag + _LENGTH.pack(len(data)) + data
        return
    if depth >= MAX_DEPTH:
        raise UnencodableError(value, f"{path[:40]}… (nested deeper than {MAX_DEPTH})")
    if (tag_ := _SEQUENCES.get(kind)) is not None:
        out += tag_ + _LENGTH.pack(len(value))
        for index, item in enumerate(value):
            _encode(item, out, f"{path}[{index}]", depth + 1)
    elif kind is dict:
        out += b"d" + _LENGTH.pack(len(value))
        for name, item in value.items():
            _encode(name, out, f"{path} key", depth + 1)
            _encode(item, out, f"{path}[{name!r}]", depth + 1)
    elif (tag_ := _SETS.get(kind)) is not None:
        items = []
        for item in value:
            part = bytearray()
            _encode(item, part, f"{path}{{…}}", depth + 1)
            items.append(bytes(part))
        out += tag_ + _LENGTH.pack(len(items)) + b"".join(sorted(items))
    else:
        raise UnencodableError(value, path)


# ---------------------------------------------------------------- reading


def _decode_bool(data: bytes) -> bool:
    return {b"1": True, b"0": False}[data]


_READ_SCALAR: dict[int, Callable[[bytes], Any]] = {
    ord("n"): lambda _: None,
    ord("?"): _decode_bool,
    ord("i"): lambda data: int.from_bytes(data, "big", signed=True),
    ord("f"): lambda data: _FLOAT.unpack(data)[0],
    ord("c"): lambda data: complex(_FLOAT.unpack(data[:8])[0], _FLOAT.unpack(data[8:])[0]),
    ord("s"): lambda data: data.decode("utf-8", "surrogatepass"),
    ord("b"): bytes,
    ord("B"): bytearray,
}
_READ_MANY: dict[int, Callable[[list[Any]], Any]] = {
    ord("l"): list,
    ord("t"): tuple,
    ord("e"): set,
    ord("E"): frozenset,
}


def _decode(data: memoryview, at: int) -> tuple[Any, int]:
    tag = data[at]
    (length,) = _LENGTH.unpack_from(data, at + 1)
    at += 9
    if (scalar := _READ_SCALAR.get(tag)) is not None:
        if at + length > len(data):
            raise ValueError("cut short")
        return scalar(bytes(data[at : at + length])), at + length
    count = 2 * length if tag == ord("d") else length
    if at + 9 * count > len(data):
        raise ValueError("cut short")
    items = []
    for _ in range(count):
        item, at = _decode(data, at)
        items.append(item)
    if tag == ord("d"):
        return dict(zip(items[::2], items[1::2], strict=True)), at
    return _READ_MANY[tag](items), at
