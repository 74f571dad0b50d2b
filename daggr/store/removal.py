"""Removal for good of what gc has given up: once every open store has said that it looks at nothing from before.

gc condemns (a miss at once, still readable), this removes. A file goes within the transaction that removes its row.
"""

from __future__ import annotations

import itertools

from daggr.store.blobs import Blobs
from daggr.store.index import Index
from daggr.store.lease import Attendance, others
from daggr.store.tables import ARTIFACTS, BLOBS, CONDEMNED, Txn

TOGETHER = 1024
"""Things removed in one transaction: writers wait that long."""

ARTIFACT, BLOB = b"a", b"b"


def condemned_key(txn: Txn, kind: bytes, name: bytes) -> bytes:
    """The mark that says that this transaction gave something up."""
    return txn.id.to_bytes(8, "big") + kind + name


def remove_condemned(index: Index, blobs: Blobs, attendance: Attendance, *, patient: bool = False) -> int:
    """Remove what may go by now; the bytes of blobs that became free.

    `patient` where others in this process look at what they have just found: they may until the next beat.
    """
    freed, more = 0, True
    while more:
        floor = _floor(index, attendance, patient=patient)
        removed, more = index.write(lambda txn, floor=floor: _remove_some(txn, blobs, floor))  # type: ignore[misc]
        freed += removed
    return freed


def waiting(txn: Txn) -> int:
    """How much has been given up and is not removed yet."""
    return txn.count(CONDEMNED)


def _floor(index: Index, attendance: Attendance, *, patient: bool) -> int:
    """The transaction before which nobody looks at anything any more."""
    own = attendance.settled_floor() if patient else attendance.floor()
    with index.read() as txn:
        return min([own, *(lease.floor for _, lease in others(txn, attendance.tmp, attendance.token))])


def _remove_some(txn: Txn, blobs: Blobs, floor: int) -> tuple[int, bool]:
    """Bytes freed, and whether there may be more.

    Artifacts go in a transaction before that of their blobs: a file that is gone while the transaction is not must not
    be revived by a reference.
    """
    freed, stuck = 0, 0
    ready = list(itertools.islice(_until(txn, floor), TOGETHER))
    ready = [key for key in ready if key[8:9] == ready[0][8:9]]
    for key in ready:
        then, kind, name = int.from_bytes(key[:8], "big"), key[8:9], key[9:]
        size = _remove_artifact(txn, then, name) if kind == ARTIFACT else _remove_blob(txn, blobs, then, name)
        if size is None:
            stuck += 1
        else:
            freed += size
            txn.delete(CONDEMNED, key)
    return freed, stuck < len(ready)


def _until(txn: Txn, floor: int) -> itertools.takewhile[bytes]:
    return itertools.takewhile(lambda key: int.from_bytes(key[:8], "big") <= floor, txn.keys(CONDEMNED))


def _remove_artifact(txn: Txn, then: int, digest: bytes) -> int:
    row = txn.get(ARTIFACTS, digest)
    if row is not None and row.condemned == then:  # else it was revived
        txn.delete(ARTIFACTS, digest)
    return 0


def _remove_blob(txn: Txn, blobs: Blobs, then: int, sha256: bytes) -> int | None:
    """The bytes freed; None if the file cannot be removed now."""
    row = txn.get(BLOBS, sha256)
    if row is None or not row.condemned or row.ref_txn != then:
        return 0
    return row.size if blobs.remove(txn, sha256) else None
