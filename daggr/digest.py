"""Identity: canonical bytes, sha256 digests of content, xxh3 keys for look-ups.

The encoding is injective and typed: two values have equal bytes only if they are equal and of equal type. `True`, `1`
and `1.0` differ, as do `0.0` and `-0.0`, tuples and lists, sets and frozensets, bytes and bytearrays; all NaNs are one.
Dictionaries keep their order, because functions can see it. Every part is length-prefixed, so nothing can be moved from
one part to the next. It is written for reading back, too: `decode(encode(value))` is an equal value of the same type.

A value of any other type may be written by a codec: `extend` gives the codec's name and the content.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Callable
from math import isnan
from typing import Any, NewType

import xxhash

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
    hasher = hashlib.sha256()
    for part in (domain.encode(), *parts):
        hasher.update(len(part).to_bytes(8, "big"))
        hasher.update(part)
    return Digest(hasher.digest())


def key(document: bytes) -> Key:
    """The look-up key of a key document."""
    return Key(xxhash.xxh3_128_digest(document))


def encode(value: Any, extend: Write | None = None) -> bytes:
    """The canonical bytes of a JSON-like value (also tuples, sets, bytes, complex, any size of int).

    Parts of other types are given to `extend`.

    Raises:
        UnencodableError: a part of it has another type that `extend` refuses, or is nested deeper than `MAX_DEPTH`.
    """
    if (scalar := _SCALARS.get(type(value))) is not None:
        return scalar(value)
    out = bytearray()
    _encode(value, out, 0, extend)
    return bytes(out)


def decode(data: bytes | bytearray | memoryview, extend: Read | None = None) -> Any:
    """The value that `encode` was given.

    Raises:
        ArtifactCorruptError: these are not canonical bytes.
    """
    data = data if type(data) is bytes else bytes(data)
    try:
        value, end = _decode(data, 0, 0, extend)
    except (IndexError, KeyError, ValueError, struct.error, TypeError) as error:
        raise ArtifactCorruptError(f"Not a canonical encoding: {error}") from error
    if end != len(data):
        raise ArtifactCorruptError(f"Not a canonical encoding: {len(data) - end} bytes too many")
    return value


# ---------------------------------------------------------------- writing: tag ‖ length or count ‖ content

_HEADER = struct.Struct(">cQ")
_FLOAT = struct.Struct(">d")
_FLOATS = struct.Struct(">dd")
_HEAD = _HEADER.size
_NAN = bytes.fromhex("7ff8000000000000")

_header, _pack_float = _HEADER.pack, _FLOAT.pack
_NONE = _header(b"n", 0)
_FALSE, _TRUE = (_header(b"?", 1) + content for content in (b"0", b"1"))
_FLOAT_HEADER = _header(b"f", _FLOAT.size)
_COMPLEX_HEADER = _header(b"c", _FLOATS.size)


def _float_bytes(value: float) -> bytes:
    return _NAN if isnan(value) else _pack_float(value)


def _write_int(value: int) -> bytes:
    length = value.bit_length() // 8 + 1
    return _header(b"i", length) + value.to_bytes(length, "big", signed=True)


def _write_str(value: str) -> bytes:
    content = value.encode("utf-8", "surrogatepass")
    return _header(b"s", len(content)) + content


_SCALARS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: _NONE,
    bool: lambda value: _TRUE if value else _FALSE,
    int: _write_int,
    float: lambda value: _FLOAT_HEADER + _float_bytes(value),
    complex: lambda value: _COMPLEX_HEADER + _float_bytes(value.real) + _float_bytes(value.imag),
    str: _write_str,
    bytes: lambda value: _header(b"b", len(value)) + value,
    bytearray: lambda value: _header(b"B", len(value)) + bytes(value),
}
_SEQUENCES: dict[type, bytes] = {list: b"l", tuple: b"t"}
_SETS: dict[type, bytes] = {set: b"e", frozenset: b"E"}


def _encode(value: Any, out: bytearray, depth: int, extend: Write | None) -> None:
    kind = type(value)
    if (scalar := _SCALARS.get(kind)) is not None:
        out += scalar(value)
        return
    if depth >= MAX_DEPTH:
        raise UnencodableError(value, f"nested deeper than {MAX_DEPTH}")
    if (sequence := _SEQUENCES.get(kind)) is not None:
        out += _header(sequence, len(value))
        for index, item in enumerate(value):
            try:
                _encode(item, out, depth + 1, extend)
            except UnencodableError as error:
                error.within(f"[{index}]")
                raise
    elif kind is dict:
        _encode_dict(value, out, depth + 1, extend)
    elif (tag := _SETS.get(kind)) is not None:
        items = sorted(_encode_member(item, depth + 1, extend) for item in value)
        out += _header(tag, len(items)) + b"".join(items)
    elif extend is not None:
        name, content = extend(value)
        body = _write_str(name) + _header(b"b", len(content)) + content
        out += _header(b"x", len(body)) + body
    else:
        raise UnencodableError(value)


def _encode_dict(value: dict[Any, Any], out: bytearray, depth: int, extend: Write | None) -> None:
    out += _header(b"d", len(value))
    scalar_of = _SCALARS.get
    for name, item in value.items():
        at_key = True
        try:
            if (scalar := scalar_of(type(name))) is not None:
                out += scalar(name)
            else:
                _encode(name, out, depth, extend)
            at_key = False
            if (scalar := scalar_of(type(item))) is not None:
                out += scalar(item)
            else:
                _encode(item, out, depth, extend)
        except UnencodableError as error:
            error.within(" key" if at_key else f"[{_short(name)}]")
            raise


def _encode_member(item: Any, depth: int, extend: Write | None) -> bytes:
    out = bytearray()
    try:
        _encode(item, out, depth, extend)
    except UnencodableError as error:
        error.within("{…}")
        raise
    return bytes(out)


def _short(name: object) -> str:
    return repr(name) if isinstance(name, str) and len(name) <= _PATH else f"<{type(name).__name__}>"


# ---------------------------------------------------------------- reading: only what is written above

_unpack_header, _unpack_float = struct.Struct(">BQ").unpack_from, _FLOAT.unpack
_STR = ord("s")


def _read_int(content: bytes) -> int:
    value = int.from_bytes(content, "big", signed=True)
    if value.bit_length() // 8 + 1 != len(content):
        raise ValueError("an int with bytes too many")
    return value


def _read_float(content: bytes) -> float:
    value: float = _unpack_float(content)[0]
    if isnan(value) and content != _NAN:
        raise ValueError("another NaN")
    return value


_READ_SCALAR: dict[int, Callable[[bytes], Any]] = {
    ord("n"): {b"": None}.__getitem__,
    ord("?"): {b"0": False, b"1": True}.__getitem__,
    ord("i"): _read_int,
    ord("f"): _read_float,
    ord("c"): lambda content: complex(_read_float(content[:8]), _read_float(content[8:])),
    _STR: lambda content: content.decode("utf-8", "surrogatepass"),
    ord("b"): bytes,
    ord("B"): bytearray,
}
_READ_SEQUENCE: dict[int, Callable[[list[Any]], Any]] = {ord("l"): list, ord("t"): tuple}
_READ_SET: dict[int, Callable[[list[Any]], Any]] = {ord("e"): set, ord("E"): frozenset}


def _decode(data: bytes, at: int, depth: int, extend: Read | None) -> tuple[Any, int]:
    """The value that begins at a place and the place where it ends."""
    tag, length = _unpack_header(data, at)
    at += _HEAD
    end = at + length
    if (scalar := _READ_SCALAR.get(tag)) is not None:
        if end > len(data):
            raise ValueError("cut short")
        return scalar(data[at:end]), end
    if depth >= MAX_DEPTH:
        raise ValueError("nested too deep")
    if tag == ord("x") and extend is not None:
        return _decode_extended(data, at, end, extend)
    if at + _HEAD * length > len(data):
        raise ValueError("cut short")
    if tag == ord("d"):
        return _decode_dict(data, at, length, depth + 1, extend)
    items, ends = [], [at]
    for _ in range(length):
        item, at = _decode(data, at, depth + 1, extend)
        items.append(item)
        ends.append(at)
    if (sequence := _READ_SEQUENCE.get(tag)) is not None:
        return sequence(items), at
    parts = [data[start:end] for start, end in itertools.pairwise(ends)]
    members = _READ_SET[tag](items)
    # sorted, and each once; only NaNs may come again, since none equals another
    if any(one > other for one, other in itertools.pairwise(parts)) or len(members) != length:
        raise ValueError("a set out of order")
    return members, at


def _decode_dict(data: bytes, at: int, length: int, depth: int, extend: Read | None) -> tuple[dict[Any, Any], int]:
    result: dict[Any, Any] = {}
    for _ in range(length):
        tag, size = _unpack_header(data, at)
        if tag == _STR and (end := at + _HEAD + size) <= len(data):
            name, at = data[at + _HEAD : end].decode("utf-8", "surrogatepass"), end
        else:
            name, at = _decode(data, at, depth, extend)
        result[name], at = _decode(data, at, depth, extend)
    if len(result) != length:
        raise ValueError("a key that comes twice")
    return result, at


def _decode_extended(data: bytes, at: int, end: int, extend: Read) -> tuple[Any, int]:
    """What a codec wrote: its name as a text, its content as bytes."""
    if end > len(data):
        raise ValueError("cut short")
    name, at = _decode(data, at, MAX_DEPTH, None)
    if at > end - _HEAD or _unpack_header(data, at) != (ord("b"), end - at - _HEAD) or type(name) is not str:
        raise ValueError("not the form of what a codec wrote")
    return extend(name, memoryview(data)[at + _HEAD : end]), end
