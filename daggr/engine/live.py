"""What runs at this moment, by sheet and node: the part of a card's state that no record holds."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from daggr.engine.events import (
    StepEvent,
    StepFailed,
    StepFinished,
    StepLogged,
    StepQueued,
    StepSkipped,
    StepStarted,
)
from daggr.errors import DaggrError

LOG_LIMIT = 64 * 1024


@dataclass(frozen=True)
class LiveNode:
    """What a node is doing. `idle` after a success: its head tells the rest."""

    status: Literal["idle", "queued", "running", "failed"] = "idle"
    started_at: float | None = None
    error: DaggrError | None = None
    log: str = ""


class Live:
    """An observer that keeps the present."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sheets: dict[bytes, dict[str, LiveNode]] = {}

    def of(self, sheet: bytes) -> Mapping[str, LiveNode]:
        """The nodes of a sheet that are, or were last, doing something."""
        with self._lock:
            return dict(self._sheets.get(sheet, {}))

    def __call__(self, event: StepEvent) -> None:
        """Take an event in."""
        if not event.sheet or not event.node:
            return
        with self._lock:
            nodes = self._sheets.setdefault(event.sheet, {})
            nodes[event.node] = _after(nodes.get(event.node, LiveNode()), event)


def _after(node: LiveNode, event: StepEvent) -> LiveNode:
    match event:
        case StepQueued():
            return LiveNode("queued")
        case StepStarted():
            return LiveNode("running", event.at)
        case StepLogged():
            return replace(node, log=(node.log + event.text)[-LOG_LIMIT:])
        case StepFinished():
            return LiveNode("idle", log="" if event.hit else node.log)
        case StepFailed():
            return LiveNode("failed", node.started_at, event.error, node.log)
        case StepSkipped():
            return LiveNode()
        case _:
            return node
