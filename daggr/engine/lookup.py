"""Looking known runs up in the store: what `plan` and `settle` ask."""

from __future__ import annotations

from collections.abc import Mapping

from daggr.engine.keys import Identity, same_action, same_lookup
from daggr.store import runs
from daggr.store.artifacts import Artifacts
from daggr.store.index import Txn
from daggr.store.records import Run


class Lookup:
    """Look-ups in one read transaction. A run counts only if all its outputs can still be loaded."""

    def __init__(self, txn: Txn, artifacts: Artifacts, heads: Mapping[str, Run] | None = None) -> None:
        self._txn = txn
        self._artifacts = artifacts
        self._heads = heads or {}

    def by_action(self, node: str, identity: Identity, drawn: bool) -> Run | None:
        """The newest run of exactly these inputs; none while a sampled value is not drawn."""
        if not drawn:
            return None
        found = runs.by_key(self._txn, identity.action)
        return next((run for run in found if same_action(run, identity) and self.usable(run)), None)

    def by_lookup(self, node: str, identity: Identity, drawn: bool) -> Run | None:
        """The sheet's own result for these inputs, else the newest one, whatever was sampled."""
        head = self._heads.get(node)
        if head is not None and same_lookup(head, identity) and self.usable(head):
            return head
        found = runs.by_lookup(self._txn, identity.lookup)
        return next((run for run in found if same_lookup(run, identity) and self.usable(run)), None)

    def usable(self, run: Run) -> bool:
        """Whether everything the run gave can still be loaded."""
        return all(self._artifacts.has(self._txn, output.digest) for output in run.outputs)
