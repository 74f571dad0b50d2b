"""Looking known runs up in the store: what `plan` and `settle` ask."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import cached_property

from daggr.engine.keys import Identity, same_action, same_lookup
from daggr.store import runs, sheets
from daggr.store.records import Head, Run
from daggr.store.store import Store
from daggr.store.tables import Txn


class Lookup:
    """Look-ups in one read transaction. A run counts only if all its outputs can still be loaded."""

    def __init__(self, txn: Txn, store: Store, sheet: bytes = b"") -> None:
        self._txn = txn
        self._store = store
        self._sheet = sheet

    def by_action(self, node: str, identity: Identity, drawn: bool) -> Run | None:
        """The newest run of exactly these inputs; none while a sampled value is not drawn."""
        if not drawn:
            return None
        found = runs.by_key(self._txn, identity.action)
        return self._used(next((run for run in found if same_action(run, identity) and self.usable(run)), None))

    def by_lookup(self, node: str, identity: Identity, drawn: bool) -> Run | None:
        """The sheet's own newest result for these inputs, else the newest of all, whatever was sampled."""
        found = itertools.chain(self._own(node), runs.by_lookup(self._txn, identity.lookup))
        return self._used(next((run for run in found if same_lookup(run, identity) and self.usable(run)), None))

    def _own(self, node: str) -> Iterator[Run]:
        """The runs of the sheet's history of a node: what it shows now first, then the newest first."""
        if not self._sheet:
            return
        head = self._heads.get(node)
        entries = reversed(sheets.history(self._txn, self._sheet, node))
        for run in ([head.run] if head is not None else []) + [entry.run for entry in entries]:
            if (found := runs.get(self._txn, run)) is not None:
                yield found

    def _used(self, run: Run | None) -> Run | None:
        """Somebody asked for it: gc keeps it longer."""
        if run is not None:
            self._store.uses.note(run.id)
        return run

    @cached_property
    def _heads(self) -> Mapping[str, Head]:
        sheet = sheets.get(self._txn, self._sheet)
        return sheets.snapshot(self._txn, sheet).heads if sheet is not None else {}

    def usable(self, run: Run) -> bool:
        """Whether everything the run gave can still be loaded."""
        return all(self._store.artifacts.is_readable(self._txn, output.digest) for output in run.outputs)
