"""The runs of a group's items, in the order of the items, in chunks. They are kept as long as the group's run is."""

from __future__ import annotations

from daggr.store import references
from daggr.store.records import ItemRuns
from daggr.store.tables import ITEMS, Txn

NO_RUN = bytes(16)
"""Stands for the run of an item that has none."""

CHUNK = 1024
"""Runs in a record."""

_ID = len(NO_RUN)


def put(txn: Txn, group_run: bytes, item_runs: bytes) -> None:
    """Say which runs are a group's items: their ids one after the other, `NO_RUN` where an item has none."""
    if len(item_runs) % _ID:
        raise ValueError(f"ids of runs have {_ID} bytes each; given: {len(item_runs)} bytes")
    delete(txn, group_run)
    for number, at in enumerate(range(0, len(item_runs), CHUNK * _ID)):
        txn.put(ITEMS, _key(group_run, number), ItemRuns(item_runs[at : at + CHUNK * _ID]))
    if references.is_collecting(txn):
        references.note(txn, split(item_runs))


def get(txn: Txn, group_run: bytes, start: int = 0, count: int | None = None) -> bytes:
    """The ids of the runs of so many items from one on, `NO_RUN` where an item has none; fewer where there are fewer.

    A run that gc has taken before the group was put is named, but is not there.
    """
    first, end = start // CHUNK, None if count is None else start + count
    found = bytearray()
    for key in txn.keys_after(ITEMS, _key(group_run, first - 1) if first else group_run):
        number = int.from_bytes(key[_ID:], "big")
        if not key.startswith(group_run) or (end is not None and number * CHUNK >= end):
            break
        found += bytes((number - first) * CHUNK * _ID - len(found))  # a damaged chunk is none
        chunk = txn.get(ITEMS, key)
        found += chunk.runs if chunk is not None else b""
    skipped = first * CHUNK
    return bytes(found[(start - skipped) * _ID : None if end is None else (end - skipped) * _ID])


def delete(txn: Txn, group_run: bytes) -> None:
    """Forget which runs are a group's items."""
    for key in list(txn.keys(ITEMS, group_run)):
        txn.delete(ITEMS, key)


def split(item_runs: bytes) -> list[bytes]:
    """The ids one by one, each once, those of items without a run left out."""
    found = dict.fromkeys(item_runs[at : at + _ID] for at in range(0, len(item_runs), _ID))
    found.pop(NO_RUN, None)
    return list(found)


def _key(group_run: bytes, number: int) -> bytes:
    return group_run + number.to_bytes(4, "big")
