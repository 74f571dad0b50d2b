"""GradioNodes that are called as the engine calls them, with an eye on what they tell meanwhile."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from daggr import GradioNode
from daggr.engine.hub.hub import Hub
from daggr.engine.runners.base import Call, Returned
from daggr.engine.runners.gradio.runner import GradioRunner
from daggr.engine.workers.thread import ThreadWorker
from daggr.graph.nodes.base import spec_of


class Watch:
    """A call of a node, and what it tells while it runs."""

    def __init__(self, node: GradioNode, folder: Path, inputs: Mapping[str, Any], **more: Any) -> None:
        self.log: list[str] = []
        self.words: list[tuple[float | None, str]] = []
        self.partials: list[dict[str, Any]] = []
        self.times: list[float] = []
        call = Call(spec_of(node), dict(inputs), folder, self.log.append, self._told, self._shown)
        self.call = replace(call, started_ns=time.time_ns(), **more)
        self.folder = folder

    def _told(self, fraction: float | None, words: str) -> None:
        self.words.append((fraction, words))

    def _shown(self, values: Mapping[str, Any]) -> None:
        self.partials.append(json.loads(json.dumps(dict(values))))
        self.times.append(time.monotonic())


def run(
    node: GradioNode, watched: Callable[[Watch, asyncio.Task[Returned]], Any] | None = None, **inputs: Any
) -> tuple[Returned, Watch]:
    """Run a node with these inputs; `watched` is awaited meanwhile."""
    watch = Watch(node, Path(tempfile.mkdtemp(dir=Path.home())), inputs)
    return asyncio.run(carry_out(watch, watched)), watch


async def carry_out(watch: Watch, watched: Callable[[Watch, asyncio.Task[Returned]], Any] | None = None) -> Returned:
    """Run a call with a runner of its own."""
    worker = ThreadWorker()
    runner = GradioRunner(worker, Hub(worker, None))
    task = asyncio.ensure_future(runner.run(watch.call))
    try:
        if watched is not None:
            await watched(watch, task)
        return await task
    finally:
        await runner.close()
        worker.close()


async def until(happened: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait until something has happened."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)
