"""What must be true of a store after anything, given what it acknowledged. To be looked at when nobody has it open."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from daggr.errors import StoreError
from daggr.store import runs, sheets
from daggr.store.artifacts import FILE, identify
from daggr.store.fsck.check import check
from daggr.store.lease import others
from daggr.store.records import Run
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS, BLOBS, PINS, RUNS, SHEETS, SNAPSHOTS, Txn


def acknowledged(log: Path) -> list[dict[str, Any]]:
    """The lines of a log; the last may be half written, though that has never been seen."""
    lines = log.read_bytes().split(b"\n") if log.exists() else []
    return [json.loads(line) for line in lines[:-1]]


def violations(root: Path, promises: Iterable[list[dict[str, Any]]], kept: str = "keep") -> list[str]:
    """Everything that is not as it should be, in words. `kept` is the graph none of whose runs may go."""
    with Store(root) as store:
        own = store.attendance.token
        found = [f"left in tmp/: {path.name}" for path in (root / "tmp").iterdir() if path.stem != own]
        values = _Values(store)
        with store.read() as txn:
            found += [f"a lease counts whose owner is dead: {name}" for name, _ in others(txn, root / "tmp", own)]
            found += list(_dangling(txn, store, values))
            for promised in promises:
                found += list(_broken(txn, promised, kept, values))
        found += [f"fsck: {finding}" for finding in check(store, "full").damage]
    return found


class _Values:
    """Looks at each value once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[bytes, str] = {}

    def wrong(self, txn: Txn, digest: bytes) -> str:
        """What is wrong with a value; empty if it loads, and is what it was."""
        if digest not in self._known:
            self._known[digest] = self._look(txn, digest)
        return self._known[digest]

    def _look(self, txn: Txn, digest: bytes) -> str:
        if not self._store.artifacts.has(txn, digest):
            row = txn.get(ARTIFACTS, digest)
            return "is not there" if row is None else f"is a miss (condemned in {row.condemned})"
        try:
            value = self._store.artifacts.load(txn, digest)
        except StoreError as error:
            return f"cannot be loaded: {error}"
        row = txn.get(ARTIFACTS, digest)
        if row is not None and row.codec == FILE:
            same = hashlib.sha256(Path(value).read_bytes()).digest() == row.blob
        else:
            same = identify(value) == digest
        return "" if same else "is another value"


def _dangling(txn: Txn, store: Store, values: _Values) -> Iterator[str]:
    for name, artifact in txn.scan(ARTIFACTS):
        if artifact.blob is not None and not artifact.condemned:
            row = txn.get(BLOBS, artifact.blob)
            if row is None or row.condemned:
                yield f"the artifact {name.hex()[:12]} has a blob that is {'gone' if row is None else 'condemned'}"
    for name, blob in txn.scan(BLOBS):
        path = store.blobs.path(name)
        if not blob.condemned and not path.exists():
            yield f"the blob {name.hex()[:12]} has no file"
        elif not blob.condemned and hashlib.sha256(path.read_bytes()).digest() != name:
            yield f"the blob {name.hex()[:12]} has other bytes"
    for _, run in txn.scan(RUNS):
        if any(found.id == run.id for found in runs.by_key(txn, run.key)):
            for output in run.outputs:
                if wrong := values.wrong(txn, output.digest):
                    yield f"{_title(run)} is found by key, its {output.port} {wrong}"
    for run_id in txn.keys(PINS):
        if txn.get(RUNS, run_id) is None:
            yield f"the pinned run {run_id.hex()[:12]} is gone"
    yield from _dangling_sheets(txn, values)


def _dangling_sheets(txn: Txn, values: _Values) -> Iterator[str]:
    for _, sheet in txn.scan(SHEETS):
        if txn.get(SNAPSHOTS, sheet.snapshot) is None:
            yield f"the state of the sheet {sheet.id.hex()[:12]} is gone"
        for place, state in enumerate(sheets.past(txn, sheet, 3)):
            where = f"the sheet {sheet.id.hex()[:12]}, {place} steps back,"
            for node, head in state.heads.items():
                run = txn.get(RUNS, head.run)
                if run is None:
                    yield f"{where} shows a run for {node} that is gone"
                    continue
                for output in run.outputs:
                    if not runs.is_evicted(txn, run) and (wrong := values.wrong(txn, output.digest)):
                        yield f"{where} shows {_title(run)}, its {output.port} {wrong}"
            for field, digest in state.inputs.items():
                if wrong := values.wrong(txn, digest):
                    yield f"{where} has an input {field} that {wrong}"


def _broken(txn: Txn, promised: list[dict[str, Any]], kept: str, values: _Values) -> Iterator[str]:
    """Promises that were not kept."""
    pinned: set[str] = set()
    versions: dict[str, int] = {}
    for promise in promised:
        match promise["op"]:
            case "run" if promise["graph"] == kept:
                yield from _broken_run(txn, promise, values)
            case "pin":
                pinned.add(promise["run"])
            case "unpinning":
                pinned.discard(promise["run"])
            case "sheet":
                versions[promise["sheet"]] = promise["version"]
            case "deleting":
                versions.pop(promise["sheet"], None)
            case "error":
                yield f"a program failed: {promise['text']}"
    for run in pinned:
        if txn.get(PINS, bytes.fromhex(run)) is None:
            yield f"the pin of {run[:12]} is gone"
    for name, version in versions.items():
        sheet = txn.get(SHEETS, bytes.fromhex(name))
        if sheet is None or sheet.version < version:
            yield f"the sheet {name[:12]} is not at version {version}: {sheet and sheet.version}"


def _broken_run(txn: Txn, promise: dict[str, Any], values: _Values) -> Iterator[str]:
    name = promise["run"]
    run = txn.get(RUNS, bytes.fromhex(name))
    if run is None:
        yield f"the run {name[:12]} was acknowledged and is gone"
        return
    if not any(found.id == run.id for found in runs.by_key(txn, bytes.fromhex(promise["key"]))):
        yield f"the run {name[:12]} was acknowledged and is not found by its key"
    if [output.digest.hex() for output in run.outputs] != promise["outputs"]:
        yield f"the run {name[:12]} has other outputs"
    for output in run.outputs:
        if wrong := values.wrong(txn, output.digest):
            yield f"the run {name[:12]} was acknowledged, its {output.port} {wrong}"


def _title(run: Run) -> str:
    return f"the run {run.id.hex()[:12]} of {run.graph}/{run.node}"
