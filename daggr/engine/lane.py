"""The items of a scattered step, on their way: looked up a few at a time, and executed one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from daggr.digest import UnencodableError, digest
from daggr.engine.attempt import Attempt
from daggr.engine.keys import Identity, identity_of
from daggr.engine.order import Order, Outcome, unheard
from daggr.engine.plan import Step, nothing
from daggr.engine.program import Program
from daggr.engine.waiting import all_ended, heard
from daggr.errors import DaggrError, NodeFailedError, RunCancelledError, StoreError, did_you_mean
from daggr.graph.edge import Take
from daggr.store.artifacts import identify
from daggr.store.parts import ABSENT
from daggr.store.records import Binding, Run

Execute = Callable[[Program, Step, Order], Awaitable[Outcome]]

TURN = 32
"""Items that are looked up in one go, before others have their turn."""


class Tally(Protocol):
    """Counts the items of a group."""

    count: int

    def place(self, index: int, outcome: Outcome) -> None:
        """An item has a result."""

    def fail(self, index: int, error: DaggrError) -> None:
        """An item has none."""

    def note_run(self, index: int, run: Run) -> None:
        """The record of an item that failed."""


@dataclass(frozen=True)
class Column:
    """The items that come through one port: values, or digests of what the items before gave.

    `runs` are the ids of the runs that gave them, one after the other.
    """

    binding: Binding
    take: Take
    values: Sequence[Any] | None = None
    listed: bytes = b""
    runs: bytes = b""

    def __len__(self) -> int:
        return len(self.values) if self.values is not None else len(self.listed) // 32

    def at(self, index: int, node: str) -> tuple[Binding, tuple[Any] | None] | None:
        """The binding of an item, and its value if that is kept nowhere on its own; None if there is no such item.

        Raises:
            NodeFailedError: the item has no such field.
        """
        given = self.binding
        if self.values is None:
            found, run = self.listed[32 * index : 32 * index + 32], self.runs[16 * index : 16 * index + 16]
            return None if found == ABSENT else (_replaced(given, found, run), None)
        value = _field(self.values[index], self.take.key, index, node)
        try:
            return _replaced(given, identify(value), given.run), (value,)
        except UnencodableError:
            unnamed = digest("volatile", given.digest, str(index).encode(), str(self.take.key).encode())
            return _replaced(given, unnamed, given.run), (value,)


class Lane:
    """The items of a group, on their way. Several consumers take one after the other."""

    def __init__(self, group: Attempt, columns: Sequence[Column], progress: Tally, execute: Execute) -> None:
        self._group = group
        self._columns = columns
        self._progress = progress
        self._execute = execute
        self._next = 0
        self._stopped = False
        self._missing: deque[tuple[int, Step]] = deque()
        order, step = group.order, group.step
        self._order = replace(
            order,
            log=group.write_log,
            keep=None,
            alone=order.anew,
            started=unheard,
            progress=unheard,
            partial=unheard,
        )
        self._plain = {binding.port: binding for binding in step.bindings if binding.port not in step.split}

    async def work(self) -> None:
        """Take items until there are none."""
        while not self._stopped and (self._missing or self._next < self._progress.count):
            if not self._missing:
                self._look_up()
                await asyncio.sleep(0)
                continue
            index, step = self._missing.popleft()
            order = replace(self._order, recorded=partial(self._progress.note_run, index))
            try:
                self._progress.place(index, await self._execute(self._group.program, step, order))
            except (StoreError, RunCancelledError):
                raise  # no other item would fare better
            except DaggrError as error:
                self._progress.fail(index, error)

    async def stop(self, consumers: Sequence[asyncio.Task[None]]) -> None:
        """Begin no other item, and wait until those on their way have ended, whoever is stopped meanwhile."""
        self._stopped = True  # a consumer whose item is being recorded just now does not see that it is cancelled
        for consumer in consumers:
            heard(consumer).cancel()
        await all_ended(consumers)

    def _look_up(self) -> None:
        """Sort the next few items into those that are known and those that are not."""
        last = min(self._next + TURN, self._progress.count)
        find = self._group.order.find
        with find() if find is not None and not self._group.order.anew else nullcontext(nothing) as lookup:
            while self._next < last:
                index, self._next = self._next, self._next + 1
                try:
                    step = self._step(index)
                except NodeFailedError as error:
                    self._progress.fail(index, error)
                    continue
                known = lookup(step.node, self._identity(step), all(binding.digest for binding in step.bindings))
                if known is not None:
                    self._progress.place(index, Outcome(known, hit=True))
                else:
                    self._missing.append((index, step))

    def _identity(self, step: Step) -> Identity:
        return identity_of(self._group.definition.fingerprint.digest, step.bindings)

    def _step(self, index: int) -> Step:
        """What an item is given.

        Raises:
            NodeFailedError: it cannot be given that.
        """
        node = self._group.step.node
        given, values = {}, {}
        for column in self._columns:
            found = column.at(index, node)
            port = column.binding.port
            if found is None:
                raise NodeFailedError(f"The item that {port!r} is given has no value.", node=node)
            given[port], value = found
            if value is not None:
                values[port] = value[0]
        bindings = tuple(given.get(b.port) or self._plain[b.port] for b in self._group.step.bindings)
        return Step(node, "running", bindings, values=values)


def _field(item: Any, key: str | int | None, index: int, node: str) -> Any:
    """An item, or the field of it that is asked for."""
    if key is None:
        return item
    try:
        return item[key]
    except (KeyError, IndexError, TypeError):
        pass
    if not isinstance(item, dict):
        raise NodeFailedError(f"{node!r} takes {key!r} of each item, but item [{index}] is a {type(item).__name__}.")
    names = [str(name) for name in item]
    raise NodeFailedError(
        f"{node!r} takes {key!r} of each item, but item [{index}] has only: {', '.join(names) or 'nothing'}. "
        f"{did_you_mean(str(key), names)}".rstrip()
    )


def _replaced(binding: Binding, found: bytes, run: bytes) -> Binding:
    return Binding(binding.port, found, binding.source, run, binding.source_port, whole=binding.whole)
