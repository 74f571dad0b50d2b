"""People over small programs: they run, call, stop, stop twice, and run again at once. Made by chance."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from daggr.engine.program import Program
from tests.simulation.drawn import Maker

Mode = Literal["to_here", "all", "force", "call", "refresh"]
MODES: tuple[Mode, ...] = ("to_here", "to_here", "to_here", "all", "all", "force", "call", "call", "refresh")


@dataclass(frozen=True)
class Click:
    """Somebody runs something at a time.

    Attributes:
        at: When.
        owner: Who.
        sheet: On which sheet.
        engine: In which of the processes that share the store.
        program: What.
        node: Up to which node; None for all.
        mode: How.
        value: What is in all inputs.
        stops: When it is stopped.
        leaves: Whether who called goes away, in place of stopping it.
    """

    at: float
    owner: str
    sheet: bytes
    engine: int
    program: Program
    node: str | None
    mode: Mode
    value: int
    stops: tuple[float, ...]
    leaves: bool


@dataclass(frozen=True)
class People:
    """What happens in a world.

    Attributes:
        clicks: Who does what.
        calm: Nothing hangs, and who is told to stop does so in the end.
        full: How often the disk is full.
        gone: When some value is gone from the disk.
    """

    clicks: tuple[Click, ...]
    calm: bool
    full: float
    gone: tuple[float, ...]


def make_people(random: Random) -> People:
    """Half of all worlds are calm. Many times are the same, for it is then that things go wrong."""
    calm, groups = random.random() < 0.5, {name: random.randint(1, 3) for name in "ab"}
    badly = random.choice([0.0, 0.05, 0.3])
    programs = [
        Maker(random, f"g{number}", groups, badly, random.choice([2, 3, 4, 6, 8, 12])).program()
        for number in range(random.choice([1, 1, 2]))
    ]
    clicks: list[Click] = []
    for owner in "abcd"[: random.randint(1, 4)]:
        for sheet in range(random.choice([1, 1, 1, 2, 3])):
            clicks += _clicks(random, owner, f"{owner}{sheet}".encode(), random.choice(programs))
    gone = tuple(random.choice([1.0, 3.0, 5.0]) for _ in range(random.choice([0, 0, 0, 0, 1, 3])))
    return People(tuple(clicks), calm, random.choice([0.0] * 7 + [0.1]), gone)


def _clicks(random: Random, owner: str, sheet: bytes, program: Program) -> list[Click]:
    found: list[Click] = []
    at, engine = random.choice([0.0, 0.0, 0.5, 1.0, 3.0]), random.choice([0, 0, 0, 1])
    for _ in range(random.choice([1, 1, 1, 2])):
        node = random.choice([None, *program.drawing.nodes])
        stops: list[float] = []
        if random.random() < 0.45:
            stops.append(at + random.choice([0.0, 0.0, 0.001, 0.5, 0.51, 1.0, 2.0, 5.0]))
            if random.random() < 0.3:
                stops.append(stops[0] + random.choice([0.0, 0.001, 0.5, 2.0, 2.5]))
        click = Click(
            at,
            owner,
            sheet,
            engine,
            program,
            node,
            random.choice(MODES),
            random.choice([0, 0, 1]),
            tuple(stops),
            random.random() < 0.3,
        )
        found.append(click)
        if stops and random.random() < 0.6:  # Stop, then Run
            found.append(Click(stops[0], owner, sheet, engine, program, node, click.mode, click.value, (), False))
        at += random.choice([0.0, 0.5, 2.0, 6.0])
    return found
