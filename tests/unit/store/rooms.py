"""Looking into the rooms of a store from outside, and the shortest way to put something in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daggr.digest import Digest
from daggr.store.store import Store


def keep(store: Store, value: Any) -> Digest:
    """Put a value; its digest."""
    staged = store.artifacts.stage(value)
    store.put([staged])
    return staged.digest


def has(store: Store, identity: bytes) -> bool:
    with store.read() as txn:
        return store.artifacts.has(txn, identity)


def blob_files(store: Store) -> list[Path]:
    return sorted(path for path in (store.root / "blobs").rglob("*") if path.is_file())


def staged_files(store: Store) -> list[Path]:
    """What lies in the rooms under tmp/, and what lies there without an owner."""
    found = [path for path in (store.root / "tmp").iterdir() if not path.name.endswith(".lock")]
    loose = [path for path in found if not path.with_name(f"{path.name}.lock").exists()]
    return sorted([*loose, *(path for room in found if room not in loose for path in room.iterdir())])
