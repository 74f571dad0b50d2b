"""The records of the index. Fields are only ever appended, so that old and new readers decode each other's.

Ids of runs, sheets and snapshots are UUIDv7: 16 bytes whose order is the order of time. Times are seconds since the
epoch.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Literal

import msgspec

RunStatus = Literal["done", "failed", "cancelled"]
SourceKind = Literal["ui", "fixed", "sampled", "edge"]


class Record(msgspec.Struct, array_like=True, frozen=True):
    """What all records have in common."""


class Artifact(Record):
    """A typed value: its codec, and its bytes or the blob that holds them.

    `size` counts the bytes of the content. Exactly one of `inline` and `blob` is there.
    """

    codec: str
    size: int
    inline: bytes | None
    blob: bytes | None
    name: str = ""
    """A file's base name, which functions see."""
    put: float = 0.0
    """When it was put last."""
    condemned: int = 0
    """The transaction in which gc gave it up; 0 while it counts as there."""
    refs: tuple[bytes, ...] = ()
    """The file artifacts that the value refers to. What a list of items refers to is its content."""


class Blob(Record):
    """A file under `blobs/`. `ref_txn` is the transaction that last put it, revived it or gave it up."""

    size: int
    xxh3: bytes
    condemned: bool
    ref_txn: int


class Binding(Record):
    """What an input port was given, and where that came from."""

    port: str
    digest: bytes
    source: SourceKind
    run: bytes = b""
    """The run that made it, for edges."""
    source_port: str = ""
    provider: bytes = b""
    """The fingerprint of the callable that was sampled."""
    whole: bytes = b""
    """The value of an input that was split into items."""


class Output(Record):
    """What an output port gave."""

    port: str
    digest: bytes


class Run(Record):
    """One recorded execution of one node. Never changed after it is written, unless it is disowned (`uncached`)."""

    id: bytes
    graph: str
    node: str
    kind: str
    owner: str
    scope: str
    """Whom it serves: empty for everybody, a user's name when made with a personal token."""
    fingerprint: bytes
    key: bytes
    lookup: bytes
    inputs: tuple[Binding, ...]
    outputs: tuple[Output, ...]
    status: RunStatus
    started: float
    seconds: float
    error: str = ""
    log: str = ""
    uncached: str = ""
    """Why the run is not found again by key, in words; empty when it is."""
    notes: tuple[str, ...] = ()
    soft: dict[str, str] = {}
    """What was the case when it ran without being part of its keys, such as versions of libraries."""
    items: int = -1
    """How many items a group run has; -1 if it is no group."""
    variant: str = ""
    """Which variant of a choice ran."""
    edits: bytes = b""
    """The run whose outputs a user has edited."""
    is_item: bool = False
    """Whether it ran for one item of a scattered node."""

    def output(self, port: str) -> bytes | None:
        """The digest of an output port's value."""
        return next((output.digest for output in self.outputs if output.port == port), None)

    def input(self, port: str) -> Binding | None:
        """What an input port was given."""
        return next((binding for binding in self.inputs if binding.port == port), None)


class ItemRuns(Record):
    """Some of the runs of a group's items: their ids one after the other, 16 zero bytes where an item has no run."""

    runs: bytes


class Definition(Record):
    """The leaf map that a fingerprint is the hash of, and the source text of those leaves that are code."""

    leaves: dict[str, bytes]
    sources: dict[str, str] = {}


class Head(Record):
    """The run that a sheet shows for a node, and the runs that fed it there, by edge id."""

    run: bytes
    parents: dict[str, bytes]


class Sheet(Record):
    """A user's named workspace over a graph. `version` counts its changes."""

    id: bytes
    name: str
    owner: str
    graph: str
    created: float
    updated: float
    version: int
    snapshot: bytes
    undone: tuple[bytes, ...] = ()
    """Snapshots that redo goes back to, the nearest last."""
    own: bool = False
    """Whether nobody else refers to the current snapshot, so that it may be amended in place."""


class Snapshot(Record):
    """The state of a sheet. A change by the user makes a new one with the old as its parent."""

    id: bytes
    parent: bytes
    inputs: dict[str, bytes]
    """The digest of every input that was set, by input id."""
    heads: dict[str, Head]


class HistoryEntry(Record):
    """A distinct result of a node in a sheet. `parents` are the bindings of its newest appearance."""

    run: bytes
    key: bytes
    outputs: bytes
    """One hash over all output digests."""
    parents: dict[str, bytes]


class Pin(Record):
    """Keeps a run from gc."""

    label: str
    at: float


class FileStat(Record):
    """What a file held when it had this size and these times."""

    size: int
    mtime_ns: int
    ctime_ns: int
    sha256: bytes
    xxh3: bytes


class Lease(Record):
    """A process that uses the store. What was there in transaction `floor` must not be taken from under it."""

    pid: int
    host: str
    started: float
    floor: int


class Note(Record):
    """A few bytes that the store keeps about itself."""

    value: bytes


_lock = threading.Lock()
_last = 0


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def new_id() -> bytes:
    """A UUIDv7 that is greater than every one made before it in this process."""
    global _last
    with _lock:
        # 48 bits of milliseconds and 12 bits of fraction, as RFC 9562 §6.2 method 3 allows
        ticks = max((time.time_ns() << 12) // 1_000_000, _last + 1)
        _last = ticks
    random = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    value = (ticks >> 12) << 80 | 7 << 76 | (ticks & 0xFFF) << 64 | 2 << 62 | random
    return value.to_bytes(16, "big")
