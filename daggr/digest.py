"""Identity: canonical bytes, sha256 digests of content, xxh3 keys for look-ups.

The encoding is injective and typed: two values have equal bytes only if they are equal and of equal type. `True`, `1`
and `1.0` differ, as do `0.0` and `-0.0`, tuples and lists, sets and frozensets, bytes and bytearrays; all NaNs are one.
Dictionaries keep their order, because functions can see it. Every part is length-prefixed, so nothing can be moved from
one part to the next. It is written for reading back, too: `decode(encode(value))` is an equal value of the same type.
"""

from __future__ import annotations

import hashlib
import itertools
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
    _encode(value, out, 0)
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
_FLOATS = struct.Struct(">dd")
_HEAD = 1 + _LENGTH.size
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


def _encode(value: Any, out: bytearray, depth: int) -> None:
    kind = type(value)
    if (scalar := _SCALARS.get(kind)) is not None:
        tag, content = scalar
        data = content(value)
        out += tag + _LENGTH.pack(len(data)) + data
        return
    if depth >= MAX_DEPTH:
        raise UnencodableError(value, f"nested deeper than {MAX_DEPTH}")
    if (sequence := _SEQUENCES.get(kind)) is not None:
        out += sequence + _LENGTH.pack(len(value))
        for index, item in enumerate(value):
            try:
                _encode(item, out, depth + 1)
            except UnencodableError as error:
                error.within(f"[{index}]")
                raise
    elif kind is dict:
        out += b"d" + _LENGTH.pack(len(value))
        for name, item in value.items():
            at_key = True
            try:
                _encode(name, out, depth + 1)
                at_key = False
                _encode(item, out, depth + 1)
            except UnencodableError as error:
                error.within(" key" if at_key else f"[{_short(name)}]")
                raise
    elif (tag_of_set := _SETS.get(kind)) is not None:
        items = []
        for item in value:
            encoded = bytearray()
            try:
                _encode(item, encoded, depth + 1)
            except UnencodableError as error:
                error.within("{…}")
                raise
            items.append(bytes(encoded))
        out += tag_of_set + _LENGTH.pack(len(items)) + b"".join(sorted(items))
    else:
        raise UnencodableError(value)


def _short(name: object) -> str:
    return repr(name) if isinstance(name, str) and len(name) <= _PATH else f"<{type(name).__name__}>"


# ---------------------------------------------------------------- reading


_READ_SCALAR: dict[int, Callable[[bytes], Any]] = {
    ord("n"): lambda _: None,
    ord("?"): lambda data: data == b"1",
    ord("i"): lambda data: int.from_bytes(data, "big", signed=True),
    ord("f"): lambda data: _FLOAT.unpack(data)[0],
    ord("c"): lambda data: complex(*_FLOATS.unpack(data)),
    ord("s"): lambda data: data.decode("utf-8", "surrogatepass"),
    ord("b"): bytes,
    ord("B"): bytearray,
}
_READ_SEQUENCE: dict[int, Callable[[list[Any]], Any]] = {ord("l"): list, ord("t"): tuple}
_READ_SET: dict[int, Callable[[list[Any]], Any]] = {ord("e"): set, ord("E"): frozenset}


def _decode(data: memoryview, at: int, depth: int = 0) -> tuple[Any, int]:
    """The value that begins at a place and the place where it ends. Only what `encode` writes is taken."""
    tag = data[at]
    (length,) = _LENGTH.unpack_from(data, at + 1)
    at += _HEAD
    if (scalar := _READ_SCALAR.get(tag)) is not None:
        content = bytes(data[at : at + length])
        value = scalar(content)
        if len(content) != length or _SCALARS[type(value)][1](value) != content:
            raise ValueError("not the form of a scalar")
        return value, at + length
    if depth >= MAX_DEPTH or at + _HEAD * length > len(data):
        raise ValueError("nested too deep or cut short")
    if tag == ord("d"):
        return _decode_dict(data, at, length, depth + 1)
    items, ends = [], [at]
    for _ in range(length):
        item, end = _decode(data, ends[-1], depth + 1)
        items.append(item)
        ends.append(end)
    if (sequence := _READ_SEQUENCE.get(tag)) is not None:
        return sequence(items), ends[-1]
    parts = [bytes(data[start:end]) for start, end in itertools.pairwise(ends)]
    members = _READ_SET[tag](items)
    # sorted, and each once; only NaNs may come again, since none equals another
    if any(one > other for one, other in itertools.pairwise(parts)) or len(members) != length:
        raise ValueError("a set out of order")
    return members, ends[-1]


def _decode_dict(data: memoryview, at: int, length: int, depth: int) -> tuple[dict[Any, Any], int]:
    result: dict[Any, Any] = {}
    for _ in range(length):
        name, at = _decode(data, at, depth)
        result[name], at = _decode(data, at, depth)
    if len(result) != length:
        raise ValueError("a key that comes twice")
    return result, at
