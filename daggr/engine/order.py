"""Order: for whom and how a step is executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from daggr.store.records import Run
from daggr.store.tables import Txn


@dataclass(frozen=True, eq=False)
class Order:
    """For whom and how a step is executed.

    Attributes:
        owner: The user.
        log: Takes printed text.
        progress: Takes a fraction and a few words.
        started: Called when the step has its slot.
        keep: Called within the transaction that records the run; what else must change with it, if anything.
        alone: Whether it executes in any case, without a look at what others do.
    """

    owner: str
    log: Callable[[str], None]
    progress: Callable[[float | None, str], None]
    started: Callable[[float], None]
    keep: Callable[[Txn, Run], None] | None
    alone: bool = False


@dataclass(frozen=True)
class Outcome:
    """The run of a step, and whether it was known: nothing was executed for it."""

    run: Run
    hit: bool
