"""What happened to everybody who wanted a slot, and what must be true of it, whatever the order of events was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any

from daggr.engine.scheduling import Lease, Place, Slots


@dataclass(eq=False)
class Stay:
    """One who wanted a slot: when it came, got it, and let go of it. `inf` is never."""

    room: str
    limit: int
    flow: tuple[str, ...]
    wanted: float
    came: float = inf
    left: float = inf
    gave_up: float = inf
    """When it stopped waiting without having got one."""

    @property
    def waited_until(self) -> float:
        return min(self.came, self.gave_up)


def by_room(stays: Iterable[Stay]) -> dict[str, list[Stay]]:
    rooms: dict[str, list[Stay]] = defaultdict(list)
    for stay in stays:
        rooms[stay.room].append(stay)
    return rooms


def check(stays: Sequence[Stay]) -> None:
    """See that no limit was exceeded, and no slot was free while somebody waited for it."""
    for room, inside in by_room(stays).items():
        moments: list[tuple[float, int, int]] = []  # when, how many hold one more, how many wait more
        for stay in inside:
            moments.append((stay.wanted, 0, 1))
            moments.append((stay.waited_until, 0, -1))
            if stay.came < inf:
                moments += [(stay.came, 1, 0), (stay.left, -1, 0)]
        moments.sort(key=lambda moment: moment[0])
        holding = waiting = 0
        for (now, more, waits), (then, _, _) in pairwise([*moments, (inf, 0, 0)]):
            holding, waiting = holding + more, waiting + waits
            if then > now:  # within one moment things may happen in any order
                limit = inside[0].limit
                assert holding <= limit, f"{holding} in {room!r} at {now}, the limit is {limit}"
                assert not waiting or holding == limit, f"{waiting} wait for {room!r}, at {now} {holding} hold it"


def check_turns(stays: Sequence[Stay], longest: float, level: int = 1) -> None:
    """See that nobody got many turns while somebody else waited for one.

    `level` is how many names of a flow make somebody: 1 for owners. While one waits, another one may get what makes up
    for what the first had before, in all slots at once, and be in all slots itself: so much is not too much.
    """
    for room, inside in by_room(stays).items():
        limit, whose = inside[0].limit, defaultdict[tuple[str, ...], list[Stay]](list)
        for stay in inside:
            whose[stay.flow[:level]].append(stay)
        bound = longest * (2 * limit + 2)
        for who, own in whose.items():
            for start, end in _waits(own):
                for other, theirs in whose.items():
                    got = sum(min(stay.left, inf) - stay.came for stay in theirs if start < stay.came < end)
                    assert other == who or got <= bound, (
                        f"{other} got {got} s in {room!r} while {who} waited from {start} to {end}; at most {bound}"
                    )


def _waits(stays: Sequence[Stay]) -> list[tuple[float, float]]:
    """The times in which somebody waited and got nothing."""
    turns = sorted({stay.came for stay in stays if stay.came < inf})
    waits = []
    for stay in stays:
        start, end = stay.wanted, stay.waited_until
        inner = [turn for turn in turns if start < turn < end]
        waits += list(pairwise([start, *inner, end]))
    return sorted({(start, end) for start, end in waits if end > start})


class WatchedSlots(Slots):
    """Slots that note when each lease was wanted, came, and was let go of."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.now = clock
        self.stays: dict[Lease, Stay] = {}

    def _enter(self, lease: Lease, place: Place, callers: tuple[Lease, ...]) -> Any:
        room = super()._enter(lease, place, callers)
        self.stays[lease] = Stay(room.name, lease.limit, lease.flow, self.now())
        return room

    def _give(self, room: Any, lease: Lease) -> None:
        super()._give(room, lease)
        self.stays[lease].came = self.now()

    def _release(self, lease: Lease, used: float | None) -> None:
        stay = self.stays[lease]
        if stay.came == inf:
            stay.gave_up = min(stay.gave_up, self.now())
        else:
            stay.left = min(stay.left, self.now())
        super()._release(lease, used)
