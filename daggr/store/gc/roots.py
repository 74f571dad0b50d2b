"""Roots: the runs and artifacts that people can reach, and so keep."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import groupby

from daggr.errors import StoreError
from daggr.store import sheets
from daggr.store.gc.policy import KEPT_SNAPSHOTS, Policy
from daggr.store.records import HistoryEntry, Sheet, Snapshot
from daggr.store.runs import EDIT, inverted
from daggr.store.tables import BARRIER, BY_NODE, HISTORY, PINS, RUNS, SHEETS, Txn

PINNED, SHOWN, UNDO, LAST, YOUNG = "pinned", "shown on a sheet", "kept for undo", "among the last of a node", "new"


@dataclass
class Roots:
    """What is kept, and why.

    Attributes:
        runs: Why a run is kept, by its id. Runs with an id from `young_from` on are kept, too.
        artifacts: Inputs of sheets.
        snapshots: The states that sheets can show.
        remembered: Runs that a history tells of: their records stay even if their results go.
        young_from: The least id of a run that is new.
    """

    young_from: bytes
    runs: dict[bytes, str] = field(default_factory=dict)
    artifacts: set[bytes] = field(default_factory=set)
    snapshots: set[bytes] = field(default_factory=set)
    remembered: set[bytes] = field(default_factory=set)

    def why(self, run: bytes) -> str:
        """Why a run is kept; empty if it is not."""
        return self.runs.get(run) or (YOUNG if run >= self.young_from else "")


def find_roots(txn: Txn, policy: Policy, now: float) -> Roots:
    """Everything that people can reach at this moment."""
    young_from = max(0, int((now - policy.grace) * 1000)).to_bytes(6, "big") + bytes(10)
    roots = Roots(young_from if policy.grace > 0 else b"\xff" * 16)
    for name in txn.keys(BARRIER):  # referred to since the collection began
        roots.runs.setdefault(name, YOUNG)
        roots.artifacts.add(name)
        roots.snapshots.add(name)
    for pinned, _ in txn.scan(PINS):
        roots.runs.setdefault(pinned, PINNED)
    for _, sheet in txn.scan(SHEETS):
        _keep_sheet(txn, sheet, roots)
    _keep_last(txn, 1 if policy.keep_last is None else policy.keep_last, roots)
    _keep_edited(txn, roots)
    return roots


def _keep_sheet(txn: Txn, sheet: Sheet, roots: Roots) -> None:
    states = sheets.past(txn, sheet, KEPT_SNAPSHOTS)
    if not states:
        raise StoreError(f"The state of the sheet {sheet.name!r} is gone.", "Run `daggr fsck --repair` first.")
    _keep_state(states[0], SHOWN, roots)
    for state in states[1:]:
        _keep_state(state, UNDO, roots)
    for name in sheet.undone:
        for state in sheets.chain(txn, name, KEPT_SNAPSHOTS):
            _keep_state(state, UNDO, roots)


def _keep_state(state: Snapshot, why: str, roots: Roots) -> None:
    roots.snapshots.add(state.id)
    roots.artifacts.update(state.inputs.values())
    for head in state.heads.values():
        for run in (head.run, *head.parents.values()):
            roots.runs.setdefault(run, why)


def _keep_last(txn: Txn, most: int, roots: Roots) -> None:
    """The newest results of each node, and the newest entries of each history with the runs that fed them.

    An item is no result of its own: the group is. Nor is what a user has edited, which no look-up finds.
    """
    for _, keys in groupby(txn.keys(BY_NODE), key=lambda key: key[:16]):
        results, is_newest = 0, True
        for key in keys:
            name = inverted(key[-16:])
            if results >= most:
                break
            if (run := txn.get(RUNS, name)) is None or run.kind == EDIT:
                continue
            if run.is_item:  # so are all of these
                break
            results += run.status == "done"
            if run.status == "done" or is_newest:  # also the newest failure, for its log
                roots.runs.setdefault(name, LAST)
            is_newest = False
    for _, entries in groupby(txn.scan(HISTORY), key=lambda found: found[0][:32]):
        newest: deque[HistoryEntry] = deque(maxlen=most)
        for _, entry in entries:
            roots.remembered.add(entry.run)
            newest.append(entry)
        for entry in newest:
            for name in (entry.run, *entry.parents.values()):
                roots.runs.setdefault(name, LAST)


def _keep_edited(txn: Txn, roots: Roots) -> None:
    """What was edited, and is shown or told of as the edit that a user made of it."""
    waiting = list(roots.runs)
    while waiting:
        name = waiting.pop()
        run = txn.get(RUNS, name) if len(name) == len(roots.young_from) else None
        if run is not None and run.edits and run.edits not in roots.runs:
            roots.runs[run.edits] = roots.runs[name]
            waiting.append(run.edits)
