"""Runs FnNodes with `isolate=True`: each in a process of its own, which can always be stopped."""

from __future__ import annotations

import asyncio
import heapq
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from daggr.digest import UnencodableError
from daggr.engine.runners.base import Call, Returned, failed
from daggr.engine.script import origin_of
from daggr.engine.workers import wire
from daggr.engine.workers.handle import Handle, Lost, Raised, Stopped
from daggr.engine.workers.process import Answer, ProcessWorker, Task
from daggr.errors import NodeFailedError
from daggr.graph.nodes.fn import FnSpec

GRACE = 2.0


class IsolatedRunner:
    """Sends what a function is given to a process that has loaded the script, and takes what it gave."""

    def __init__(self, worker: ProcessWorker) -> None:
        self._worker = worker
        self._seats = _Seats()
        self.grace = GRACE

    def prepare(self, spec: FnSpec) -> None:
        """Begin to load the script for a node that may run soon."""
        if (origin := origin_of(spec.fn)) is not None:
            self._worker.prepare(origin, _slot(0), spec.name)

    async def run(self, call: Call) -> Returned:
        """Execute a node.

        Raises:
            NodeFailedError: it failed; its values cannot leave or enter the process; or its process died.
        """
        spec = call.spec
        if not isinstance(spec, FnSpec):
            raise TypeError(f"not a function node: {spec!r}")
        try:
            packed, paths = wire.pack_inputs(call.inputs)
        except UnencodableError as error:
            raise NodeFailedError(
                f"{spec.name!r} cannot be given {error.message} in a process of its own.",
                "Register a codec with daggr.codec(…), or leave out isolate=True.",
                spec.where,
                node=spec.name,
            ) from error
        with self._seats.taken() as seat:
            task = Task(
                origin_of(spec.fn),
                spec.name,
                call.definition,
                packed,
                paths,
                call.folder,
                _slot(seat),
                call.variant,
                spec.where,
            )
            answer = await self._answer(spec, self._worker.submit(task, call.log, call.progress, call.partial))
        return Returned({p: wire.unpack(value) for p, value in answer.values.items()}, answer.texts, answer.notes)

    async def _answer(self, spec: FnSpec, handle: Handle[Answer]) -> Answer:
        try:
            return await handle.result()
        except asyncio.CancelledError:
            await handle.cancel(self.grace)
            raise
        except Lost as lost:
            raise NodeFailedError(f"{spec.name!r} failed: {lost}", where=spec.where, node=spec.name) from lost
        except Raised as raised:
            if isinstance(raised.error, Stopped):
                raise asyncio.CancelledError from None
            raise failed(spec, raised.error) from raised.error


class _Seats:
    """Numbers of processes: always the least that is free, so that warm ones are used again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[int] = []
        self._made = 0

    @contextmanager
    def taken(self) -> Iterator[int]:
        """A number that nobody else has within the block."""
        with self._lock:
            if self._free:
                seat = heapq.heappop(self._free)
            else:
                seat, self._made = self._made, self._made + 1
        try:
            yield seat
        finally:
            with self._lock:
                heapq.heappush(self._free, seat)


def _slot(seat: int) -> str:
    return f"process {seat}"
