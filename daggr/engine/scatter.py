"""A scattered step: the node runs once for each item of a list, and each of these is a run of its own.

An item that is known is not executed; one that fails does not keep the others from being executed. A few items are on
their way at a time, whatever their number: what is held of an item that is done is the id of its run and the digests of
what it gave. In the end one more run is recorded, that of the *group*: it names the runs of the items in their order,
and gives for each port an artifact that lists what they gave.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from daggr.engine.attempt import Attempt
from daggr.engine.lane import Column, Execute, Lane
from daggr.engine.order import Order, Outcome
from daggr.engine.outputs import Taken
from daggr.engine.plan import Step
from daggr.engine.program import Program
from daggr.engine.runners.base import Returned
from daggr.errors import DaggrError, RunCancelledError, ScatterError
from daggr.graph.edge import WHOLE, Take
from daggr.store import items
from daggr.store.records import Binding, Output, Run
from daggr.store.store import Store
from daggr.store.tables import Txn

WINDOW = 64
"""Items that are on their way at a time: waiting for a slot, executing, or being recorded."""

PAUSE = 0.05
"""Seconds between two words on how far it is."""

SPARED = 512
"""After so many items memory is given back."""

SHOWN = 12
"""Indices that an error names."""


class Scatter:
    """Runs scattered steps.

    Args:
        store: Where items and runs are kept.
        execute: Executes one item, recorded or shared.
        in_io: Does something with files in another thread.
    """

    def __init__(self, store: Store, execute: Execute, in_io: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._store = store
        self._execute = execute
        self._in_io = in_io

    async def run(self, program: Program, step: Step, order: Order) -> Outcome:
        """Execute the items that are not known, and record the group.

        Raises:
            ScatterError: the lists are of different lengths.
            RunCancelledError: it was stopped; what was done by then is recorded.
        """
        group = Attempt(program, step, order, self._store)
        columns: list[Column] = await self._in_io(lambda: self._columns(program, step))
        count = _common_length(step, columns, group.spec.where)
        progress = _Progress(step, list(group.spec.outputs), count, order, self._store.sparing())
        group.stand_for_samples()
        group.begin()
        lane = Lane(group, columns, progress, self._execute)
        consumers = [asyncio.create_task(lane.work()) for _ in range(min(WINDOW, count))]
        try:
            if consumers:  # not `gather`, which would cancel them, too: a second time breaks off what ends an item well
                done, _ = await asyncio.wait(consumers, return_when=asyncio.FIRST_EXCEPTION)
                for consumer in done:
                    consumer.result()
        except (asyncio.CancelledError, RunCancelledError):
            await lane.stop(consumers)
            progress.close()
            outcome = await asyncio.shield(self._record(group, progress, "cancelled"))
            raise RunCancelledError(outcome.run.error) from None
        except BaseException:
            await lane.stop(consumers)
            raise
        finally:
            progress.close()
        progress.tell(now=True)
        return await self._record(group, progress, "failed" if progress.failed else "done")

    async def _record(self, group: Attempt, progress: _Progress, status: Any) -> Outcome:
        staged = {port: self._store.artifacts.stage_items(bytes(found)) for port, found in progress.outputs.items()}
        taken = Taken(tuple(Output(port, item.digest) for port, item in staged.items()), (), progress.uncached)
        returned = Returned({}, notes=tuple(progress.notes), soft=progress.soft)
        run = group.run(status, taken, progress.reason(status), returned)
        run = msgspec.structs.replace(run, items=progress.count)

        def record(txn: Txn) -> Run:
            group.put(txn, run)
            items.put(txn, run.id, bytes(progress.runs))
            if group.order.keep is not None and (status == "done" or progress.done):
                group.order.keep(txn, run)
            return run

        await asyncio.wrap_future(self._store.submit(record, list(staged.values())))
        return Outcome(run, hit=progress.executed == 0 and status == "done")

    def _columns(self, program: Program, step: Step) -> list[Column]:
        with self._store.read() as txn:
            return [
                self._column(txn, program.drawing.takes.get((step.node, binding.port), WHOLE), binding, step.split)
                for binding in step.bindings
                if binding.port in step.split
            ]

    def _column(self, txn: Txn, take: Take, binding: Binding, split: Mapping[str, bytes]) -> Column:
        source = split[binding.port]
        listed = self._store.artifacts.items(txn, source)
        if listed is not None:
            return Column(binding, take, listed=listed, runs=items.get(txn, binding.run) if binding.run else b"")
        value = self._store.artifacts.load_raw(txn, source)
        return Column(binding, take, values=value if isinstance(value, (list, tuple)) else [value])


class _Progress:
    """How far a group is."""

    def __init__(self, step: Step, ports: Sequence[str], count: int, order: Order, spare: Callable[[], None]) -> None:
        self.count = count
        self.runs = bytearray(16 * count)
        self.outputs = {port: bytearray(32 * count) for port in ports}
        self.done = 0
        self.executed = 0
        self.failed: list[int] = []
        self.notes: dict[str, None] = {}
        self.soft: dict[str, str] = {}
        self.uncached = ""
        self._node = step.node
        self._order = order
        self._first_error = ""
        self._told = 0.0
        self._spare = spare
        self._later: asyncio.TimerHandle | None = None
        """The next word, if one is due."""

    def place(self, index: int, outcome: Outcome) -> None:
        """An item has a result."""
        run = outcome.run
        self.runs[16 * index : 16 * index + 16] = run.id
        for output in run.outputs:
            self.outputs[output.port][32 * index : 32 * index + 32] = output.digest
        self.done += 1
        if self.done % SPARED == 0:
            self._spare()
        self.executed += not outcome.hit
        self.uncached = self.uncached or run.uncached
        self.notes.update(dict.fromkeys(run.notes))
        self.soft.update(run.soft)
        self.tell()

    def fail(self, index: int, error: DaggrError) -> None:
        """An item has none."""
        where = f" {error.hint}" if error.hint.startswith("Raised at") else ""
        self._first_error = self._first_error or f"[{index}] {error.message}{where}"
        self.failed.append(index)
        self.tell()

    def note_run(self, index: int, run: Run) -> None:
        """The record of an item that failed."""
        self.runs[16 * index : 16 * index + 16] = run.id

    def tell(self, *, now: bool = False) -> None:
        """Say how far it is, but not too often."""
        wait = 0.0 if now else self._told + PAUSE - time.monotonic()
        if wait <= 0:
            self._told = time.monotonic()
            self._order.items(self.done, len(self.failed), self.count)
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(wait, self._tell_later)

    def _tell_later(self) -> None:
        self._later = None
        self.tell()

    def close(self) -> None:
        """Say no more by itself."""
        if self._later is not None:
            self._later.cancel()

    def reason(self, status: str) -> str:
        """Why the group is not done, in words."""
        if status == "cancelled":
            return f"{self._node!r} was stopped: {self.done} of {self.count} items are done."
        if not self.failed:
            return ""
        what = f"{len(self.failed)} of {self.count} items of {self._node!r} failed"
        if len(self.failed) == 1:
            return f"{what}: {self._first_error}"
        shown = ", ".join(f"[{index}]" for index in sorted(self.failed)[:SHOWN])
        more = " …" if len(self.failed) > SHOWN else ""
        return f"{what}: {shown}{more}. {self._first_error}"


def _common_length(step: Step, columns: Sequence[Column], where: str | None) -> int:
    lengths = {column.binding.port: len(column) for column in columns}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{port!r} has {length}" for port, length in lengths.items())
        raise ScatterError(
            f"{step.node!r} is given lists of different lengths: {told}.",
            "Scattered inputs are taken together, the first items of all, then the second …: give equally many.",
            where,
        )
    return next(iter(lengths.values()), 0)
