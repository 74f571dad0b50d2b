"""Forecast: how long nodes will take, from how long they took."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from daggr.engine.program import Program
from daggr.graph.drawing import Drawing
from daggr.store import runs
from daggr.store.records import Run
from daggr.store.tables import Txn

NEWEST = 8
"""Runs that a forecast is made from, at most."""
LOOKED_AT = 64
"""Runs that are looked at for them."""


@dataclass(frozen=True)
class Forecast:
    """How long some nodes will take, in seconds; what turns out to be known takes none.

    Attributes:
        total: One after the other.
        longest: The longest way through them: what it takes if all that can run at once does.
        unknown: The nodes that have never run, and count for nothing.
    """

    total: float
    longest: float
    unknown: tuple[str, ...] = ()


def usual_seconds(past: Iterable[Run], fingerprint: bytes) -> float | None:
    """How long a node takes: the median of its newest successful runs, if there are any those of this definition.

    Args:
        past: Runs of the node, newest first.
        fingerprint: Of its definition.
    """
    done = [run for run in past if run.status == "done"]
    same = [run for run in done if run.fingerprint == fingerprint]
    newest = (same or done)[:NEWEST]
    return median(run.seconds for run in newest) if newest else None


def forecast(drawing: Drawing, nodes: Collection[str], seconds: Mapping[str, float | None]) -> Forecast:
    """How long it takes to run some nodes of a drawing, each of which takes so many seconds."""
    takes = {name: (seconds[name] or 0.0) if name in nodes else 0.0 for name in drawing.nodes}
    ends: dict[str, float] = {}
    for name in drawing.nodes:
        ends[name] = takes[name] + max((ends[edge.source] for edge in drawing.edges_to[name]), default=0.0)
    unknown = tuple(name for name in drawing.nodes if name in nodes and seconds[name] is None)
    return Forecast(sum(takes.values()), max(ends.values(), default=0.0), unknown)


def predict(txn: Txn, program: Program, node: str) -> float | None:
    """How long a node of a program takes, from what the store knows; None if it has never succeeded."""
    past = itertools.islice(runs.by_node(txn, program.graph, node), LOOKED_AT)
    return usual_seconds(past, program.definitions[node].fingerprint.digest)
