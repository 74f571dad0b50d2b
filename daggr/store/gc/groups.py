"""The items of group runs: a kept group keeps the runs of its items, so these go with the last group that has them."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from itertools import groupby

from daggr.store import items
from daggr.store.tables import ITEMS, Txn

_ID = 16


class Groups:
    """All groups of a store, and how long the runs of their items are kept.

    Groups have ranks: of the groups that have an item, the one of the lowest rank goes last. It takes 8 bytes of an id
    to tell items apart; two that are alike by chance are both kept.

    Attributes:
        names: The runs of the groups.
    """

    def __init__(self, txn: Txn, gone: int) -> None:
        self._txn = txn
        self._gone = gone
        self._ranks: dict[int, int] = {}
        self.names = [name for name, _ in groupby(txn.keys(ITEMS), key=lambda key: key[:_ID])]

    def weigh(self, rank_of: Callable[[bytes], int]) -> None:
        """Give each group its rank; `gone` to one that goes in any case."""
        self._ranks.clear()
        ranks = ((rank_of(name), name) for name in self.names)
        for rank, name in sorted((found for found in ranks if found[0] != self._gone), reverse=True):
            self._ranks.update(dict.fromkeys(_shorts(items.get(self._txn, name)), rank))
        self._ranks.pop(0, None)  # items without a run

    def rank(self, run: bytes) -> int:
        """The lowest rank of the groups that have this run as an item; `gone` if there are none."""
        return self._ranks.get(int.from_bytes(run[8:], sys.byteorder), self._gone)


def _shorts(item_runs: bytes) -> array[int]:
    return array("Q", item_runs)[1::2]
