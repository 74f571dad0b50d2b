"""What runs at this moment, by sheet and node: the part of a card's state that no record holds."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from daggr.engine.events import (
    ItemsProgressed,
    JobEnded,
    StepCancelled,
    StepEvent,
    StepFailed,
    StepFinished,
    StepGave,
    StepLogged,
    StepQueued,
    StepSkipped,
    StepStarted,
)
from daggr.errors import DaggrError

Status = Literal["idle", "queued", "running", "failed", "stopped"]
_MOST_ACTIVE: tuple[Status, ...] = ("running", "queued", "failed", "stopped", "idle")
_ENDED: tuple[Status, ...] = ("failed", "stopped", "idle")


@dataclass(frozen=True)
class LiveNode:
    """What a node is doing. `idle` after a success: its head tells the rest.

    Attributes:
        status: What it is doing.
        started_at: When it began, in seconds since the epoch.
        error: Why it failed or was stopped.
        log: What it has printed.
        gave: What it gave so far, by port, if it gives one value after the other.
        items: Of a scattered node: how many items are done, how many failed, and how many there are.
        job: Whom to stop.
    """

    status: Status = "idle"
    started_at: float | None = None
    error: DaggrError | None = None
    log: str = ""
    gave: Mapping[str, Any] = field(default_factory=dict)
    items: tuple[int, int, int] | None = None
    job: str = ""


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
                for job in [job for job, node in jobs.items() if node.status in _ENDED]:
                    del jobs[job]
            if not isinstance(event, StepSkipped):
                jobs[event.job] = after


def _after(node: LiveNode, event: StepEvent) -> LiveNode:
    match event:
        case StepQueued():
            return LiveNode("queued", job=event.job)
        case StepStarted():
            return LiveNode("running", event.at, job=event.job)
        case StepFinished():
            return LiveNode("idle", log="" if event.hit else node.log)
        case StepFailed() | StepCancelled():
            status: Status = "failed" if isinstance(event, StepFailed) else "stopped"
            return LiveNode(status, node.started_at, event.error, node.log)
        case _:
            return _told(node, event)


def _told(node: LiveNode, event: StepEvent) -> LiveNode:
    match event:
        case StepLogged():
            return replace(node, log=node.log + event.text)
        case StepGave():
            return replace(node, gave=event.values)
        case ItemsProgressed():
            return replace(node, items=(event.done, event.failed, event.total))
        case _:
            return node
