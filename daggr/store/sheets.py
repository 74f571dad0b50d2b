"""Sheets: named workspaces, their snapshots and the history of each node.

A change by the user makes a new snapshot whose parent is the old one. A finishing run amends the snapshot it finds: in
place if no other snapshot or sheet refers to it, else as a new one with the same parent. So undo, redo and duplicate
only move a reference, and what one sheet does is never seen in another.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import xxhash
from msgspec.structs import replace

from daggr.digest import digest, encode
from daggr.store import references
from daggr.store.records import Head, HistoryEntry, Record, Run, Sheet, Snapshot, new_id
from daggr.store.tables import BY_OWNER, HISTORY, SHEETS, SNAPSHOTS, Table, Txn, read

FIRST_NAME = "Sheet 1"
_NODE = 32
"""Bytes of a history's keys that are the same for all its entries."""


class Result(Record):  # type: ignore[misc]
    """The first fields of a HistoryEntry: of a large sheet's thousands of entries, only these are decoded."""

    run: bytes
    key: bytes
    outputs: bytes


_RESULTS = Table("history", Result)


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
    txn.put(SNAPSHOTS, empty.id, empty)
    return _put_new(txn, Sheet(new_id(), name, owner, graph, now, now, 0, empty.id, own=True))


def duplicate(txn: Txn, sheet: Sheet, name: str) -> Sheet:
    """A second sheet in the same state, with the same past. What is done to one is not seen in the other."""
    now = time.time()
    txn.put(SHEETS, sheet.id, replace(sheet, own=False))
    copy = replace(sheet, id=new_id(), name=name, created=now, updated=now, version=0, own=False)
    for key, entry in txn.scan(HISTORY, sheet.id):
        txn.put(HISTORY, copy.id + key[len(sheet.id) :], entry)
    return _put_new(txn, copy)


def rename(txn: Txn, sheet: Sheet, name: str) -> Sheet:
    """Give a sheet another name."""
    return _put_changed(txn, replace(sheet, name=name))


def delete(txn: Txn, sheet: Sheet) -> None:
    """Remove a sheet and its histories. Its snapshots and runs go with the next gc, if nobody else refers to them."""
    txn.delete(SHEETS, sheet.id)
    txn.delete(BY_OWNER, _owner_hash(sheet.owner, sheet.graph) + sheet.id)
    for key in list(txn.keys(HISTORY, sheet.id)):
        txn.delete(HISTORY, key)


def change(
    txn: Txn, sheet: Sheet, *, inputs: Mapping[str, bytes], heads: Mapping[str, Head], amend: bool = False
) -> Sheet:
    """Give a sheet a new state; with `amend` in place of the current one, else as a step that can be undone.

    The runs of the heads must have been found in this very transaction: gc may have removed others.
    """
    old = snapshot(txn, sheet)
    if amend and sheet.own:
        new = Snapshot(old.id, old.parent, dict(inputs), dict(heads))
    else:
        new = Snapshot(new_id(), old.parent if amend else old.id, dict(inputs), dict(heads))
    txn.put(SNAPSHOTS, new.id, new)
    references.to_artifacts(txn, set(new.inputs.values()) - set(old.inputs.values()))
    if references.is_collecting(txn):
        references.to_runs(txn, _runs_of(new) - _runs_of(old))
    return _put_changed(txn, replace(sheet, snapshot=new.id, own=True, undone=sheet.undone if amend else ()))


def undo(txn: Txn, sheet: Sheet) -> Sheet | None:
    """Go back to before the last change; None if there is nothing to undo."""
    before = _reachable(txn, snapshot(txn, sheet).parent)
    if before is None:
        return None
    _refer_to(txn, before)
    return _put_changed(txn, replace(sheet, snapshot=before.id, own=False, undone=(*sheet.undone, sheet.snapshot)))


def redo(txn: Txn, sheet: Sheet) -> Sheet | None:
    """Take the last undo back; None if there is none, or something was changed since."""
    after = _reachable(txn, sheet.undone[-1]) if sheet.undone else None
    if after is None:
        return None
    _refer_to(txn, after)
    return _put_changed(txn, replace(sheet, snapshot=after.id, own=False, undone=sheet.undone[:-1]))


def past(txn: Txn, sheet: Sheet, most: int) -> list[Snapshot]:
    """The current snapshot and those that undo leads to, at most so many, newest first."""
    return chain(txn, sheet.snapshot, most)


def chain(txn: Txn, at: bytes, most: int) -> list[Snapshot]:
    """A snapshot and those before it, at most so many, newest first."""
    found: list[Snapshot] = []
    while len(found) < most and (step := _reachable(txn, at)) is not None:
        found.append(step)
        at = step.parent
    return found


def _reachable(txn: Txn, snapshot_id: bytes) -> Snapshot | None:
    return txn.get(SNAPSHOTS, snapshot_id) if snapshot_id else None


def _put_new(txn: Txn, sheet: Sheet) -> Sheet:
    txn.put(SHEETS, sheet.id, sheet)
    txn.mark(BY_OWNER, _owner_hash(sheet.owner, sheet.graph) + sheet.id)
    return sheet


def _put_changed(txn: Txn, sheet: Sheet) -> Sheet:
    references.note(txn, [sheet.snapshot])
    changed = replace(sheet, updated=time.time(), version=sheet.version + 1)
    txn.put(SHEETS, sheet.id, changed)
    return changed


def _refer_to(txn: Txn, state: Snapshot) -> None:
    if references.is_collecting(txn):
        references.to_artifacts(txn, state.inputs.values())
        references.to_runs(txn, _runs_of(state))


def _runs_of(state: Snapshot) -> set[bytes]:
    return {run for head in state.heads.values() for run in (head.run, *head.parents.values())}


# ---------------------------------------------------------------- history


def history(txn: Txn, sheet: bytes, node: str) -> list[HistoryEntry]:
    """The distinct results of a node in a sheet, oldest first."""
    return [entry for _, entry in txn.scan(HISTORY, _history_prefix(sheet, node))]


def newest(txn: Txn, sheet: bytes, node: str) -> Iterator[HistoryEntry]:
    """The same, newest first; each is decoded when it is asked for."""
    for key, data in reversed(list(txn.scan_raw(HISTORY, _history_prefix(sheet, node)))):
        if (entry := read(HISTORY, key, data)) is not None:
            yield entry


def remember(txn: Txn, sheet: bytes, node: str, run: Run, parents: Mapping[str, bytes]) -> None:
    """Add a result to a node's history; an equal one joins the entry that is there, with the new bindings."""
    references.to_runs(txn, [run.id, *parents.values()])
    prefix = _history_prefix(sheet, node)
    new = HistoryEntry(run.id, run.key, outputs_hash(run), dict(parents))
    for key, entry in txn.scan(HISTORY, prefix):
        if entry.key == new.key and entry.outputs == new.outputs:
            txn.put(HISTORY, key, new)
            return
    txn.put(HISTORY, prefix + new_id(), new)


def position(entries: Sequence[HistoryEntry], run: Run) -> int:
    """Where a run stands in a history: from 1, or 0 when it is not in it."""
    if not any(entry.key == run.key for entry in entries):
        return 0
    outputs = outputs_hash(run)
    return next((n for n, entry in enumerate(entries, 1) if entry.key == run.key and entry.outputs == outputs), 0)


def places(txn: Txn, sheet: bytes, shown: Mapping[str, Run]) -> dict[str, tuple[int, int]]:
    """Of each node's run its `position` in the node's history, and how many results that has: in one scan."""
    wanted = {_history_prefix(sheet, node): run.id for node, run in shown.items()}
    total, at = dict.fromkeys(wanted, 0), dict.fromkeys(wanted, 0)
    for key, entry in txn.scan(_RESULTS, sheet):
        node = key[:_NODE]
        if node in wanted:
            total[node] += 1
            if entry.run == wanted[node]:
                at[node] = total[node]
    found = zip(shown.items(), at.values(), total.values(), strict=True)
    return {node: (here or position(history(txn, sheet, node), run), most) for (node, run), here, most in found}


def outputs_hash(run: Run) -> bytes:
    """One hash over a run's outputs."""
    return digest("daggr/outputs", *(part for out in run.outputs for part in (out.port.encode(), out.digest)))


def _owner_hash(owner: str, graph: str) -> bytes:
    return xxhash.xxh3_128_digest(encode([owner, graph]))


def _history_prefix(sheet: bytes, node: str) -> bytes:
    return sheet + xxhash.xxh3_128_digest(node.encode())
