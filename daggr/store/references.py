"""References: what a record that is written names, so that gc and writers do not work against each other.

gc looks at the store in one moment and acts later. Meanwhile somebody may refer again to what nobody referred to in
that moment. So while a collection is under way, whoever writes a reference leaves a mark (a *write barrier*), and gc
spares what is marked. An artifact that gc has given up but not removed is revived by a reference.

What is marked keeps others: a list of items its items, a value its files, a group run the runs of its items, a run its
artifacts. Of what was there before, gc marks these when it comes upon the mark (it gives up the whole before its parts,
so that it is not too late then); of what is new, the writer does.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from daggr.errors import ArtifactCorruptError
from daggr.store.parts import has_parts, parts_of, split
from daggr.store.records import Artifact, Note, Run
from daggr.store.tables import ARTIFACTS, BARRIER, BLOBS, CONDEMNED, META, RUNS, Txn

_COLLECTING = b"collecting"
"""The note that is there while a collection is under way: the token of who collects."""

_INTERRUPTED = b"interrupted"
"""The note that a collection did not come to its end: there may be keys of runs that are gone."""


def note(txn: Txn, ids: Iterable[bytes]) -> None:
    """Runs or artifacts are referred to by something that this transaction writes."""
    if is_collecting(txn):
        for name in ids:
            txn.mark(BARRIER, name)


def to_runs(txn: Txn, ids: Iterable[bytes]) -> None:
    """Runs are referred to: while a collection is under way they stay, with all that they name."""
    if not is_collecting(txn):
        return
    waiting, seen = list(ids), set[bytes]()
    definitions, digests = set[bytes](), set[bytes]()
    while waiting:
        name = waiting.pop()
        if name not in seen and (run := txn.get(RUNS, name)) is not None:
            definitions.add(run.fingerprint)
            digests.update(artifacts_of(run))
            waiting += [run.edits] if run.edits else []
        seen.add(name)
    for name in sorted(seen | definitions):
        txn.mark(BARRIER, name)
    to_artifacts(txn, digests)


def artifacts_of(run: Run) -> list[bytes]:
    """The artifacts that a run was given and gave; in the place of an item what that was a part of."""
    return [*(given.whole or given.digest for given in run.inputs), *(out.digest for out in run.outputs)]


def is_collecting(txn: Txn) -> bool:
    """Whether a collection is under way."""
    return collector(txn) is not None


def collector(txn: Txn) -> str | None:
    """The token of the store in which gc is at work."""
    known = txn.get(META, _COLLECTING)
    return None if known is None else known.value.decode()


def was_interrupted(txn: Txn) -> bool:
    """Whether an earlier collection did not come to its end."""
    return txn.get(META, _INTERRUPTED) is not None


def begin_collection(txn: Txn, token: str) -> None:
    """From now on writers mark what they refer to. Another collection that was under way is taken for interrupted."""
    if is_collecting(txn):
        txn.put(META, _INTERRUPTED, Note(b""))
    txn.clear(BARRIER)
    txn.put(META, _COLLECTING, Note(token.encode()))


def end_collection(txn: Txn, token: str, *, interrupted: bool = False) -> None:
    """Writers need not mark anything any more."""
    if collector(txn) == token:
        txn.clear(BARRIER)
        txn.delete(META, _COLLECTING)
        if interrupted:
            txn.put(META, _INTERRUPTED, Note(b""))


def forget_interruption(txn: Txn) -> None:
    """What an interrupted collection left has been dealt with."""
    txn.delete(META, _INTERRUPTED)


def to_artifacts(txn: Txn, digests: Iterable[bytes]) -> None:
    """Artifacts are referred to; those that gc has given up are revived, with all that they refer to."""
    waiting, seen, collecting = list(digests), set[bytes](), is_collecting(txn)
    while waiting:
        digest = waiting.pop()
        if digest in seen:
            continue
        seen.add(digest)
        artifact = txn.get(ARTIFACTS, digest)
        if artifact is None or not (artifact.condemned or collecting):
            continue
        if artifact.condemned:
            txn.put(ARTIFACTS, digest, msgspec.structs.replace(artifact, condemned=0))
            waiting += _parts(txn, artifact)
        blob = txn.get(BLOBS, artifact.blob) if artifact.blob is not None else None
        if artifact.blob is not None and blob is not None:
            txn.put(BLOBS, artifact.blob, msgspec.structs.replace(blob, condemned=False, ref_txn=txn.id))
    if collecting:
        for digest in sorted(seen):
            txn.mark(BARRIER, digest)


def to_parts(txn: Txn, artifact: Artifact) -> None:
    """What an artifact refers to is referred to by one that is new, or spared by gc."""
    if has_parts(artifact) and (is_collecting(txn) or next(txn.keys(CONDEMNED), None) is not None):
        to_artifacts(txn, _parts(txn, artifact))


def _parts(txn: Txn, artifact: Artifact) -> list[bytes]:
    try:
        return split(parts_of(txn, artifact)) if has_parts(artifact) else []
    except ArtifactCorruptError:  # nobody can follow it any more
        return []
