"""Small worlds, made by chance: people click, graphs run, functions end well, badly, late, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from daggr.engine.scheduling import Place

Kind = Literal["ends", "fails", "dies", "hangs", "nested"]
KINDS: tuple[Kind, ...] = ("ends", "ends", "ends", "ends", "ends", "fails", "ends", "dies", "hangs", "nested")


@dataclass(frozen=True)
class Fate:
    """What becomes of a function that is executed.

    Attributes:
        kind: It returns, raises, dies with its process, waits for ever, or runs another graph before it returns.
        seconds: How long it takes, if it is left alone.
        stubborn: How long it goes on after it was told to stop. A thread may do so for as long as it likes.
        nested: The graph that it runs.
    """

    kind: Kind
    seconds: float
    stubborn: float
    nested: Work | None = None


@dataclass(frozen=True)
class Node:
    """One node, and the earlier ones of its graph that it needs."""

    place: Place | None
    fate: Fate
    needs: tuple[int, ...]


@dataclass(frozen=True)
class Work:
    """A graph to run."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Click:
    """Somebody runs a graph at a time, and perhaps stops it at another."""

    at: float
    owner: str
    sheet: str
    work: Work
    stop: float | None


def make_world(random: Random) -> list[Click]:
    """The clicks of some people. Many of their times are the same, for it is then that things go wrong.

    Half of the worlds are calm: nothing hangs, so it can be told whether turns are fair.
    """
    return _Maker(random, calm=random.random() < 0.5).clicks()


class _Maker:
    def __init__(self, random: Random, calm: bool) -> None:
        self.random = random
        self.calm = calm
        self.groups = [Place(f"group {name}", random.randint(1, 4)) for name in "ab"]

    def clicks(self) -> list[Click]:
        random, clicks = self.random, list[Click]()
        for owner in map(str, range(random.randint(1, 4))):
            places = [None, Place(f"session {owner}", 1), *self.groups]
            for _ in range(random.randint(1, 3)):
                at, sheet, work = float(random.randint(0, 5)), str(random.randint(0, 1)), self.work(places, 0)
                stop = at + random.choice([0.0, 0.5, 1.0, 2.0, 5.0]) if random.random() < 0.5 else None
                clicks.append(Click(at, owner, sheet, work, stop))
                if stop is not None and random.random() < 0.7:  # Stop, then Run
                    clicks.append(Click(stop, owner, sheet, work, None))
        return clicks

    def work(self, places: list[Place | None], depth: int) -> Work:
        random = self.random
        if depth == 0 and random.random() < 0.2:  # a scatter: many of one place, none needs another
            place = random.choice(places[1:])
            return Work(tuple(Node(place, self.fate(places, depth), ()) for _ in range(random.randint(8, 24))))
        return Work(
            tuple(
                Node(
                    random.choice(places),
                    self.fate(places, depth),
                    tuple(other for other in range(number) if random.random() < 0.3),
                )
                for number in range(random.randint(1, 5 - 2 * depth))
            )
        )

    def fate(self, places: list[Place | None], depth: int) -> Fate:
        random = self.random
        kind = random.choice(KINDS[:6] if self.calm else KINDS[: 9 if depth == 2 else 10])
        seconds = random.choice([0.0, 0.5, 1.0, 1.0, 2.0, 3.0])
        stubborn = random.choice([0.0, 0.0, 0.5, 1.0] if self.calm else [0.0, 0.5, 10.0, 50.0])
        return Fate(kind, seconds, stubborn, self.work(places, depth + 1) if kind == "nested" else None)
