"""Functions that are called as the engine calls them, with an eye on what they tell meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from daggr import FnNode
from daggr.engine.runners.base import Call, Returned
from daggr.engine.runners.function import execute
from daggr.engine.workers.usercode import UserCode
from daggr.graph.nodes.base import spec_of


class Watch:
    """A call of a node, and what it tells while it runs."""

    def __init__(self, node: FnNode, folder: Path = Path("/nowhere"), **inputs: Any) -> None:
        self.log: list[str] = []
        self.progress: list[tuple[float | None, str]] = []
        self.partials: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.call = Call(spec_of(node), inputs, folder, self.log.append, self._told, self._shown)

    def _told(self, fraction: float | None, words: str) -> None:
        self.progress.append((fraction, words))

    def _shown(self, values: Mapping[str, Any]) -> None:
        self.partials.append(json.loads(json.dumps(dict(values))))
        self.times.append(time.monotonic())

    def run(self, user: UserCode | None = None) -> Returned:
        return execute(self.call, user or UserCode())


def node(fn: Callable[..., Any], *outputs: str, **given: Any) -> FnNode:
    return FnNode(fn, outputs=dict.fromkeys(outputs or ("output",)), **given)


def give(fn: Callable[..., Any], *outputs: str, **inputs: Any) -> dict[str, Any]:
    return dict(Watch(node(fn, *outputs), **inputs).run().values)
