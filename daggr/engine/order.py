"""Order: for whom and how a step is executed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from daggr.engine.hub.identity import Credential
from daggr.engine.plan import Find
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.remote import RemoteSpec
from daggr.store.records import Run
from daggr.store.tables import Txn


def unheard(*_: object) -> None:
    """Takes what nobody wants to know."""


@dataclass(frozen=True, eq=False)
class Order:
    """For whom and how a step is executed.

    Attributes:
        owner: The user.
        log: Takes printed text.
        progress: Takes a fraction and a few words.
        started: Called when the step has its slot.
        partial: Takes the values so far, by port, of a function that gives them one after the other.
        items: Takes how many items of a scattered step are done, have failed, and are there.
        recorded: Called with the record of a run that failed or was stopped.
        keep: Called within the transaction that records the run; what else must change with it, if anything.
        flow: Whose turn it is among those who wait for a slot: the user, the sheet, the job.
        find: Looks the run of an item up.
        alone: Whether it executes in any case, without a look at what others do.
        anew: Whether the items of a scattered step do so, too.
        credential: Who calls what is remote; None for who is logged in on this machine.
    """

    owner: str
    log: Callable[[str], None]
    progress: Callable[[float | None, str], None]
    started: Callable[[float], None]
    keep: Callable[[Txn, Run], None] | None
    partial: Callable[[Mapping[str, Any]], None] = unheard
    items: Callable[[int, int, int], None] = unheard
    recorded: Callable[[Run], None] = unheard
    flow: tuple[str, ...] = ()
    find: Callable[[], AbstractContextManager[Find]] | None = None
    alone: bool = False
    anew: bool = False
    credential: Credential | None = None

    def scope(self, spec: NodeSpec) -> str:
        """Whom a run serves: everybody, or only the user whose own token it was made with."""
        personal = self.credential is not None and self.credential.personal
        return self.owner if personal and isinstance(spec, RemoteSpec) else ""


@dataclass(frozen=True)
class Outcome:
    """The run of a step, and whether it was known: nothing was executed for it.

    The run of a scattered step may be one of which some items failed.
    """

    run: Run
    hit: bool
