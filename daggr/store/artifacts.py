"""Artifacts: typed values, as a codec and the bytes it made.

The codec `file` holds a file, whose identity is its bytes and the name that functions see. The codec `items` lists what
the items of a group gave, by their digests. All others hold values, which may refer to files (`FileRef`). A value that
no codec takes stays in this process's memory: it has a digest, too, but nobody else will ever find it.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from daggr.digest import Digest, digest
from daggr.errors import ArtifactCorruptError, ArtifactMissingError
from daggr.filename import safe_name
from daggr.store import references
from daggr.store.blobs import Blobs
from daggr.store.codecs.builtin import FILE, ITEMS, VALUE
from daggr.store.codecs.fileref import FilePath, FileRef, replaced
from daggr.store.codecs.registry import Encoded, decode_value, encode_value, has_codec
from daggr.store.files import Files, StoredFile
from daggr.store.filestats import FileStats
from daggr.store.parts import ABSENT, has_parts, parts_of, split
from daggr.store.records import Artifact
from daggr.store.staging import StagedBlob
from daggr.store.tables import ARTIFACTS, Txn

__all__ = ["Artifacts", "FilePath", "FileRef", "Staged", "identify"]

INLINE_LIMIT = 16 * 1024
VOLATILE_LIMIT = 256
FRESH = 1800.0
"""Seconds for which a value that is given again need not be put again: half of the grace that gc gives."""

_NOTHING = object()
_ELSEWHERE = Artifact(FILE, 0, None, None)
"""The record of a file that is in the store already."""

RECENT = 600.0
"""Seconds for which the record of an artifact that is put again is not written again."""


@dataclass(frozen=True)
class Staged:
    """An artifact that is ready to be put."""

    digest: Digest
    artifact: Artifact
    blob: StagedBlob | None = None


def identify(value: Any) -> Digest:
    """The digest that a value has as an artifact.

    Raises:
        UnencodableError: a part of it has no codec.
    """
    if type(value) is FileRef:
        return Digest(value.digest)
    encoded = encode_value(value)
    hasher = hashlib.sha256()
    for chunk in encoded.chunks:
        hasher.update(chunk)
    return _value_digest(encoded.codec, hasher.digest())


def _value_digest(codec: str, sha256: bytes) -> Digest:
    return digest("daggr/artifact", codec.encode(), sha256)


def _file_digest(sha256: bytes, name: str) -> Digest:
    return digest("daggr/artifact", FILE.encode(), sha256, name.encode())


class Artifacts:
    """Staging, putting and loading of values."""

    def __init__(self, blobs: Blobs, files: Files, known: FileStats) -> None:
        self._blobs = blobs
        self._files = files
        self._known = known
        self._volatile: OrderedDict[bytes, Any] = OrderedDict()

    # ------------------------------------------------------------ staging

    def stage(self, value: Any) -> Staged:
        """Encode a value.

        Raises:
            UnencodableError: a part of it has no codec.
            StoreFullError: the disk is full.
        """
        if type(value) is FileRef:
            return Staged(Digest(value.digest), _ELSEWHERE)
        return self._staged(encode_value(value))

    def stage_items(self, digests: bytes) -> Staged:
        """List the values of a group's items: their digests one after the other, 32 zero bytes where there is none."""
        if len(digests) % len(ABSENT):
            raise ValueError(f"digests have {len(ABSENT)} bytes each; given: {len(digests)} bytes")
        return self._staged(Encoded(ITEMS, [digests], len(digests)))

    def _staged(self, encoded: Encoded) -> Staged:
        codec, refs = encoded.codec, encoded.refs
        if encoded.size <= INLINE_LIMIT:
            content = b"".join(encoded.chunks)
            identity = _value_digest(codec, hashlib.sha256(content).digest())
            return Staged(identity, Artifact(codec, len(content), content, None, refs=refs))
        blob = self._blobs.stage(encoded.chunks)
        return Staged(_value_digest(codec, blob.sha256), Artifact(codec, blob.size, None, blob.sha256, refs=refs), blob)

    def stage_file(self, source: Path, name: str | None = None) -> Staged:
        """Take a copy of a file, under its own base name or another. One that is known is not read again."""
        blob = self._known.find(source)
        if blob is None:
            with self._known.watch(source) as watch:
                blob = self._blobs.stage_file(source)
                watch(blob)
        return self.stage_blob(blob, name or source.name)

    def stage_blob(self, blob: StagedBlob, name: str) -> Staged:
        """Make staged bytes a file."""
        name = safe_name(name)
        return Staged(_file_digest(blob.sha256, name), Artifact(FILE, blob.size, None, blob.sha256, name), blob)

    def keep(self, identity: Digest, value: Any) -> None:
        """Keep a value without codec in memory; the oldest of more than `VOLATILE_LIMIT` are dropped."""
        self._volatile[identity] = value
        while len(self._volatile) > VOLATILE_LIMIT:
            self._volatile.popitem(last=False)

    # ------------------------------------------------------------ in a transaction

    def put(self, txn: Txn, staged: Staged) -> None:
        """Write an artifact's record, and its blob."""
        if staged.artifact is _ELSEWHERE:
            references.to_artifacts(txn, [staged.digest])
            return
        if staged.blob is not None:
            self._blobs.place(txn, staged.blob)
        now = time.time()
        known = txn.get(ARTIFACTS, staged.digest)
        is_there = known is not None and not known.condemned
        if known is None or not is_there or not 0 <= now - known.put < RECENT:
            txn.put(ARTIFACTS, staged.digest, replace(staged.artifact, put=now))
        if not is_there:
            references.to_parts(txn, staged.artifact)
        references.note(txn, [staged.digest])

    def discard(self, staged: Staged) -> None:
        """Drop what staging left behind."""
        if staged.blob is not None:
            self._blobs.discard(staged.blob)

    def has(self, txn: Txn, identity: bytes) -> bool:
        """Whether the value can be loaded, as far as records and sizes tell."""
        if identity in self._volatile:
            return True
        artifact = txn.get(ARTIFACTS, identity)
        if artifact is None or artifact.condemned:
            return False
        return artifact.blob is None or self._blobs.has(txn, artifact.blob, artifact.size)

    def is_readable(self, txn: Txn, identity: bytes) -> bool:
        """Whether the value is there, and this process has the codec that it was written by."""
        if not self.has(txn, identity):
            return False
        artifact = txn.get(ARTIFACTS, identity)
        return artifact is None or has_codec(artifact.codec)

    def is_fresh(self, txn: Txn, identity: bytes) -> bool:
        """Whether the value is there, and was put so lately that gc will not look at it for a while."""
        if identity in self._volatile:
            return True
        artifact = txn.get(ARTIFACTS, identity)
        return artifact is not None and 0 <= time.time() - artifact.put < FRESH and self.has(txn, identity)

    def is_kept(self, txn: Txn, identity: bytes) -> bool:
        """Whether the value can be referred to: it is there, even if gc has given it up."""
        return identity in self._volatile or txn.get(ARTIFACTS, identity) is not None

    def file(self, txn: Txn, identity: bytes) -> StoredFile | None:
        """The file that a digest names, or None if it names none."""
        artifact = txn.get(ARTIFACTS, identity)
        if artifact is None or artifact.codec != FILE or artifact.blob is None:
            return None
        return StoredFile(self._blobs.path(artifact.blob), artifact.name, artifact.size, artifact.blob)

    def with_refs(self, txn: Txn, identity: bytes) -> Iterator[bytes]:
        """A value, and all that it refers to: files within it, what its items gave."""
        waiting = [identity]
        while waiting:
            found = waiting.pop()
            yield found
            artifact = txn.get(ARTIFACTS, found)
            if artifact is not None and has_parts(artifact):
                with contextlib.suppress(ArtifactCorruptError):  # `is_readable` tells
                    waiting += [part for part in split(parts_of(txn, artifact)) if part != ABSENT]

    def volatile(self, identity: bytes) -> tuple[Any] | None:
        """The value in memory, in a tuple so that None can be told from nothing."""
        value = self._volatile.get(identity, _NOTHING)
        return None if value is _NOTHING else (value,)

    # ------------------------------------------------------------ loading

    def load(self, txn: Txn, identity: bytes, folder: Path | None = None) -> Any:
        """The value of a digest, the caller's own.

        A file, on its own or within a value, is the path of a copy: a private one under `folder`, else a read-only one
        that all share. A list of items is a list of their values.

        Raises:
            ArtifactMissingError: there is no such artifact, or its bytes are gone.
            ArtifactCorruptError: its bytes are damaged.
            UnknownCodecError: its codec is not registered in this process.
        """
        if (kept := self.volatile(identity)) is not None:
            return kept[0]
        artifact = self._artifact(txn, identity)
        if artifact.codec == FILE:
            return self._path(identity, artifact, folder)
        if artifact.codec == ITEMS:
            return self._items(txn, bytes(self._content(artifact)), folder)
        value = self._decoded(artifact)
        return self.resolve(txn, value, folder) if artifact.refs else value

    def load_raw(self, txn: Txn, identity: bytes) -> Any:
        """The same with references to files left as they are: no file is looked at.

        A file is a FileRef, a list of items a tuple of digests, with None where an item has no value.

        Raises:
            ArtifactMissingError, ArtifactCorruptError, UnknownCodecError: like `load`.
        """
        if (kept := self.volatile(identity)) is not None:
            return kept[0]
        artifact = self._artifact(txn, identity)
        if artifact.codec == FILE:
            return FileRef(identity)
        if artifact.codec == ITEMS:
            return tuple(None if item == ABSENT else item for item in split(bytes(self._content(artifact))))
        return self._decoded(artifact)

    def resolve(self, txn: Txn, value: Any, folder: Path | None = None) -> Any:
        """A value with paths in place of the references to files in it; it is not changed itself.

        Raises:
            ArtifactMissingError, ArtifactCorruptError: a file is gone or damaged.
        """
        paths: dict[bytes, FilePath] = {}

        def path(ref: FileRef) -> FilePath:
            if ref.digest not in paths:
                paths[ref.digest] = self._path(ref.digest, self._artifact(txn, ref.digest), folder)
            return paths[ref.digest]

        return replaced(value, FileRef, path)

    def items(self, txn: Txn, identity: bytes) -> bytes | None:
        """The digests that a list of items has, one after the other, 32 zero bytes where there is none; else None.

        Raises:
            ArtifactMissingError, ArtifactCorruptError: the list is gone or damaged.
        """
        artifact = txn.get(ARTIFACTS, identity)
        return bytes(self._content(artifact)) if artifact is not None and artifact.codec == ITEMS else None

    def load_items(self, txn: Txn, identity: bytes, folder: Path | None = None, skip_absent: bool = False) -> list[Any]:
        """The values of a list of items; those that have none are an error, or left out.

        Raises:
            ArtifactMissingError: it is no list of items, or one of them has no value; the message has its index.
            ArtifactCorruptError, UnknownCodecError: like `load`.
        """
        digests = self.items(txn, identity)
        if digests is None:
            raise ArtifactMissingError(f"The store has no list of items {identity.hex()}.", "Run its node again.")
        return self._items(txn, digests, folder, skip_absent)

    def _items(self, txn: Txn, digests: bytes, folder: Path | None, skip_absent: bool = False) -> list[Any]:
        found = []
        for index, item in enumerate(split(digests)):
            if item != ABSENT:
                try:
                    found.append(self.load(txn, item, folder))
                except ArtifactMissingError as error:
                    raise ArtifactMissingError(f"Item {index}: {error.message}", "Run its node again.") from error
            elif not skip_absent:
                raise ArtifactMissingError(f"Item {index} has no value.", "Run its node again.")
        return found

    def _artifact(self, txn: Txn, identity: bytes) -> Artifact:
        artifact = txn.get(ARTIFACTS, identity)
        if artifact is None:
            raise ArtifactMissingError(f"The store has no artifact {identity.hex()}.", "Run its node again.")
        return artifact

    def _path(self, identity: bytes, artifact: Artifact, folder: Path | None) -> FilePath:
        if artifact.codec != FILE or artifact.blob is None:
            raise ArtifactCorruptError(f"The artifact {identity.hex()} is no file.")
        file = StoredFile(self._blobs.path(artifact.blob), artifact.name, artifact.size, artifact.blob)
        path = self._files.shared(identity, file) if folder is None else self._files.private(identity, file, folder)
        return FilePath(str(path), identity)

    def _decoded(self, artifact: Artifact) -> Any:
        content = self._content(artifact)
        if artifact.blob is None and artifact.codec != VALUE:
            content = bytearray(content)
        return decode_value(artifact.codec, content)

    def _content(self, artifact: Artifact) -> bytes | bytearray:
        return artifact.inline or b"" if artifact.blob is None else self._blobs.read(artifact.blob, artifact.size)
