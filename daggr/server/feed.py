"""The event stream of a sheet: numbered events, the same for every tab, kept for those who were away for a moment.

Everything here happens in the server's event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import msgspec

from daggr.engine.engine import Engine
from daggr.engine.events import StepEvent, StepLogged, StepProgressed
from daggr.engine.program import Program
from daggr.engine.sheet import Sheets
from daggr.server.messages import Accepted, Changed, Event, Logged, Progressed, SheetView, Snapshot
from daggr.server.values import Values
from daggr.server.view import difference, graph_view, sheet_view

KEPT = 512
"""Events that a page can miss and still be caught up without a snapshot."""

QUEUE = 1024
"""Events that may wait for a slow page; then it gets a snapshot instead."""


class Feed:
    """What happens on one sheet."""

    def __init__(self, engine: Engine, program: Program, sheets: Sheets, values: Values, sheet: bytes) -> None:
        self._engine = engine
        self._program = program
        self._sheets = sheets
        self._values = values
        self._sheet = sheet
        self._seq = 0
        self._recent: deque[Changed | Progressed | Logged] = deque(maxlen=KEPT)
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._view = self.look()

    def look(self) -> SheetView:
        """The sheet as it is in the store and the engine now."""
        live = self._engine.live.of(self._sheet)  # first: what ends after this look is in the state, or told later
        state = self._sheets.state(self._sheet)
        with self._engine.store.read() as txn:
            return sheet_view(self._program, state, live, lambda digest: self._values.show(txn, digest))

    def refresh(self, by: str = "") -> Accepted:
        """Tell everybody what has changed. `by` names the tab that caused it."""
        view = self.look()
        changed = difference(self._seq + 1, self._view, view, by)
        if changed is not None:
            self._view = view
            self._send(changed)
        return Accepted(view.version, self._seq)

    def take(self, event: StepEvent) -> None:
        """Tell of something that happened in the engine."""
        match event:
            case StepProgressed():
                self._send(Progressed(self._seq + 1, event.node, event.fraction, event.text))
            case StepLogged():
                self._tell_log(event.node)
            case _:
                self.refresh()

    def _tell_log(self, node: str) -> None:
        """Tell what a log has more than was told. The log decides, not the event: a refresh may have been faster."""
        live = self._engine.live.of(self._sheet).get(node)
        told = self._view.nodes[node].log
        if live is None or not live.log.startswith(told):
            self.refresh()
        elif more := live.log[len(told) :]:
            self._send(Logged(self._seq + 1, node, more))

    async def listen(self, epoch: str, after: int) -> AsyncIterator[Event]:
        """Everything after an event that the page has seen, else a snapshot first; ends when the feed is closed."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE)
        self.refresh()  # a page begins with what is so now
        self._listeners.add(queue)
        try:
            missed = self._missed(epoch, after)
            for event in missed if missed is not None else [self._snapshot()]:
                yield event
            while (news := await queue.get()) is not None:
                yield news
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """End all streams, after what waits in them."""
        for queue in self._listeners:
            _put(queue, None, instead=None)

    def _snapshot(self) -> Snapshot:
        return Snapshot(self._seq, self._program.epoch, graph_view(self._program), self._view)

    def _missed(self, epoch: str, after: int) -> list[Changed | Progressed | Logged] | None:
        first = self._seq - len(self._recent)
        if epoch != self._program.epoch or not first <= after <= self._seq:
            return None
        return [event for event in self._recent if event.seq > after]

    def _send(self, event: Changed | Progressed | Logged) -> None:
        self._seq = event.seq
        self._recent.append(event)
        if isinstance(event, Logged):  # the log is part of the view; it has been told now
            node = self._view.nodes[event.node]
            nodes = {**self._view.nodes, event.node: msgspec.structs.replace(node, log=node.log + event.text)}
            self._view = msgspec.structs.replace(self._view, nodes=nodes)
        for queue in self._listeners:
            _put(queue, event, instead=self._snapshot() if queue.full() else None)


def _put(queue: asyncio.Queue[Event | None], event: Event | None, *, instead: Event | None) -> None:
    """Add an event; when there is no room, something else in place of all that waits."""
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        event = instead
    queue.put_nowait(event)
