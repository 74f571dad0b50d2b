"""What artifacts keep: a kept list of items keeps what the items gave, a kept value the files that it refers to."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator

from daggr.errors import ArtifactCorruptError
from daggr.store.gc.names import DIGEST, Names
from daggr.store.parts import has_parts, parts_of
from daggr.store.records import Artifact
from daggr.store.tables import ARTIFACTS, Txn

Kept = Callable[[bytes, Artifact], bool]


def short(name: bytes) -> int:
    """Enough of a hash to tell names apart; two that are alike by chance are both kept."""
    return int.from_bytes(name[:8], sys.byteorder)


def wholes(txn: Txn) -> Names:
    """The artifacts that refer to others."""
    found = Names(DIGEST)
    for name, artifact in txn.scan(ARTIFACTS):
        if has_parts(artifact):
            found.add(name)
    return found


def spread(txn: Txn, names: Names, marked: set[int], is_kept: Kept) -> list[bytes]:
    """Mark what kept artifacts refer to, and what that refers to in turn; of the names those that are not kept.

    Raises:
        ArtifactCorruptError: a kept list of items cannot be read.
    """
    waiting, more = list(names), True
    while more:
        more, left = False, []
        for name in waiting:
            artifact = txn.get(ARTIFACTS, name)
            if artifact is not None and is_kept(name, artifact):
                marked.update(_shorts(_parts(txn, artifact) if artifact.condemned else parts_of(txn, artifact)))
                more = True
            else:
                left.append(name)
        waiting = left
    return waiting


def layers(txn: Txn, names: list[bytes]) -> Iterator[list[bytes]]:
    """Artifacts in an order in which none comes before, or together with, one that refers to it."""
    while names:
        left, below = {short(name) for name in names}, set[int]()
        for name in names:
            if (artifact := txn.get(ARTIFACTS, name)) is not None:
                below |= left.intersection(_shorts(_parts(txn, artifact)))
        top = [name for name in names if short(name) not in below]
        yield top or names
        names = [name for name in names if short(name) in below] if top else []


def _parts(txn: Txn, artifact: Artifact) -> bytes:
    try:
        return parts_of(txn, artifact)
    except ArtifactCorruptError:  # it goes, or is gone already
        return b""


def _shorts(digests: bytes) -> array[int]:
    return array("Q", digests)[:: DIGEST // 8]
