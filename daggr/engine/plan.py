"""Plan: which nodes must run, which are known, and which cannot run. Pure: it asks what is known, and decides.

A step's keys need the digests of the steps before it, so a plan is refined as results come in: `Plan.advance` takes a
finished run and resolves what waited for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from daggr.engine.bindings import bind
from daggr.engine.keys import Identity, identity_of
from daggr.engine.program import Program
from daggr.graph.nodes.interaction import InteractionSpec
from daggr.store.records import Binding, Run

StepState = Literal["waiting", "hit", "ready", "running", "done", "blocked"]
Find = Callable[[str, Identity, bool], "Run | None"]
"""Looks a known run up: (node, what it is asked for, whether all sampled values are drawn)."""


@dataclass
class Step:
    """A node in a plan. `bindings` and `identity` are known once it is resolved."""

    node: str
    state: StepState = "waiting"
    bindings: tuple[Binding, ...] = ()
    run: Run | None = None
    reason: str = ""
    missing: tuple[str, ...] = ()
    """The nodes that must give something first."""

    parents: dict[str, bytes] = field(default_factory=dict)
    """The runs that feed it, by edge id."""

    split: dict[str, bytes] = field(default_factory=dict)
    """Of a scattered step, the values that are split into items, by port."""

    values: Mapping[str, Any] | None = None
    """Of one item of a scattered step, the values that are kept nowhere on their own, by port."""


@dataclass(frozen=True)
class Given:
    """The digests that a plan begins with: of the inputs by input id, and of samples by (node, port)."""

    inputs: Mapping[str, bytes]
    samples: Mapping[tuple[str, str], bytes] = field(default_factory=dict)


class Plan:
    """Steps for a set of nodes, in topological order.

    Args:
        program: What is planned.
        nodes: The nodes; those outside are never run, and must be among `known` if something needs them.
        given: The digests to begin with.
        force: Nodes that execute even when their result is known.
        known: Runs that stand for nodes outside of `nodes`.
    """

    def __init__(
        self,
        program: Program,
        nodes: Iterable[str],
        given: Given,
        force: frozenset[str] = frozenset(),
        known: Mapping[str, Run] | None = None,
    ) -> None:
        self._program = program
        self._given = given
        self._force = force
        self._known = known or {}
        wanted = set(nodes)
        self.steps = {name: Step(name) for name in program.drawing.nodes if name in wanted}

    def resolve(self, find: Find) -> list[Step]:
        """Look up whatever can be looked up now. Returns the steps that turned out to be hits."""
        waited = [step for step in self.steps.values() if step.state == "waiting"]
        for step in waited:
            self._resolve(step, find)
        return [step for step in waited if step.state == "hit"]

    # ------------------------------------------------------------ reading

    def ready(self) -> list[Step]:
        """The steps that can be executed now."""
        return [step for step in self.steps.values() if step.state == "ready"]

    @property
    def complete(self) -> bool:
        """Whether every step has its run."""
        return all(step.run is not None for step in self.steps.values())

    def identity(self, step: Step) -> Identity:
        """What the step is looked up by."""
        return identity_of(self._program.definitions[step.node].fingerprint.digest, step.bindings)

    # ------------------------------------------------------------ going on

    def advance(self, node: str, run: Run, find: Find) -> list[Step]:
        """Take the run of an executed step. Returns the steps that turned out to be hits."""
        step = self.steps[node]
        step.run, step.state = run, "done"
        return self.resolve(find)

    def block(self, node: str, reason: str) -> list[Step]:
        """Give up on a step that failed. Returns the steps that can no longer run because of it."""
        self.steps[node].state, self.steps[node].reason = "blocked", reason
        waited = [step for step in self.steps.values() if step.state == "waiting"]
        for step in waited:
            self._resolve(step, _nothing)
        return [step for step in waited if step.state == "blocked"]

    def _resolve(self, step: Step, find: Find) -> None:
        bound = bind(self._program, step.node, self._given.inputs, self._run_of, self._given.samples)
        step.missing = tuple(parent for parent, _ in bound.missing)
        if bound.missing:
            for parent, port in bound.missing:
                self._wait(step, parent, port)
            return
        step.bindings, step.parents, step.split = tuple(bound.bindings), bound.parents, bound.split
        if step.node not in self._force or self._program.definitions[step.node].spec.kind == "interaction":
            drawn = all(binding.digest for binding in step.bindings)
            run = find(step.node, self.identity(step), drawn)
            if run is not None:
                step.run, step.state = run, "hit"
                return
            if not drawn and isinstance(self._program.definitions[step.node].spec, InteractionSpec):
                step.state, step.reason = "blocked", f"{step.node!r} waits for an answer"
                return
        step.state = "ready"

    def _run_of(self, node: str) -> Run | None:
        step = self.steps.get(node)
        return step.run if step is not None else self._known.get(node)

    def _wait(self, step: Step, parent: str, port: str) -> None:
        before = self.steps.get(parent)
        if before is None:
            step.state, step.reason = "blocked", f"run {parent!r} first"
        elif before.run is not None and before.run.status != "done":
            step.state, step.reason = "blocked", before.run.error
        elif before.run is not None:
            step.state, step.reason = "blocked", f"{parent!r} gave no {port!r}"
        elif before.state == "blocked":
            step.state, step.reason = "blocked", f"{parent!r} has no result"


def _nothing(node: str, identity: Identity, drawn: bool) -> Run | None:
    return None
