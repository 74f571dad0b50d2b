"""What a store holds: how much of what, by table, by node and by codec."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from daggr.store.lease import others
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS, RUNS, Txn


@dataclass
class Share:
    """Some of what a store holds: how many, and the bytes of their content."""

    count: int = 0
    size: int = 0

    def add(self, size: int) -> None:
        """One more."""
        self.count += 1
        self.size += size


@dataclass
class Contents:
    """All that a store holds.

    Attributes:
        tables: Entries and bytes of each table of the index.
        nodes: Runs by (graph, node), and the bytes of the outputs that they made first.
        codecs: Artifacts by codec.
        folders: Files and bytes of each folder.
        open_elsewhere: How many other processes have the store open.
    """

    tables: dict[str, Share] = field(default_factory=dict)
    nodes: dict[tuple[str, str], Share] = field(default_factory=dict)
    codecs: dict[str, Share] = field(default_factory=dict)
    folders: dict[str, Share] = field(default_factory=dict)
    open_elsewhere: int = 0

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(share.size for share in self.folders.values())


def contents(store: Store) -> Contents:
    """Look at the whole store."""
    found = Contents()
    page, pages, entries = store.index.pages()
    found.tables = {name: Share(entries[name], pages[name] * page) for name in pages}
    with store.read() as txn:
        found.open_elsewhere = len(others(txn, store.attendance.tmp, store.attendance.token))
        sizes = _codecs(txn, found)
        _nodes(txn, found, sizes)
    for name in ("meta", "blobs", "files", "tmp", "quarantine"):
        found.folders[name] = _folder(store.root / name)
    return found


def _codecs(txn: Txn, found: Contents) -> dict[bytes, int]:
    sizes: dict[bytes, int] = {}
    for name, artifact in txn.scan(ARTIFACTS):
        if not artifact.condemned:
            found.codecs.setdefault(artifact.codec, Share()).add(artifact.size)
            sizes[name] = artifact.size
    return sizes


def _nodes(txn: Txn, found: Contents, sizes: dict[bytes, int]) -> None:
    for _, run in txn.scan(RUNS):
        size = sum(sizes.pop(output.digest, 0) for output in run.outputs)
        found.nodes.setdefault((run.graph, run.node), Share()).add(size)


def _folder(path: Path) -> Share:
    """Files below a folder, and the room that they take."""
    share = Share()
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                stat = os.stat(os.path.join(folder, name), follow_symlinks=False)
            except OSError:  # it went meanwhile
                continue
            share.add(stat.st_blocks * 512 if hasattr(stat, "st_blocks") else stat.st_size)
    return share
