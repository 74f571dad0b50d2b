"""What a codec is, and the form that codecs with large buffers share: a header, then the buffers at boundaries."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from daggr.digest import decode, encode

Chunk = bytes | memoryview
Content = bytes | bytearray | memoryview

BOUNDARY = 64
"""Buffers begin at multiples of this, so that arrays can lie in a content where it is, aligned."""

_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True)
class Codec:
    """How values of one type become bytes and come back.

    `encode` raises UnencodableError for a value that it cannot take. `decode` may keep a bytearray (or a memoryview of
    one), must copy what it keeps of anything else, and may raise whatever it likes for a content that it did not write.
    """

    name: str
    encode: Callable[[Any], list[Chunk]]
    decode: Callable[[Content], Any]


def pack(header: Any, buffers: Iterable[Chunk] = ()) -> list[Chunk]:
    """A header (a canonical value) and buffers as chunks; the buffers are not copied."""
    buffers = list(buffers)
    document = encode((header, [len(buffer) for buffer in buffers]))
    chunks: list[Chunk] = [_LENGTH.pack(len(document)) + document]
    at = len(chunks[0])
    for buffer in buffers:
        chunks.append(bytes(-at % BOUNDARY))
        chunks.append(buffer)
        at += -at % BOUNDARY + len(buffer)
    return [chunk for chunk in chunks if len(chunk)]


def unpack(content: Content) -> tuple[Any, list[memoryview]]:
    """The header and the buffers that `pack` was given; the buffers lie in the content, writable if it is.

    Raises:
        ValueError, TypeError, struct.error, ArtifactCorruptError: it was not made by `pack`.
    """
    view = memoryview(content)
    (length,) = _LENGTH.unpack_from(view)
    at = _LENGTH.size + length
    header, sizes = decode(view[_LENGTH.size : at])
    buffers: list[memoryview] = []
    for size in sizes:
        start = at + -at % BOUNDARY
        if any(view[at:start]) or type(size) is not int or size < 0:
            raise ValueError("not the form of buffers")
        at = start + size
        buffers.append(view[start:at])
    if at != len(view):
        raise ValueError("cut short, or too long")
    return header, buffers
