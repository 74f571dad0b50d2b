"""Looking known runs up in the store: what `plan` and `settle` ask."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import cached_property

from daggr.engine.freshness import is_too_old
from daggr.engine.keys import Identity, same_action, same_lookup
from daggr.engine.program import Program
from daggr.store import pins, runs, sheets
from daggr.store.records import Head, Run
from daggr.store.store import Store
from daggr.store.tables import Txn


class Lookup:
    """Look-ups in one read transaction. A run counts only if all its outputs can still be loaded.

    Nothing is found for a node whose `cache` is False, and nothing older than its timedelta. What somebody's own token
    has made is found by that user only.
    """

    def __init__(self, txn: Txn, store: Store, program: Program, owner: str, sheet: bytes = b"") -> None:
        self._txn = txn
        self._store = store
        self._program = program
        self._owner = owner
        self._sheet = sheet
        self._now = time.time()

    def by_action(self, node: str, identity: Identity, drawn: bool) -> Run | None:
        """The newest run of exactly these inputs; none while a sampled value is not drawn."""
        if not drawn or self._limit(node) is False:
            return None
        found = self._mine(runs.by_key, identity.action)
        return self._first(node, (run for run in found if same_action(run, identity)))

    def by_lookup(self, node: str, identity: Identity, drawn: bool) -> Run | None:
        """The sheet's own newest result for these inputs, else a pinned one, else the newest, whatever was sampled."""
        if self._limit(node) is False:
            return None
        if self._program.definitions[node].spec.kind == "interaction":  # what somebody answered elsewhere is not yours
            return self._first(node, (run for run in self._own(node) if same_lookup(run, identity)))
        found = itertools.chain(self._own(node), self._pinned_first(self._mine(runs.by_lookup, identity.lookup)))
        return self._first(node, (run for run in found if same_lookup(run, identity)))

    def _first(self, node: str, found: Iterator[Run]) -> Run | None:
        """The first one that may be used. gc keeps it longer, since somebody asked for it."""
        limit = self._limit(node)
        if isinstance(limit, timedelta):  # a group is as old as its items, which are looked up one by one
            found = (run for run in found if run.items < 0)
        run = next((run for run in found if not is_too_old(limit, run, self._now) and self.usable(run)), None)
        if run is not None:
            self._store.uses.note(run.id)
        return run

    def _mine(self, find: Callable[[Txn, bytes, str], Iterator[Run]], key: bytes) -> Iterator[Run]:
        """What everybody may see, then what only this user may."""
        yield from find(self._txn, key, "")
        yield from find(self._txn, key, self._owner)

    def _limit(self, node: str) -> bool | timedelta:
        return self._program.definitions[node].spec.cache

    def _pinned_first(self, found: Iterable[Run]) -> Iterable[Run]:
        if not self._has_pins:
            return found
        return sorted(found, key=lambda run: pins.get(self._txn, run.id) is None)  # stable: else the newest first

    def _own(self, node: str) -> Iterator[Run]:
        """The runs of the sheet's history of a node: what it shows now first, then the newest first."""
        if not self._sheet:
            return
        head = self._heads.get(node)
        entries = reversed(sheets.history(self._txn, self._sheet, node))
        for run in ([head.run] if head is not None else []) + [entry.run for entry in entries]:
            if (found := runs.get(self._txn, run)) is not None and found.status == "done":
                yield found

    @cached_property
    def _has_pins(self) -> bool:
        return pins.any_pins(self._txn)

    @cached_property
    def _heads(self) -> Mapping[str, Head]:
        sheet = sheets.get(self._txn, self._sheet)
        return sheets.snapshot(self._txn, sheet).heads if sheet is not None else {}

    def usable(self, run: Run) -> bool:
        """Whether everything the run gave can still be loaded."""
        return all(self._store.artifacts.is_readable(self._txn, output.digest) for output in run.outputs)
