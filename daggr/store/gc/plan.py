"""The plan of a collection: one look at the whole store, in time and memory linear in what it holds.

Runs that no root keeps may go: those that the policy names, and if the store is over its budget those for which
age × size ÷ seconds to make them again is largest. The items of a group stay as long as the group does. Artifacts go
when no kept run, sheet or artifact refers to them, blobs when no kept artifact does. So a blob never goes from under a
kept run.
"""

from __future__ import annotations

import contextlib
import math
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from daggr.errors import StoreError
from daggr.store import runs
from daggr.store.gc import reach
from daggr.store.gc.groups import Groups
from daggr.store.gc.names import DIGEST, ID, Names
from daggr.store.gc.policy import Policy
from daggr.store.gc.reach import short
from daggr.store.gc.roots import Roots, find_roots
from daggr.store.parts import has_parts
from daggr.store.records import Artifact, Run
from daggr.store.store import Store
from daggr.store.tables import ARTIFACTS, BLOBS, DEFINITIONS, RUNS, SNAPSHOTS, Txn
from daggr.store.uses import last_use

RECORD_SIZE = 600
"""Bytes that a run takes in the index, about."""

ITEM_SIZE = 16
"""Bytes that a group takes for each item, about."""

OF_A_GROUP = "an item of a group that stays"

_BUCKETS = 2048
_PER_DOUBLING = 16
_NEVER = _BUCKETS
_ALWAYS = -1
"""The rank of a group that stays whatever the budget is."""


@dataclass
class NodePlan:
    """What happens to the runs of one node."""

    kept: int = 0
    evicted: int = 0


@dataclass
class GcPlan:
    """What a collection would remove, and what stays why.

    Attributes:
        seen: The transaction that the plan looked at.
        used: Bytes of the store now: blobs and index.
        budget: Bytes that it may have.
        freed: Bytes of content that go.
        evict: Runs whose results go; groups come before their items.
        remembered: Those of them whose records stay, since histories tell of them.
        artifacts, blobs: What nothing kept refers to.
        layers: How many of the artifacts come first, next, … so that none goes together with one that refers to it.
        orphans: Files under `blobs/` that the index does not know, such as a crash leaves.
        stay: How many runs stay, by reason.
        nodes: By graph and node.
    """

    seen: int
    used: int
    budget: int
    freed: int = 0
    evict: Names = field(default_factory=lambda: Names(ID))
    remembered: set[bytes] = field(default_factory=set)
    artifacts: Names = field(default_factory=lambda: Names(DIGEST))
    layers: list[int] = field(default_factory=list)
    blobs: Names = field(default_factory=lambda: Names(DIGEST))
    definitions: list[bytes] = field(default_factory=list)
    snapshots: list[bytes] = field(default_factory=list)
    orphans: list[Path] = field(default_factory=list)
    stay: Counter[str] = field(default_factory=Counter)
    nodes: dict[tuple[str, str], NodePlan] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be removed."""
        return not (self.evict or self.artifacts or self.blobs or self.definitions or self.snapshots or self.orphans)


def plan_gc(store: Store, policy: Policy, now: float | None = None) -> GcPlan:
    """Plan a collection. Nothing is changed.

    Raises:
        StoreError: there are damaged records; what they kept would go.
    """
    now = time.time() if now is None else now
    damaged = store.index.damaged
    with store.read() as txn:
        used = size_of(store, txn)
        budget = policy.budget(store.root, used)
        chooser = _Chooser(txn, policy, find_roots(txn, policy, now), now)
        cut = _NEVER
        while True:
            plan = _plan(txn, chooser, cut, GcPlan(txn.id, used, budget), now)
            over = used - plan.freed - budget
            if over <= 0 or cut == 0:
                break
            cut = chooser.lower(cut, over)
    if store.index.damaged > damaged:
        raise StoreError(
            "The store has damaged records, so it is not clear what is needed.", "Run `daggr fsck --repair`."
        )
    plan.orphans, size = _orphans(store, now - policy.grace)
    plan.freed += size
    return plan


def size_of(store: Store, txn: Txn) -> int:
    """Bytes of blobs, and of the index's pages that are in use."""
    page, pages, _ = store.index.pages()
    return sum(blob.size for _, blob in txn.scan(BLOBS) if not blob.condemned) + page * sum(pages.values())


class _Chooser:
    """Says which runs go."""

    def __init__(self, txn: Txn, policy: Policy, roots: Roots, now: float) -> None:
        self.roots = roots
        self.policy = policy
        self.groups = Groups(txn, _NEVER)
        self.wholes = reach.wholes(txn)
        self._txn = txn
        self._now = now
        self._by_score: array[float] | None = None
        self._scores = array("H")
        """The score of each run, in the order of the table: that of a moment does not change."""
        self.groups.weigh(self._rank)

    def why_kept(self, run: Run, place: int, cut: int) -> str:
        """Why the run at a place of the table is kept; empty if it goes."""
        why = self._without_budget(run)
        if why is None:
            why = "" if cut < _NEVER and self._scores[place] >= cut else "there is room"
        return why or (OF_A_GROUP if self.groups.rank(run.id) < cut else "")

    def _without_budget(self, run: Run) -> str | None:
        """Why a run is kept at any size of the store; empty if it goes at any size, None if that depends on it."""
        if why := self.roots.why(run.id):
            return why
        if not self.policy.concerns(run.graph, run.node):
            return "of another node"
        if self.policy.is_explicit and self._age(run) >= (self.policy.older_than or 0.0):
            return ""
        return None

    def lower(self, cut: int, over: int) -> int:
        """The next cut that frees at least so many bytes more, if what is shared is not counted."""
        if self._by_score is None:
            self._by_score = self._weigh()
        while cut > 0 and over > 0:
            cut -= 1
            over -= int(self._by_score[cut])
        return cut

    def _weigh(self) -> array[float]:
        """Bytes that could go, by score; the scores are kept. An item goes with the last of its groups."""
        sizes = array("d", bytes(8 * _BUCKETS))
        self.groups.weigh(lambda name: self._rank(name, scored=True))
        for _, run in self._txn.scan(RUNS):
            score, rank = 0, self.groups.rank(run.id)
            if rank != _ALWAYS and not self._without_budget(run):
                size = self._size(run)
                score = min(rank, self._score(run, size))
                sizes[score] += size
            self._scores.append(score)
        return sizes

    def _rank(self, name: bytes, scored: bool = False) -> int:
        """How long a group stays: always, until the cut is as low as its score (0 before it has one), or not at all."""
        run = self._txn.get(RUNS, name)
        why = "" if run is None else self._without_budget(run)
        if run is None or why == "":
            return _NEVER
        return _ALWAYS if why else self._score(run, self._size(run)) if scored else 0

    def _age(self, run: Run) -> float:
        return max(0.0, self._now - max(run.started, last_use(self._txn, run.id)))

    def _size(self, run: Run) -> int:
        found = (self._txn.get(ARTIFACTS, output.digest) for output in run.outputs)
        return _record_size(run) + sum(artifact.size for artifact in found if artifact is not None)

    def _score(self, run: Run, size: int) -> int:
        """Age × size ÷ seconds, as the number of a bucket: each is a few per cent wider than the one before."""
        score = (self._age(run) + 1.0) * size / max(run.seconds, 0.001)
        return min(_BUCKETS - 1, max(0, int(math.log2(score) * _PER_DOUBLING)))


def _plan(txn: Txn, chooser: _Chooser, cut: int, plan: GcPlan, now: float) -> GcPlan:
    marked: set[int] = {short(digest) for digest in chooser.roots.artifacts}
    definitions: set[bytes] = set()
    others = Names(ID)
    for place, (name, run) in enumerate(txn.scan(RUNS)):
        why = chooser.why_kept(run, place, cut)
        if not why and name in chooser.roots.remembered and runs.is_evicted(txn, run):
            definitions.add(run.fingerprint)  # its results went in an earlier collection
            continue
        node = plan.nodes.setdefault((run.graph, run.node), NodePlan())
        if why:
            node.kept += 1
            plan.stay[why] += 1
            marked.update(short(digest) for digest in referred(run))
            definitions.add(run.fingerprint)
        else:
            node.evicted += 1
            (plan.evict if run.items > 0 else others).add(name)
            plan.freed += _record_size(run)
            if name in chooser.roots.remembered:
                plan.remembered.add(name)
                definitions.add(run.fingerprint)
                plan.freed -= RECORD_SIZE
    plan.evict.extend(others)
    _plan_artifacts(txn, plan, marked, now - chooser.policy.grace, chooser.wholes)
    plan.definitions = [name for name in txn.keys(DEFINITIONS) if name not in definitions]
    plan.snapshots = [name for name in txn.keys(SNAPSHOTS) if name not in chooser.roots.snapshots]
    return plan


def _plan_artifacts(txn: Txn, plan: GcPlan, marked: set[int], young_from: float, wholes: Names) -> None:
    def is_kept(name: bytes, artifact: Artifact) -> bool:
        return short(name) in marked or (artifact.put > young_from and not artifact.condemned)

    going = reach.spread(txn, wholes, marked, is_kept)
    for layer in reach.layers(txn, [name for name in going if _is_there(txn, name)]):
        plan.artifacts.extend(layer)
        plan.layers.append(len(layer))
    blobs: set[int] = set()
    for name, artifact in txn.scan(ARTIFACTS):
        if is_kept(name, artifact):
            if artifact.blob is not None:
                blobs.add(short(artifact.blob))
        elif not artifact.condemned:
            if not has_parts(artifact):
                plan.artifacts.add(name)
            plan.freed += len(artifact.inline or b"")
    for name, blob in txn.scan(BLOBS):
        if short(name) not in blobs and not blob.condemned:
            plan.blobs.add(name)
            plan.freed += blob.size


def _is_there(txn: Txn, name: bytes) -> bool:
    artifact = txn.get(ARTIFACTS, name)
    return artifact is not None and not artifact.condemned


def _record_size(run: Run) -> int:
    return RECORD_SIZE + ITEM_SIZE * max(0, run.items)


def referred(run: Run) -> Iterator[bytes]:
    """The artifacts that a kept run keeps: what it gave, and what it was given by people, scripts and chance.

    What came over an edge is kept by the run that made it. Of what was split into items it is the whole that is kept.
    """
    for output in run.outputs:
        yield output.digest
    for given in run.inputs:
        if given.source != "edge":
            yield given.whole or given.digest


def _orphans(store: Store, before: float) -> tuple[list[Path], int]:
    """Files that the index does not know, if they are not new, and their bytes."""
    found, size = [], 0
    with store.read() as txn:
        for entry in store.blobs.strangers(txn):
            with contextlib.suppress(OSError):  # it may have gone meanwhile
                stat = entry.stat(follow_symlinks=False)
                if stat.st_mtime < before:
                    found.append(Path(entry.path))
                    size += stat.st_size
    return found, size
