"""Executing a collection: in many short transactions, so that nobody waits for long.

While it is under way, writers mark what they refer to (`daggr.store.references`), and what is marked is spared, with
what it keeps. What goes is given up first, the whole before its parts; it is removed for good when no open store looks
at it any more (`daggr.store.removal`).
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from daggr.errors import StoreError, StoreFullError, StoreLockedError
from daggr.store import items, references, removal, runs
from daggr.store.gc.names import Names
from daggr.store.gc.plan import GcPlan
from daggr.store.gc.policy import GRACE
from daggr.store.presence import is_present
from daggr.store.store import Store
from daggr.store.tables import (
    ARTIFACTS,
    BARRIER,
    BLOBS,
    BY_KEY,
    BY_LOOKUP,
    CONDEMNED,
    DEFINITIONS,
    FILE_STATS,
    RUNS,
    SNAPSHOTS,
    Marks,
    Txn,
)

TOGETHER = 1000
"""Runs, keys or artifacts in one transaction."""

T = TypeVar("T")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class GcResult:
    """What a collection did.

    Attributes:
        evicted: Runs whose results went.
        freed: Bytes of files that are gone.
        waiting: Artifacts and blobs that go as soon as other processes have finished with them.
        seconds: How long it took.
    """

    evicted: int
    freed: int
    waiting: int
    seconds: float


@contextmanager
def collecting(store: Store) -> Iterator[None]:
    """Ask writers to mark what they refer to, from before the plan until after its execution.

    Raises:
        StoreLockedError: another collection is under way.
    """
    token = store.attendance.token

    def begin(txn: Txn) -> None:
        other = references.collector(txn)
        if other is not None and is_present(store.attendance.tmp, other):
            raise StoreLockedError("Another `daggr gc` is at work in this store.", "Try again when it has ended.")
        references.begin_collection(txn, token)

    store.write(begin)
    done = False
    try:
        yield
        done = True
    finally:
        store.write(lambda txn: references.end_collection(txn, token, interrupted=not done))


def execute_gc(store: Store, plan: GcPlan, progress: Progress = lambda *_: None) -> GcResult:
    """Carry a plan out. To be called within the `collecting` block in which it was made.

    Args:
        store: The store.
        plan: What `plan_gc` gave.
        progress: Takes what is done, how many of them, and how many there are.
    """
    started = time.monotonic()
    with store.read() as txn:
        if references.collector(txn) != store.attendance.token:
            raise StoreError("execute_gc() belongs in a `with collecting(store)` block.")
    evicted = _evict(store, plan, progress)
    _in_parts(store, plan.artifacts, _condemn_artifact, "artifacts", progress, _spare_parts, plan.layers)
    _in_parts(store, plan.blobs, lambda txn, name: _condemn_blob(txn, name, plan.seen), "blobs", progress)
    _in_parts(store, plan.snapshots, lambda txn, name: txn.delete(SNAPSHOTS, name), "snapshots", progress)
    _in_parts(store, plan.definitions, lambda txn, name: txn.delete(DEFINITIONS, name), "definitions", progress)
    freed = removal.remove_condemned(store.index, store.blobs, store.attendance)
    for part in _parts(plan.orphans):
        freed += store.write(lambda txn, part=part: sum(_remove_orphan(txn, path) for path in part))  # type: ignore[misc]
    store.write(_forget_file_stats)
    _remove_copies(store)
    with store.read() as txn:
        waiting = removal.waiting(txn)
    return GcResult(evicted, freed, waiting, time.monotonic() - started)


# ---------------------------------------------------------------- runs


def _evict(store: Store, plan: GcPlan, progress: Progress) -> int:
    """Remove runs, then the keys that led to them."""
    gone: set[bytes] = set()

    def evict(txn: Txn, name: bytes) -> bool:
        return _evict_one(txn, name, plan.remembered, gone)

    evicted = _in_parts(store, plan.evict, evict, "runs", progress, _spare_run)
    with store.read() as txn:
        interrupted = references.was_interrupted(txn)
    if gone or interrupted:
        for table in (BY_KEY, BY_LOOKUP):
            _delete_keys(store, table, None if interrupted else gone, progress)
        store.write(references.forget_interruption)
    return evicted


def _evict_one(txn: Txn, name: bytes, remembered: set[bytes], gone: set[bytes]) -> bool:
    run = txn.get(RUNS, name)
    if run is None:
        return False
    if name in remembered:
        runs.evict(txn, run)
    else:
        runs.delete(txn, run)
        gone.add(runs.inverted(name))
    return True


def _delete_keys(store: Store, table: Marks, gone: set[bytes] | None, progress: Progress) -> None:
    with store.read() as txn:
        total, done = txn.count(table), 0
    at: bytes | None = b""
    while at is not None:
        at = store.write(lambda txn, at=at: runs.delete_keys(txn, table, at, gone, TOGETHER))  # type: ignore[misc]
        done = min(done + TOGETHER, total)
        store.index.give_back()
        progress("keys", done, total)


# ---------------------------------------------------------------- in parts


def _in_parts(
    store: Store,
    names: Names | list[bytes],
    work: Callable[[Txn, bytes], bool],
    what: str,
    progress: Progress,
    spare: Callable[[Txn, bytes], object] = lambda txn, name: None,
    layers: Iterable[int] = (),
) -> int:
    """Do something for each name that nobody has referred to meanwhile, and spare the others; how often it was done.

    What is in one of the layers is not in one transaction with what is behind.
    """

    def unless_marked(txn: Txn, name: bytes) -> bool:
        if txn.marked(BARRIER, name) is None:
            return work(txn, name)
        spare(txn, name)
        return False

    done = seen = 0
    for part in _parts(names, layers):
        done += _carried_out(store, unless_marked, part)
        seen += len(part)
        store.index.give_back()
        progress(what, seen, len(names))
    return done


def _carried_out(store: Store, work: Callable[[Txn, bytes], bool], part: list[bytes]) -> int:
    """In one transaction; where the disk is full in smaller ones, since each frees pages for the next."""
    try:
        return store.write(lambda txn: sum(work(txn, name) for name in part))
    except StoreFullError:
        if len(part) == 1:
            raise
    half = len(part) // 2
    return _carried_out(store, work, part[:half]) + _carried_out(store, work, part[half:])


def _parts(names: Iterable[T], layers: Iterable[int] = ()) -> Iterator[list[T]]:
    waiting = iter(names)
    for layer in (*(itertools.islice(waiting, size) for size in layers), waiting):
        while part := list(itertools.islice(layer, TOGETHER)):
            yield part


def _spare_run(txn: Txn, name: bytes) -> None:
    """Somebody refers to a run that was to go, and so to what it names: of a group to its items, which come later."""
    references.to_runs(txn, [name])
    if (run := txn.get(RUNS, name)) is not None and run.items > 0:
        references.note(txn, items.split(items.get(txn, name)))


def _spare_parts(txn: Txn, name: bytes) -> None:
    """Somebody refers to an artifact that was to go, and so to its parts, which come later."""
    if (artifact := txn.get(ARTIFACTS, name)) is not None:
        references.to_parts(txn, artifact)


def _condemn_artifact(txn: Txn, name: bytes) -> bool:
    row = txn.get(ARTIFACTS, name)
    if row is None or row.condemned:
        return False
    txn.put(ARTIFACTS, name, msgspec.structs.replace(row, condemned=txn.id))
    txn.mark(CONDEMNED, removal.condemned_key(txn, removal.ARTIFACT, name))
    return True


def _condemn_blob(txn: Txn, name: bytes, seen: int) -> bool:
    row = txn.get(BLOBS, name)
    if row is None or row.condemned or row.ref_txn > seen:
        return False
    txn.put(BLOBS, name, msgspec.structs.replace(row, condemned=True, ref_txn=txn.id))
    txn.mark(CONDEMNED, removal.condemned_key(txn, removal.BLOB, name))
    return True


def _remove_orphan(txn: Txn, path: Path) -> int:
    """Remove a file that the index does not know, unless it does by now."""
    try:
        if txn.get(BLOBS, bytes.fromhex(path.name)) is not None:
            return 0
    except ValueError:  # not even a name of a blob: some other program's
        return 0
    try:
        size = path.stat().st_size
        path.unlink()
    except OSError:
        return 0
    return size


def _forget_file_stats(txn: Txn) -> None:
    gone = [key for key, stat in txn.scan(FILE_STATS) if txn.get(BLOBS, stat.sha256) is None]
    for key in gone:
        txn.delete(FILE_STATS, key)


def _remove_copies(store: Store) -> None:
    """Remove the read-only copies of artifacts that are gone, if nobody was given them lately."""
    before = time.time() - GRACE
    for folder in list(store.files.folder.iterdir()):
        if folder.is_dir() and folder.stat().st_mtime < before:
            store.write(lambda txn, folder=folder: _remove_copy(txn, folder))  # type: ignore[misc]


def _remove_copy(txn: Txn, folder: Path) -> None:
    try:
        prefix = bytes.fromhex(folder.name)
    except ValueError:
        return
    if next(txn.keys(ARTIFACTS, prefix), None) is None:
        shutil.rmtree(folder, ignore_errors=True)
