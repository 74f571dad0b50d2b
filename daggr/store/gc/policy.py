"""What a collection is asked for."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

GRACE = 3600.0
"""Seconds for which nothing new is removed: somebody may be about to use it."""

KEPT_SNAPSHOTS = 200
"""Steps that can be undone, for each sheet."""


@dataclass(frozen=True)
class Policy:
    """What may go. Without a wish only what nothing refers to goes, and what exceeds the budget.

    Attributes:
        max_size: Bytes that the store may have; None takes half of what it could have on its disk.
        keep_last: Keep this many newest results for each node, and for each node of each sheet; the others may go.
        older_than: Results that were neither made nor used for this many seconds may go.
        node: Only results of this node (`node` or `graph/node`) may go; alone, all of them that are not kept anyway.
        grace: Seconds for which nothing new goes.
    """

    max_size: int | None = None
    keep_last: int | None = None
    older_than: float | None = None
    node: str | None = None
    grace: float = GRACE

    @property
    def is_explicit(self) -> bool:
        """Whether results are to go that there would be room for."""
        named = self.node is not None and self.max_size is None
        return named or self.keep_last is not None or self.older_than is not None

    def budget(self, root: Path, used: int) -> int:
        """Bytes that the store may have."""
        return self.max_size if self.max_size is not None else (shutil.disk_usage(root).free + used) // 2

    def concerns(self, graph: str, node: str) -> bool:
        """Whether results of a node may go at all."""
        return self.node is None or self.node in (node, f"{graph}/{node}")
