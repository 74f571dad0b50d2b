"""The repair: what is damaged is set aside, and what refers to it is forgotten, so that it is a miss.

What can be derived from the rest is made anew.
"""

from __future__ import annotations

from typing import Any

import msgspec

from daggr.errors import ArtifactCorruptError, StoreLockedError
from daggr.store import references, runs, sheets
from daggr.store.environment import LONGEST_KEY
from daggr.store.fsck.check import is_lost
from daggr.store.fsck.findings import Finding, Report
from daggr.store.index import quarantine
from daggr.store.lease import others
from daggr.store.records import Snapshot, new_id
from daggr.store.store import Store
from daggr.store.tables import (
    ARTIFACTS,
    BLOBS,
    BY_OWNER,
    HISTORY,
    RUNS,
    SHEETS,
    SNAPSHOTS,
    Table,
    Txn,
    read,
    table_of,
)


def repair(store: Store, report: Report) -> None:
    """Mend what a check has found. Check again afterwards: what is set aside may leave more to forget.

    Raises:
        StoreLockedError: the index must be written anew, and another process has the store open.
    """
    if report.of("index", "unreachable records"):
        _write_anew(store)

    def mend(txn: Txn) -> None:
        for finding in report.findings:
            _mend(txn, store, finding)
        for table in {finding.table for finding in report.of("damaged record")}:
            if _has_hidden(txn, table_of(table)):
                raise ArtifactCorruptError("A damaged record is seen by a scan, but not found by its key.")

    for work in (mend, _forget_what_is_gone):
        try:
            store.write(work)
        except ArtifactCorruptError:  # a writer cannot go on behind a damaged page
            _write_anew(store)
            store.write(work)


def _write_anew(store: Store) -> None:
    def alone(txn: Txn) -> None:
        if users := others(txn, store.attendance.tmp, store.attendance.token):
            raise StoreLockedError(
                f"The index must be written anew, and process {users[0][1].pid} has the store open.",
                "Stop it and try again.",
            )

    store.index.rebuild(alone)


def _mend(txn: Txn, store: Store, finding: Finding) -> None:
    match finding.kind:
        case "damaged record":
            _set_aside(txn, store, finding)
        case "damaged blob" | "lost blob":
            store.blobs.set_aside(txn, finding.key, store.root / "quarantine")
        case "lost run" if finding.table != "sheet":
            txn.remove(finding.table, finding.key)
        case "lost state" if finding.table == "by_owner":
            txn.delete(BY_OWNER, finding.key)
        case "not indexed":
            if (run := txn.get(RUNS, finding.key)) is not None:
                for table, key in runs.index_keys(run):
                    txn.mark(table, key)
        case _:
            pass


def _has_hidden(txn: Txn, table: Table[Any]) -> bool:
    """Whether there are damaged records left: those whose keys are damaged, too, and stand out of order."""
    return any(read(table, key, data) is None for key, data in txn.scan_raw(table))


def _set_aside(txn: Txn, store: Store, finding: Finding) -> None:
    if not 0 < len(finding.key) <= LONGEST_KEY:  # no key that could be looked up
        return
    data = txn.raw(finding.table, finding.key)
    if data is not None and read(table_of(finding.table), finding.key, data) is None:
        quarantine(store.root, f"{finding.table}-{finding.key.hex()[:80]}", data)
        txn.remove(finding.table, finding.key)


def _forget_what_is_gone(txn: Txn) -> None:
    """What names something that is gone: values without blobs or files, runs without values, heads without runs."""
    for name, artifact in list(txn.scan(ARTIFACTS)):
        blob = txn.get(BLOBS, artifact.blob) if artifact.blob is not None else None
        if artifact.blob is not None and (blob is None or (blob.condemned and not artifact.condemned)):
            txn.delete(ARTIFACTS, name)
    for name, artifact in [found for found in txn.scan(ARTIFACTS) if found[1].refs and not found[1].condemned]:
        if any(txn.get(ARTIFACTS, ref) is None for ref in artifact.refs):
            txn.delete(ARTIFACTS, name)
        else:
            references.to_artifacts(txn, artifact.refs)
    for _, run in list(txn.scan(RUNS)):
        lost = any(is_lost(txn, output.digest) for output in run.outputs)
        if lost and run.status == "done" and not run.uncached:
            runs.evict(txn, run)
    known = set(txn.keys(RUNS))
    for key, entry in list(txn.scan(HISTORY)):
        if entry.run not in known:
            txn.delete(HISTORY, key)
    for _, sheet in list(txn.scan(SHEETS)):
        state = txn.get(SNAPSHOTS, sheet.snapshot)
        if state is None:
            empty = Snapshot(new_id(), b"", {}, {})
            txn.put(SNAPSHOTS, empty.id, empty)
            txn.put(SHEETS, sheet.id, msgspec.structs.replace(sheet, snapshot=empty.id, own=True, undone=()))
            continue
        heads = {node: head for node, head in state.heads.items() if head.run in known}
        inputs = {field: digest for field, digest in state.inputs.items() if txn.get(ARTIFACTS, digest) is not None}
        if (heads, inputs) != (state.heads, state.inputs):
            sheets.change(txn, sheet, inputs=inputs, heads=heads, amend=True)
