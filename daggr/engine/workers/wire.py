"""What the engine and a worker process say to each other, and how: frames on pipes.

A frame is the length of a message, the message as msgpack, and the contents that the message announces, as they are.
Values travel as the name of a codec and a content; nothing is ever unpickled.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from daggr.store.codecs.codec import Chunk
from daggr.store.codecs.fileref import FilePath, FileRef, replaced
from daggr.store.codecs.registry import decode_value, encode_value

_LENGTH = struct.Struct("!I")


class Packed(NamedTuple):
    """A value on its way: the name of its codec, and its content."""

    codec: str
    content: bytes | bytearray


class _Message(msgspec.Struct, frozen=True, tag=True):
    pass


Announced = tuple[str, str, int]
"""Name, codec and size of a value that follows."""


class Start(_Message, frozen=True):
    """First of all: the script to load, and what it is loaded for."""

    script: str
    argv: tuple[str, ...]
    module: str
    is_main: bool
    wanted: str
    path: tuple[str, ...]
    execute: str


class Execute(_Message, frozen=True):
    """Run a node. Its inputs follow: port, codec and size of each."""

    number: int
    node: str
    variant: str
    fingerprint: bytes
    folder: str
    inputs: tuple[Announced, ...]
    paths: tuple[str, ...]


class Stop(_Message, frozen=True):
    """Stop the task of this number."""

    number: int


class Ready(_Message, frozen=True):
    """The script is loaded."""


class Refused(_Message, frozen=True):
    """It cannot be loaded, or has no such node; with `stale`, one that loads it now might have."""

    message: str
    hint: str
    where: str | None
    stale: bool = False


class Begun(_Message, frozen=True):
    """The node runs."""


class Printed(_Message, frozen=True):
    """Something was printed."""

    text: str


class Progressed(_Message, frozen=True):
    """How far it is."""

    fraction: float | None
    words: str


class Partial(_Message, frozen=True):
    """What a generator has given so far. The values follow."""

    values: tuple[Announced, ...]


class Returned(_Message, frozen=True):
    """It is done. The values follow."""

    values: tuple[Announced, ...]
    texts: tuple[str, ...]
    notes: tuple[str, ...]


class Failed(_Message, frozen=True):
    """It raised. `kind` is the exception's name; the rest is what a NodeFailedError has."""

    kind: str
    message: str
    hint: str = ""
    where: str | None = None
    node: str = ""
    traceback: str = ""
    code: int | None = None


Message = Start | Execute | Stop | Ready | Refused | Begun | Printed | Progressed | Partial | Returned | Failed
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)


class Mouth:
    """The end of a pipe that messages are written to, one at a time, by any thread of this process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self._process = os.getpid()

    def say(self, message: _Message, following: Sequence[Chunk | bytearray] = (), *, wait: bool = True) -> bool:
        """Send a message; False if `wait` is not wanted and another one is being sent.

        Raises:
            OSError: nobody listens any more.
        """
        if os.getpid() != self._process:  # a fork of a user's: its words would end up in the middle of ours
            return False
        encoded = _encoder.encode(message)
        if not self._lock.acquire(blocking=wait):
            return False
        try:
            for part in (_LENGTH.pack(len(encoded)) + encoded, *following):
                self._write(part)
        finally:
            self._lock.release()
        return True

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)

    def _write(self, part: Chunk | bytearray) -> None:
        if self._fd < 0:
            raise BrokenPipeError
        left = memoryview(part).cast("B")
        while left:
            left = left[os.write(self._fd, left[: 1 << 20]) :]


class Ear:
    """The end of a pipe that messages are read from, by one thread."""

    def __init__(self, fd: int) -> None:
        self._stream: BinaryIO = open(fd, "rb", buffering=1 << 16)  # noqa: SIM115  (closed by `close`)

    def hear(self) -> Message | None:
        """The next message; None if there will be none."""
        if len(head := self._stream.read(_LENGTH.size)) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack(head)
        body = self._stream.read(length)
        return _decoder.decode(body) if len(body) == length else None

    def values(self, announced: Sequence[Announced]) -> dict[str, Packed]:
        """The values that a message announced, by name.

        Raises:
            EOFError: whoever sent them is gone.
        """
        return {name: Packed(codec, self._content(size)) for name, codec, size in announced}

    def close(self) -> None:
        """Listen no more."""
        self._stream.close()

    def _content(self, size: int) -> bytearray:
        content = bytearray(size)
        left = memoryview(content)
        while left:
            got = self._stream.readinto(left)  # type: ignore[attr-defined]
            if not got:
                raise EOFError
            left = left[got:]
        return content


def announce(values: Mapping[str, Packed]) -> tuple[Announced, ...]:
    """How values that follow a message are announced in it."""
    return tuple((name, value.codec, len(value.content)) for name, value in values.items())


def contents(values: Mapping[str, Packed]) -> list[bytes | bytearray]:
    """What follows the message that announces them."""
    return [value.content for value in values.values()]


# ---------------------------------------------------------------- values


def pack(value: Any) -> Packed:
    """A value for the way. Paths are texts on it.

    Raises:
        UnencodableError: it has no codec.
    """
    encoded = encode_value(replaced(value, type(Path()), str))
    if len(encoded.chunks) == 1 and isinstance(encoded.chunks[0], bytes):
        return Packed(encoded.codec, encoded.chunks[0])
    return Packed(encoded.codec, b"".join(encoded.chunks))


def unpack(value: Packed) -> Any:
    """The value that came.

    Raises:
        UnknownCodecError: this process has no such codec.
        ArtifactCorruptError: it cannot be read.
    """
    return decode_value(*value)


def pack_inputs(inputs: Mapping[str, Any]) -> tuple[dict[str, Packed], tuple[str, ...]]:
    """The inputs of a call for the way, and the paths in them, which arrive as the FilePaths that they are.

    Raises:
        UnencodableError: one of them has no codec.
    """
    paths: dict[FilePath, FileRef] = {}

    def numbered(path: FilePath) -> FileRef:
        return paths.setdefault(path, FileRef(len(paths).to_bytes(32, "big")))

    packed = {port: pack(replaced(value, FilePath, numbered)) for port, value in inputs.items()}
    return packed, tuple(str(path) for path in paths)


def unpack_inputs(inputs: Mapping[str, Packed], paths: Sequence[str]) -> dict[str, Any]:
    """The inputs of a call as they were packed."""
    return {
        port: replaced(unpack(value), FileRef, lambda ref: FilePath(paths[int.from_bytes(ref.digest, "big")]))
        for port, value in inputs.items()
    }
