"""The event stream of a sheet: numbered events, the same for every tab, kept for those who were away for a moment.

Everything here happens in the server's event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from functools import partial

import msgspec

from daggr.engine.engine import Engine
from daggr.engine.events import ItemsProgressed, StepEvent, StepGave, StepLogged, StepProgressed
from daggr.engine.program import Program
from daggr.engine.sheet import Sheets
from daggr.server.canvas import graph_view
from daggr.server.messages import Accepted, Changed, Event, Gave, Logged, Progressed, SheetView, Snapshot
from daggr.server.values import Values
from daggr.server.view import Look, difference, given_so_far, sheet_view

News = Changed | Progressed | Gave | Logged
"""What happened; a snapshot is everything instead."""

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
        self._recent: deque[News] = deque(maxlen=KEPT)
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._view = self.look()

    def look(self) -> SheetView:
        """The sheet as it is in the store and the engine now."""
        live = self._engine.live.of(self._sheet)  # first: what ends after this look is in the state, or told later
        state = self._sheets.state(self._sheet)
        with self._engine.store.read() as txn:
            read, count = partial(self._values.show, txn), partial(self._values.count, txn)
            return sheet_view(Look(self._program, state, live, read, count, self._engine.observed))

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
            case ItemsProgressed(done=done, failed=failed, total=total):
                text = f"{done} of {total}" + (f", {failed} failed" if failed else "")
                self._send(Progressed(self._seq + 1, event.node, (done + failed) / max(total, 1), text))
            case StepGave():
                self._tell_given(event.node)
            case StepLogged():
                self._tell_log(event.node)
            case _:
                self.refresh()

    def _tell_given(self, node: str) -> None:
        """Tell what a running node has given so far, unless it has ended meanwhile."""
        live = self._engine.live.of(self._sheet).get(node)
        outputs = given_so_far(self._program, node, live) if live is not None else {}
        told = self._view.nodes[node]
        if told.status != "running":
            self.refresh()
        elif outputs and outputs != {port: told.outputs.get(port) for port in outputs}:
            self._send(Gave(self._seq + 1, node, outputs))

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

    def _missed(self, epoch: str, after: int) -> list[News] | None:
        first = self._seq - len(self._recent)
        if epoch != self._program.epoch or not first <= after <= self._seq:
            return None
        return [event for event in self._recent if event.seq > after]

    def _send(self, event: News) -> None:
        self._seq = event.seq
        self._recent.append(event)
        if isinstance(event, (Gave, Logged)):  # it is part of the view; it has been told now
            node = self._view.nodes[event.node]
            if isinstance(event, Logged):
                node = msgspec.structs.replace(node, log=node.log + event.text)
            else:
                node = msgspec.structs.replace(node, outputs={**node.outputs, **event.outputs})
            self._view = msgspec.structs.replace(self._view, nodes={**self._view.nodes, event.node: node})
        for queue in self._listeners:
            _put(queue, event, instead=self._snapshot() if queue.full() else None)


def _put(queue: asyncio.Queue[Event | None], event: Event | None, *, instead: Event | None) -> None:
    """Add an event; when there is no room, something else in place of all that waits."""
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        event = instead
    queue.put_nowait(event)
