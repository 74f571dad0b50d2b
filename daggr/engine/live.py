"""What runs at this moment, by sheet and node: the part of a card's state that no record holds."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from daggr.engine.events import (
    JobEnded,
    StepEvent,
    StepFailed,
    StepFinished,
    StepLogged,
    StepQueued,
    StepSkipped,
    StepStarted,
)
from daggr.errors import DaggrError

Status = Literal["idle", "queued", "running", "failed"]
_MOST_ACTIVE: tuple[Status, ...] = ("running", "queued", "failed", "idle")


@dataclass(frozen=True)
class LiveNode:
    """What a node is doing. `idle` after a success: its head tells the rest."""

    status: Status = "idle"
    started_at: float | None = None
    error: DaggrError | None = None
    log: str = ""


class Live:
    """An observer that keeps the present. Two jobs may be at one node: each has its own entry while it lasts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sheets: dict[bytes, dict[str, dict[str, LiveNode]]] = {}

    def of(self, sheet: bytes) -> Mapping[str, LiveNode]:
        """The nodes of a sheet that are, or were last, doing something: what is most active there."""
        with self._lock:
            return {
                name: min(reversed(jobs.values()), key=lambda node: _MOST_ACTIVE.index(node.status))
                for name, jobs in self._sheets.get(sheet, {}).items()
                if jobs
            }

    def __call__(self, event: StepEvent) -> None:
        """Take an event in."""
        if not event.sheet:
            return
        with self._lock:
            nodes = self._sheets.setdefault(event.sheet, {})
            if isinstance(event, JobEnded):
                for jobs in nodes.values():
                    if jobs.get(event.job, LiveNode()).status in ("queued", "running"):
                        del jobs[event.job]
                return
            jobs = nodes.setdefault(event.node, {})
            after = _after(jobs.pop(event.job, LiveNode()), event)
            if isinstance(event, (StepStarted, StepFinished)):  # what ended before is no news any more
                for job in [job for job, node in jobs.items() if node.status in ("failed", "idle")]:
                    del jobs[job]
            if not isinstance(event, StepSkipped):
                jobs[event.job] = after


def _after(node: LiveNode, event: StepEvent) -> LiveNode:
    match event:
        case StepQueued():
            return LiveNode("queued")
        case StepStarted():
            return LiveNode("running", event.at)
        case StepLogged():
            return replace(node, log=node.log + event.text)
        case StepFinished():
            return LiveNode("idle", log="" if event.hit else node.log)
        case StepFailed():
            return LiveNode("failed", node.started_at, event.error, node.log)
        case _:
            return node
