"""The check: rows ↔ files ↔ sizes, every record's checksum, every reference. Nothing is changed.

`quick` compares names and sizes, `normal` also reads every blob (xxh3) and the index's own structure, `full` takes the
sha256 of every blob, by which it is named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import xxhash

from daggr.errors import ArtifactCorruptError
from daggr.store import references, runs
from daggr.store.blobs import has_size
from daggr.store.codecs import builtin
from daggr.store.fsck.findings import Report
from daggr.store.parts import ABSENT, listed, split
from daggr.store.records import Blob, Run
from daggr.store.staging import CHUNK
from daggr.store.store import Store
from daggr.store.tables import (
    ARTIFACTS,
    BLOBS,
    BY_KEY,
    BY_LOOKUP,
    BY_NODE,
    BY_OWNER,
    ITEMS,
    RECORDS,
    RUNS,
    SHEETS,
    SNAPSHOTS,
    Table,
    Txn,
    read,
)

Depth = Literal["quick", "normal", "full"]
Progress = Callable[[str, int, int], None]


def check(store: Store, depth: Depth = "normal", progress: Progress = lambda *_: None) -> Report:
    """Look for damage in a store. Others may go on using it.

    Args:
        store: The store.
        depth: How thoroughly.
        progress: Takes what is looked at, how many of them were, and how many there are.
    """
    report = Report()
    if depth != "quick":
        for problem in store.index.problems(store.attendance.path()):
            report.add("index", "", b"", problem)
    with store.read() as txn:
        for table in RECORDS:
            _check_table(txn, table, report)
        _check_runs(txn, report)
        _check_marks(txn, report)
        _check_artifacts(txn, report)
        _check_sheets(txn, report)
    _check_blobs(store, depth, report, progress)
    _find_orphans(store, report)
    return report


def _check_table(txn: Txn, table: Table[Any], report: Report) -> None:
    name, seen = table.name.decode(), 0
    for key, data in txn.scan_safely(table):
        seen += 1
        if read(table, key, data) is None:
            report.add("damaged record", name, key)
    report.looked_at[name] = seen
    if seen < txn.count(table):
        report.add("unreachable records", name, b"", f"{txn.count(table) - seen} of the table {name!r}")


def _check_runs(txn: Txn, report: Report) -> None:
    for name, run in _good(txn, RUNS):
        if not runs.is_found(txn, run):
            if not runs.is_evicted(txn, run):
                report.add("not indexed", "run", name, _title(run))
            continue
        if run.status == "done" and not run.uncached:
            for output in run.outputs:
                if is_lost(txn, output.digest):
                    report.add("lost value", "artifact", output.digest, f"{output.port} of {_title(run)}")


def _check_marks(txn: Txn, report: Report) -> None:
    unfinished = references.is_collecting(txn) or references.was_interrupted(txn)  # gc removes keys after their runs
    for table in (BY_NODE,) if unfinished else (BY_KEY, BY_LOOKUP, BY_NODE):
        for key, _ in txn.scan_safely(table):
            if txn.get_quietly(RUNS, runs.inverted(key[-16:])) is None:
                report.add("lost run", table.name.decode(), key)
    for key, _ in txn.scan_safely(BY_OWNER):
        if txn.get_quietly(SHEETS, key[-16:]) is None:
            report.add("lost state", "by_owner", key, "a sheet is gone")
    for key, _ in txn.scan_safely(ITEMS):
        if txn.get_quietly(RUNS, key[:16]) is None:
            report.add("lost run", "items", key)


def is_lost(txn: Txn, digest: bytes) -> bool:
    """Whether a value has no record; of a list of items whether one of them has none, or nobody knows which they are.

    Only where a cached run gave it: what runs gave that are not cached may live in memory alone.
    """
    artifact = txn.get_quietly(ARTIFACTS, digest)
    if artifact is None or artifact.codec != builtin.ITEMS:
        return artifact is None
    try:
        items = split(listed(txn, artifact))
    except ArtifactCorruptError:
        return True
    return any(item != ABSENT and txn.get_quietly(ARTIFACTS, item) is None for item in items)


def _check_artifacts(txn: Txn, report: Report) -> None:
    for name, artifact in _good(txn, ARTIFACTS):
        if artifact.condemned:
            continue
        for ref in artifact.refs:
            file = txn.get_quietly(ARTIFACTS, ref)
            if file is None or file.condemned:
                report.add("lost value", "artifact", name, f"the file {ref.hex()[:16]} that it refers to")
        if artifact.blob is None:
            continue
        blob = txn.get_quietly(BLOBS, artifact.blob)
        if blob is None or blob.condemned or blob.size != artifact.size:
            report.add("lost value", "artifact", name, f"its blob {artifact.blob.hex()[:16]} has no row")


def _check_sheets(txn: Txn, report: Report) -> None:
    for name, sheet in _good(txn, SHEETS):
        state = txn.get_quietly(SNAPSHOTS, sheet.snapshot)
        if state is None:
            report.add("lost state", "sheet", name, f"of the sheet {sheet.name!r}")
            continue
        for node, head in state.heads.items():
            if txn.get_quietly(RUNS, head.run) is None:
                report.add("lost run", "sheet", name, f"what the sheet {sheet.name!r} shows for {node!r}")
        for field, digest in state.inputs.items():
            if txn.get_quietly(ARTIFACTS, digest) is None:
                report.add("lost value", "sheet", name, f"the input {field!r} of the sheet {sheet.name!r}")


def _good(txn: Txn, table: Table[Any]) -> Any:
    """The records of a table that are whole."""
    for key, data in txn.scan_safely(table):
        if (record := read(table, key, data)) is not None:
            yield key, record


def _title(run: Run) -> str:
    return f"the run {run.id.hex()[:12]} of {run.graph}/{run.node}"


# ---------------------------------------------------------------- blobs


def _check_blobs(store: Store, depth: Depth, report: Report, progress: Progress) -> None:
    with store.read() as txn:
        blobs = [(name, blob) for name, blob in _good(txn, BLOBS) if not blob.condemned]
    for done, (name, blob) in enumerate(blobs, 1):
        path = store.blobs.path(name)
        if not has_size(path, blob.size):
            if _is_still(store, name):
                report.add("lost blob", "blob", name)
        elif depth != "quick" and not _is_whole(path, name, blob, depth) and _is_still(store, name):
            report.add("damaged blob", "blob", name)
        if done % 100 == 0 or done == len(blobs):
            progress("blobs", done, len(blobs))
    report.looked_at["files"] = len(blobs)


def _is_still(store: Store, name: bytes) -> bool:
    """Whether a blob still counts as there: gc may be at work."""
    with store.read() as txn:
        now = txn.get_quietly(BLOBS, name)
    return now is not None and not now.condemned


def _is_whole(path: Path, name: bytes, blob: Blob, depth: Depth) -> bool:
    xxh3, sha256 = xxhash.xxh3_64(), hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                xxh3.update(chunk)
                if depth == "full":
                    sha256.update(chunk)
    except OSError:
        return False
    return xxh3.digest() == blob.xxh3 and (depth != "full" or sha256.digest() == name)


def _find_orphans(store: Store, report: Report) -> None:
    with store.read() as txn:
        for entry in store.blobs.strangers(txn):
            report.add("orphan", "", b"", entry.path)
