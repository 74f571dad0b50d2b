"""Looking into the rooms of a store from outside, and the shortest way to put something in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daggr.digest import Digest
from daggr.store.store import Store


def keep(store: Store, value: Any) -> Digest:
    """Put a value; its digest."""
    staged = store.artifacts.stage(value)
    with store.write([staged]):
        pass
    return staged.digest


def has(store: Store, identity: bytes) -> bool:
    with store.read() as txn:
        return store.artifacts.has(txn, identity)


def blob_files(store: Store) -> list[Path]:
    return sorted(path for path in (store.root / "blobs").rglob("*") if path.is_file())


def staged_files(store: Store) -> list[Path]:
    return sorted((store.root / "tmp").iterdir())
