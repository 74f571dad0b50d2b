"""Artifacts: typed values, as a codec and the bytes it made.

`value` holds what has a canonical encoding; `file` holds a file, whose identity is its bytes and the name that
functions see. Values of other types stay in this process's memory: they have a digest, too, but nobody else will ever
find them.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NewType

from daggr.digest import Digest, decode, digest, encode
from daggr.errors import ArtifactMissingError
from daggr.filename import safe_name
from daggr.store.blobs import Blobs, StagedBlob
from daggr.store.index import ARTIFACTS, BLOBS, Txn
from daggr.store.records import Artifact

VALUE = "value"
FILE = "file"
INLINE_LIMIT = 16 * 1024
VOLATILE_LIMIT = 256

FilePath = NewType("FilePath", str)
"""A path that daggr hands to a function."""


@dataclass(frozen=True)
class Staged:
    """An artifact that is ready to be put."""

    digest: Digest
    artifact: Artifact
    blob: StagedBlob | None = None


@dataclass(frozen=True)
class StoredFile:
    """Where a file artifact's bytes are. The path is the store's own: never hand it to a function."""

    path: Path
    name: str
    size: int
    sha256: bytes


def value_digest(content: bytes) -> Digest:
    """The digest of a value, from its canonical encoding."""
    return digest("daggr/artifact", VALUE.encode(), content)


def file_digest(sha256: bytes, name: str) -> Digest:
    """The digest of a file, from the hash of its bytes and its name."""
    return digest("daggr/artifact", FILE.encode(), sha256, name.encode())


class Artifacts:
    """Staging, putting and loading of values."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._volatile: OrderedDict[bytes, Any] = OrderedDict()

    # ------------------------------------------------------------ staging

    def stage(self, value: Any) -> Staged:
        """Encode a value.

        Raises:
            UnencodableError: a part of it has no canonical encoding.
        """
        content = encode(value)
        identity = value_digest(content)
        if len(content) <= INLINE_LIMIT:
            return Staged(identity, Artifact(VALUE, len(content), content, None))
        blob = self._blobs.stage([content])
        return Staged(identity, Artifact(VALUE, blob.size, None, blob.sha256), blob)

    def stage_file(self, source: Path, name: str | None = None) -> Staged:
        """Take a copy of a file, under its own base name or another."""
        return self.stage_blob(self._blobs.stage_file(source), name or source.name)

    def stage_blob(self, blob: StagedBlob, name: str) -> Staged:
        """Make staged bytes a file."""
        name = safe_name(name)
        return Staged(file_digest(blob.sha256, name), Artifact(FILE, blob.size, None, blob.sha256, name), blob)

    def keep(self, identity: Digest, value: Any) -> None:
        """Keep a value without codec in memory; the oldest of more than `VOLATILE_LIMIT` are dropped."""
        self._volatile[identity] = value
        while len(self._volatile) > VOLATILE_LIMIT:
            self._volatile.popitem(last=False)

    # ------------------------------------------------------------ in a transaction

    def put(self, txn: Txn, staged: Staged) -> Path | None:
        """Write an artifact's record, and its blob. Returns the folder that changed."""
        changed = self._blobs.place(txn, staged.blob) if staged.blob is not None else None
        txn.put(ARTIFACTS, staged.digest, staged.artifact)
        return changed

    def discard(self, staged: Staged) -> None:
        """Drop what staging left behind."""
        if staged.blob is not None:
            self._blobs.discard(staged.blob)

    def has(self, txn: Txn, identity: bytes) -> bool:
        """Whether the value can be loaded, as far as records and sizes tell."""
        if identity in self._volatile:
            return True
        artifact = txn.get(ARTIFACTS, identity)
        if artifact is None or artifact.blob is None:
            return artifact is not None
        row = txn.get(BLOBS, artifact.blob)
        return row is not None and not row.condemned and self._blobs.has(artifact.blob, artifact.size)

    def file(self, txn: Txn, identity: bytes) -> StoredFile | None:
        """The file that a digest names, or None if it names none."""
        artifact = txn.get(ARTIFACTS, identity)
        if artifact is None or artifact.codec != FILE or artifact.blob is None:
            return None
        return StoredFile(self._blobs.path(artifact.blob), artifact.name, artifact.size, artifact.blob)

    def volatile(self, identity: bytes) -> tuple[Any] | None:
        """The value in memory, in a tuple so that None can be told from nothing."""
        return (self._volatile[identity],) if identity in self._volatile else None

    # ------------------------------------------------------------ loading

    def load(self, txn: Txn, identity: bytes, folder: Path) -> Any:
        """The value of a digest; a file is copied into `folder` and its path is the value.

        Raises:
            ArtifactMissingError: there is no such artifact, or its bytes are gone.
            ArtifactCorruptError: its bytes are damaged.
        """
        if (kept := self.volatile(identity)) is not None:
            return kept[0]
        artifact = txn.get(ARTIFACTS, identity)
        if artifact is None:
            raise ArtifactMissingError(f"The store has no artifact {identity.hex()}.")
        if artifact.codec == FILE and artifact.blob is not None:
            place = folder / identity.hex()[:16]
            place.mkdir(parents=True, exist_ok=True)
            target = place / artifact.name
            if not self._blobs.is_copy(target, artifact.blob, artifact.size):
                self._blobs.copy(artifact.blob, artifact.size, target)
            return FilePath(str(target))
        content = artifact.inline if artifact.blob is None else self._blobs.read(artifact.blob, artifact.size)
        return decode(content or b"")
