"""A person at a sheet: what they set, run, select, answer and see."""

from __future__ import annotations

from typing import Any

from daggr import Graph
from daggr.engine.engine import Engine
from daggr.graph.graph import drawing_of
from tests.unit.engine.making import PATIENCE


class Desk:
    """A program, its first sheet, and what a person does to it."""

    def __init__(self, engine: Engine, graph: Graph, owner: str = "local") -> None:
        self.engine = engine
        self.owner = owner
        self.program = engine.load(drawing_of(graph))
        self.view = engine.sheets(self.program, owner)
        self.id = self.view.all()[0].id

    def run(self, node: str | None = None, mode: Any = "to_here") -> Any:
        """Run, and wait. Returns what went wrong, if anything did."""
        return self.engine.start(self.program, self.owner, self.id, node, mode)[1].result(PATIENCE)

    def set(self, **values: Any) -> None:
        """Set inputs by id."""
        self.view.set_inputs(self.id, self.engine.stage_inputs(self.program, values))

    def answer(self, node: str, value: Any) -> Any:
        """Answer an interaction, and wait."""
        digest = self.keep(value)
        return self.engine.answer(self.program, self.owner, self.id, node, digest)[1].result(PATIENCE)

    def edit(self, node: str, **outputs: Any) -> None:
        """Put other values in place of outputs."""
        self.view.edit(self.id, node, {port: self.keep(value) for port, value in outputs.items()})

    def keep(self, value: Any) -> bytes:
        """Keep a value; its digest."""
        staged = self.engine.store.artifacts.stage(value)
        self.engine.store.put([staged])
        return staged.digest

    def value(self, node: str, port: str = "output") -> Any:
        """What is shown for a node."""
        run = self.view.state(self.id).results[node].run
        return self.engine.store.load(run.output(port) or b"")

    def input(self, name: str) -> Any:
        """What an input is set to."""
        return self.engine.store.load(self.view.state(self.id).inputs[name])

    def reason(self, node: str) -> str:
        """Why a node is not up to date; empty if it is."""
        return self.view.state(self.id).freshness.nodes[node].reason
