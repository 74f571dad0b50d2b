"""How many may run at once. Limits are process-wide, by name, first come first served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.fn import FnSpec
from daggr.graph.nodes.gradio import GradioSpec

PER_APP = 16


class Slots:
    """Semaphores by name. To be used in the engine's loop only."""

    def __init__(self) -> None:
        self._semaphores: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def hold(self, spec: NodeSpec, session: str) -> AsyncIterator[None]:
        """Wait for a slot and hold it within the block."""
        place = place_of(spec, session)
        if place is None:
            yield
            return
        name, limit = place
        semaphore = self._semaphores.setdefault(name, asyncio.Semaphore(limit))
        async with semaphore:
            yield


def place_of(spec: NodeSpec, session: str) -> tuple[str, int] | None:
    """The name and size of the limit a node is under, or None if there is none.

    Functions run one at a time for each user, unless they are `concurrent` or in a group; apps get some calls at once.
    """
    match spec:
        case FnSpec(concurrency_group=str() as group):
            return f"group {group}", spec.max_concurrent
        case FnSpec(concurrent=False):
            return f"session {session}", 1
        case GradioSpec():
            return f"app {spec.source}", PER_APP
        case _:
            return None
