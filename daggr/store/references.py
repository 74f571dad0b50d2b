"""References: what a record that is written names, so that gc and writers do not work against each other.

gc looks at the store in one moment and acts later. Meanwhile somebody may refer again to what nobody referred to in
that moment. So while a collection is under way, whoever writes a reference leaves a mark (a *write barrier*), and gc
spares what is marked. An artifact that gc has given up but not removed is revived by a reference.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from daggr.store.tables import ARTIFACTS, BARRIER, BLOBS, META, Txn

COLLECTING = b"collecting"
"""The note that is there while a collection is under way: the token of who collects."""


def note(txn: Txn, ids: Iterable[bytes]) -> None:
    """Runs or artifacts are referred to by something that this transaction writes."""
    if txn.get(META, COLLECTING) is not None:
        for name in ids:
            txn.mark(BARRIER, name)


def to_artifacts(txn: Txn, digests: Iterable[bytes]) -> None:
    """Artifacts are referred to; those that gc has given up are revived."""
    digests, collecting = set(digests), txn.get(META, COLLECTING) is not None
    for digest in digests:
        artifact = txn.get(ARTIFACTS, digest)
        if artifact is None or not (artifact.condemned or collecting):
            continue
        if artifact.condemned:
            txn.put(ARTIFACTS, digest, msgspec.structs.replace(artifact, condemned=0))
        blob = txn.get(BLOBS, artifact.blob) if artifact.blob is not None else None
        if artifact.blob is not None and blob is not None:
            txn.put(BLOBS, artifact.blob, msgspec.structs.replace(blob, condemned=False, ref_txn=txn.id))
    note(txn, digests)
