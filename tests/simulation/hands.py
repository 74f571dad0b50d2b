"""Workers of the simulation. They keep the promises of the real ones (`Handle`), and watch the limits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Literal

from daggr.engine.scheduling import Lease
from tests.simulation.loop import SimLoop
from tests.simulation.world import Fate, Node, Work

PATIENCE = 100.0
"""A function that hangs gives up after so many seconds; otherwise some worlds would never end."""


class Lost(Exception):
    """The worker died."""


class Hands:
    """Executes functions; who is at work in which room is counted here, where it is really known."""

    def __init__(self, loop: SimLoop, run_graph: Callable[[Work, tuple[str, ...]], Awaitable[object]]) -> None:
        self.loop = loop
        self.run_graph = run_graph
        self.at_work: Counter[str] = Counter()
        self.begun = self.ended = 0

    def submit(self, node: Node, lease: Lease) -> Task:
        """Begin to work."""
        return Task(self, node, lease)


class Task:
    """A function at work: a real one would be in a thread or process. `cancel` and `on_end` are those of `Handle`."""

    def __init__(self, hands: Hands, node: Node, lease: Lease) -> None:
        self._hands = hands
        self._fate: Fate = node.fate
        self._result: asyncio.Future[str] = hands.loop.create_future()
        self._on_end: list[Callable[[], None]] = []
        self._told_to_stop = asyncio.Event()
        self._room = lease.room.name if lease.room is not None else ""
        if self._room and node.place is not None:
            hands.at_work[self._room] += 1
            limit = 1 if self._room != node.place.name else node.place.limit
            assert hands.at_work[self._room] <= limit, f"{hands.at_work[self._room]} at work in {self._room!r}"
        hands.begun += 1
        with lease.held():
            context = copy_context()
        self._thread = context.run(hands.loop.create_task, self._work(lease.flow))

    async def result(self) -> str:
        """What the function returns, or what it raises."""
        return await asyncio.shield(self._result)

    async def cancel(self, grace: float = 2.0) -> Literal["stopped", "abandoned"]:
        """Tell it to stop, and wait for that, but not for ever."""
        self._told_to_stop.set()
        done, _ = await asyncio.wait([self._thread], timeout=grace + 1.0)
        return "stopped" if done else "abandoned"

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call back when it has really ended."""
        if self._thread.done():
            callback()
        else:
            self._on_end.append(callback)

    async def _work(self, flow: tuple[str, ...]) -> None:
        outcome: str | Exception = self._fate.kind
        stopping = self._hands.loop.create_task(self._told_to_stop.wait())
        working = self._hands.loop.create_task(self._do(flow))
        await asyncio.wait([stopping, working], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await asyncio.wait([working], timeout=self._fate.stubborn)
        working.cancel()  # a nested call is waited for until it has ended, too
        stopping.cancel()
        await asyncio.wait([working, stopping])
        if self._fate.kind in ("fails", "dies"):
            outcome = (ValueError if self._fate.kind == "fails" else Lost)("it is its fate")
        self._hands.at_work[self._room] -= 1
        self._hands.ended += 1
        if isinstance(outcome, Exception):
            self._result.set_exception(outcome)
            self._result.exception()  # it need not be looked at
        else:
            self._result.set_result(outcome)
        for callback in self._on_end:
            callback()

    async def _do(self, flow: tuple[str, ...]) -> None:
        fate = self._fate
        await asyncio.sleep(PATIENCE if fate.kind == "hangs" else fate.seconds)
        if fate.nested is not None:
            await self._hands.run_graph(fate.nested, flow)
            await asyncio.sleep(fate.seconds)
