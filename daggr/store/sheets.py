"""Sheets: named workspaces, their snapshots and the history of each node.

A change by the user makes a new snapshot whose parent is the old one; a finishing run amends the snapshot it finds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec
import xxhash

from daggr.digest import digest, encode
from daggr.store.index import BY_OWNER, HISTORY, SHEETS, SNAPSHOTS, Txn
from daggr.store.records import Head, HistoryEntry, Run, Sheet, Snapshot, new_id

FIRST_NAME = "Sheet 1"


def of_owner(txn: Txn, owner: str, graph: str) -> list[Sheet]:
    """A user's sheets over a graph, oldest first."""
    prefix = _owner_hash(owner, graph)
    found = [txn.get(SHEETS, key[-16:]) for key in txn.keys(BY_OWNER, prefix)]
    return [sheet for sheet in found if sheet is not None and sheet.owner == owner and sheet.graph == graph]


def get(txn: Txn, sheet: bytes) -> Sheet | None:
    """A sheet by its id."""
    return txn.get(SHEETS, sheet)


def snapshot(txn: Txn, sheet: Sheet) -> Snapshot:
    """The current state of a sheet."""
    return txn.get(SNAPSHOTS, sheet.snapshot) or Snapshot(sheet.snapshot, b"", {}, {})


def create(txn: Txn, owner: str, graph: str, name: str = FIRST_NAME) -> Sheet:
    """A new, empty sheet."""
    now = time.time()
    empty = Snapshot(new_id(), b"", {}, {})
    sheet = Sheet(new_id(), name, owner, graph, now, now, 0, empty.id)
    txn.put(SNAPSHOTS, empty.id, empty)
    txn.put(SHEETS, sheet.id, sheet)
    txn.mark(BY_OWNER, _owner_hash(owner, graph) + sheet.id)
    return sheet


def change(
    txn: Txn, sheet: Sheet, *, inputs: Mapping[str, bytes], heads: Mapping[str, Head], amend: bool = False
) -> Sheet:
    """Give a sheet a new state; with `amend` in place of the current snapshot, else as a child of it."""
    old = snapshot(txn, sheet)
    if amend:
        new = Snapshot(old.id, old.parent, dict(inputs), dict(heads))
    else:
        new = Snapshot(new_id(), old.id, dict(inputs), dict(heads))
    txn.put(SNAPSHOTS, new.id, new)
    changed = msgspec.structs.replace(sheet, updated=time.time(), version=sheet.version + 1, snapshot=new.id)
    txn.put(SHEETS, sheet.id, changed)
    return changed


# ---------------------------------------------------------------- history


def history(txn: Txn, sheet: bytes, node: str) -> list[HistoryEntry]:
    """The distinct results of a node in a sheet, oldest first."""
    return [entry for _, entry in txn.scan(HISTORY, _history_prefix(sheet, node))]


def remember(txn: Txn, sheet: bytes, node: str, run: Run, parents: Mapping[str, bytes]) -> None:
    """Add a result to a node's history; an equal one joins the entry that is there, with the new bindings."""
    prefix = _history_prefix(sheet, node)
    new = HistoryEntry(run.id, run.key, outputs_hash(run), dict(parents))
    for key, entry in txn.scan(HISTORY, prefix):
        if entry.key == new.key and entry.outputs == new.outputs:
            txn.put(HISTORY, key, new)
            return
    txn.put(HISTORY, prefix + new_id(), new)


def position(entries: list[HistoryEntry], run: Run) -> int:
    """Where a run stands in a history: from 1, or 0 when it is not in it."""
    outputs = outputs_hash(run)
    return next((n for n, entry in enumerate(entries, 1) if entry.key == run.key and entry.outputs == outputs), 0)


def outputs_hash(run: Run) -> bytes:
    """One hash over a run's outputs."""
    return digest("daggr/outputs", *(part for out in run.outputs for part in (out.port.encode(), out.digest)))


def _owner_hash(owner: str, graph: str) -> bytes:
    return xxhash.xxh3_128_digest(encode((owner, graph)))


def _history_prefix(sheet: bytes, node: str) -> bytes:
    return sheet + xxhash.xxh3_128_digest(node.encode())
