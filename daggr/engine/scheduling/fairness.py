"""Whose turn it is: fair queueing in virtual time, over a tree of owners, their sheets, their jobs. Pure: no clock.

A flow is a path such as (owner, sheet, job). At each level of the tree the child that has used least goes first, so
an owner with a hundred jobs gets no more than one with a single job. A turn is charged an estimate when it begins, and
what it really used when it ends.

Who comes starts at the level's clock, not at zero: time in which somebody wanted nothing is not saved up. The clock is
where the last turn began (start-time fair queueing: Goyal, Vin, Cheng 1996). It stands still while each turn goes to
another newcomer, and a stream of them would starve those who stay; so each newcomer starts a bit after the one before,
by what would be its part of a turn if all there went on at once.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")

FIRST_ESTIMATE = 1.0
LEARNING = 0.25
"""How much the last turn counts in the estimate of the next one."""

FEW = 16
"""So many children, or entries of a heap, are kept without looking which of them can be forgotten."""


class Turns(Generic[T]):
    """Those who wait, and those whose turn it is."""

    def __init__(self, estimate: float = FIRST_ESTIMATE) -> None:
        self._root: _Share[T] = _Share(None, "", estimate)
        self.waiting = 0
        """How many wait."""

    @property
    def estimate(self) -> float:
        """What a turn is expected to use, of somebody who is not known yet."""
        return self._root.typical

    def wait(self, flow: tuple[str, ...], item: T) -> Ticket[T]:
        """Get in line."""
        ticket = Ticket(self._leaf(flow), item)
        ticket.leaf.line[ticket] = None
        for share in ticket.leaf.path:
            share.waiting += 1
            if share.waiting == 1:
                share.parent.enter(share)
        self.waiting += 1
        return ticket

    def withdraw(self, ticket: Ticket[T]) -> None:
        """Leave the line, before the turn has come."""
        del ticket.leaf.line[ticket]
        for share in ticket.leaf.path:
            share.waiting -= 1
            share.parent.place(share)
        self.waiting -= 1

    def next(self) -> Ticket[T]:
        """Begin the next turn; somebody waits."""
        share = self._root
        while share.children:
            share = share.least()
        return self._begin(next(iter(share.line)))

    def already(self, flow: tuple[str, ...], item: T) -> Ticket[T]:
        """Note a turn that began without waiting."""
        ticket = self._begin(self.wait(flow, item))
        for share in ticket.leaf.path:
            share.parent.door = 0.0  # it kept no newcomer waiting
        return ticket

    def end(self, ticket: Ticket[T], used: float) -> None:
        """End a turn. One that used nothing does not count as a turn."""
        for share in ticket.leaf.path:
            share.active -= 1
            share.used += used - ticket.charged
            if used:
                share.typical += (used - share.typical) * LEARNING
            share.parent.place(share)
        if used:
            self._root.typical += (used - self._root.typical) * LEARNING

    def _begin(self, ticket: Ticket[T]) -> Ticket[T]:
        self.waiting -= 1
        del ticket.leaf.line[ticket]
        ticket.charged = ticket.leaf.typical
        for share in ticket.leaf.path:
            share.parent.clock = max(share.parent.clock, share.used)
            share.used += ticket.charged
            share.is_new = False
            share.waiting -= 1
            share.active += 1
            share.parent.place(share)
        return ticket

    def _leaf(self, flow: tuple[str, ...]) -> _Share[T]:
        share = self._root
        *above, last = flow or ("",)
        for name in above:
            share = share.child((name,))  # never a name that a leaf beside it has
        return share.child(last)


class Ticket(Generic[T]):
    """A place in line, then a turn."""

    __slots__ = ("charged", "item", "leaf")

    def __init__(self, leaf: _Share[T], item: T) -> None:
        self.leaf = leaf
        self.item = item
        self.charged = 0.0


class _Share(Generic[T]):
    """What one owner, sheet or job has used, and who of it waits. A leaf has a line, a branch has children."""

    def __init__(self, parent: _Share[T] | None, key: object, typical: float) -> None:
        self.parent: _Share[T] = parent or self
        self.path: tuple[_Share[T], ...] = (self, *parent.path) if parent is not None else ()
        """From here up, without the root."""
        self.key = key
        self.typical = typical
        self.used = 0.0
        self.is_new = True
        """It has had no turn."""
        self.waiting = 0
        self.active = 0
        self.line: OrderedDict[Ticket[T], None] = OrderedDict()
        self.children: dict[object, _Share[T]] = {}
        self.present = 0
        """How many children wait or have a turn."""
        self.clock = 0.0
        self.door = 0.0
        """Where the next newcomer starts, if the clock is not past it."""
        self._many = FEW
        self._heap: list[_Entry[T]] = []
        self._pushed = 0
        self._entry: _Entry[T] | None = None
        """The one in the parent's heap that counts."""
        self._is_present = False

    def child(self, key: object) -> _Share[T]:
        """The child of this name."""
        known = self.children.get(key)
        if known is None:
            known = self.children[key] = _Share(self, key, self.typical)
        return known

    def enter(self, child: _Share[T]) -> None:
        """A child that did not wait does so now."""
        if not child._is_present:
            child._is_present = True
            self.present += 1
        child.used = max(child.used, self.clock)
        if child.is_new:
            child.used = max(child.used, self.door)
            self.door = child.used + child.typical / self.present
        self.place(child)

    def place(self, child: _Share[T]) -> None:
        """Put a child where it belongs now, by what it has used."""
        child._entry = None
        if child.waiting:
            self._pushed += 1
            child._entry = (child.used, self._pushed, child)
            heapq.heappush(self._heap, child._entry)
            if len(self._heap) > FEW + 2 * self.present:
                self._heap = [entry for entry in self._heap if entry[-1]._entry is entry]
                heapq.heapify(self._heap)
        elif not child.active:
            child._is_present = False
            self.present -= 1
            self._forget()

    def least(self) -> _Share[T]:
        """Of the children that wait, the one that has used least."""
        while True:
            entry = self._heap[0]
            if entry[-1]._entry is entry:
                return entry[-1]
            heapq.heappop(self._heap)

    def _forget(self) -> None:
        """Drop the children that would start where a newcomer does."""
        if not self.present:
            self.children.clear()
            self._heap.clear()
            self.clock, self.door, self._many = 0.0, 0.0, FEW
        elif len(self.children) > self._many:
            for child in list(self.children.values()):
                if not child._is_present and child.used <= self.clock:
                    del self.children[child.key]
            self._many = max(FEW, 2 * len(self.children))


_Entry = tuple[float, int, _Share[T]]
