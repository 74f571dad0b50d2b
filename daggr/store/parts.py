"""Parts: the artifacts that an artifact refers to. A value refers to files, a list of items to what the items gave.

Neither is kept by a record of its own: who keeps the whole keeps its parts (`daggr.store.gc`).
"""

from __future__ import annotations

import hashlib

from daggr.errors import ArtifactCorruptError
from daggr.store.blobs import blob_path
from daggr.store.codecs.builtin import ITEMS
from daggr.store.records import Artifact
from daggr.store.tables import Txn

ABSENT = bytes(32)
"""Stands for the value of an item that has none."""

_LENGTH = len(ABSENT)


def has_parts(artifact: Artifact) -> bool:
    """Whether it refers to others."""
    return bool(artifact.refs) or artifact.codec == ITEMS


def parts_of(txn: Txn, artifact: Artifact) -> bytes:
    """The digests that an artifact refers to, one after the other; `ABSENT` may be among them.

    Raises:
        ArtifactCorruptError: a list of items that cannot be read.
    """
    return listed(txn, artifact) if artifact.codec == ITEMS else b"".join(artifact.refs)


def listed(txn: Txn, artifact: Artifact) -> bytes:
    """The content of a list of items.

    Raises:
        ArtifactCorruptError: it cannot be read.
    """
    if artifact.blob is None:
        return artifact.inline or b""
    try:
        content = blob_path(txn.root / "blobs", artifact.blob).read_bytes()
    except OSError:
        content = b""
    if hashlib.sha256(content).digest() != artifact.blob:
        raise ArtifactCorruptError(f"The list of items {artifact.blob.hex()} is damaged, or gone.")
    return content


def split(digests: bytes) -> list[bytes]:
    """Digests one by one."""
    return [digests[at : at + _LENGTH] for at in range(0, len(digests), _LENGTH)]
