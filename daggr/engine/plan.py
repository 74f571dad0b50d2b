"""Plan: which nodes must run, which are known, and which cannot run. Pure: it asks what is known, and decides.

A step's keys need the digests of the steps before it, so a plan is refined as results come in: `Plan.advance` takes a
finished run and resolves what waited for it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from daggr.engine.bindings import bind
from daggr.engine.keys import Identity, identity_of
from daggr.engine.program import ANSWER, Program
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
        self._number = {name: number for number, name in enumerate(self.steps)}
        self._ready: dict[str, Step] = {}
        self._seen: dict[str, Step] = {}
        """For steps that wait, one that they wait for."""

    def resolve(self, find: Find) -> list[Step]:
        """Look up whatever can be looked up now. Returns the steps that turned out to be hits."""
        waiting = [step for step in self.steps.values() if step.state == "waiting"]
        for step in waiting:  # in topological order: nothing needs to be looked at twice
            self._resolved(step, find)
        return [step for step in waiting if step.state == "hit"]

    # ------------------------------------------------------------ reading

    def ready(self) -> list[Step]:
        """The steps that can be executed now."""
        self._ready = {name: step for name, step in self._ready.items() if step.state == "ready"}
        return list(self._ready.values())

    @property
    def complete(self) -> bool:
        """Whether every step has its run."""
        return all(step.run is not None for step in self.steps.values())

    def identity(self, step: Step) -> Identity:
        """What the step is looked up by."""
        return identity_of(self._program.definitions[step.node].fingerprint.digest, step.bindings)

    # ------------------------------------------------------------ going on

    def advance(self, node: str, run: Run, find: Find) -> list[Step]:
        """Take the run of an executed step. Returns the steps that turned out to be hits, or cannot run any more."""
        step = self.steps[node]
        step.run, step.state = run, "done"
        below = [name for name in self._below(node) if not self._must_wait(name)]
        changed = self._resolve_all(below, find)
        return [step for step in changed if step.state in ("hit", "blocked")]

    def reopen(self, node: str, gone: Collection[str]) -> list[Step] | None:
        """Execute steps again whose results turned out to be gone, and then the step that needs them.

        Returns:
            The steps that execute again, those aside that are at it already; None if one cannot.
        """
        steps = [self.steps[name] for name in gone if name in self.steps]
        if len(steps) < len(gone) or any(step.run is None and step.state not in ("ready", "running") for step in steps):
            return None
        again = [step for step in steps if step.run is not None]
        for step in again:
            step.run, step.state = None, "ready"
            self._ready[step.node] = step
        if steps:
            self.steps[node].state = "waiting"
        else:  # somebody else has made them again
            self.steps[node].state = "ready"
            self._ready[node] = self.steps[node]
        return again

    def block(self, node: str, reason: str) -> list[Step]:
        """Give up on a step that failed. Returns the steps that can no longer run because of it."""
        self.steps[node].state, self.steps[node].reason = "blocked", reason
        changed = self._resolve_all(self._below(node), nothing)
        return [step for step in changed if step.state == "blocked"]

    def _below(self, node: str) -> Iterable[str]:
        return (edge.target for edge in self._program.drawing.edges_from[node])

    def _must_wait(self, name: str) -> bool:
        """Whether some step before another one has not ended: told by the one that was seen last, as a rule."""
        seen = self._seen.get(name)
        if seen is not None and seen.run is None and seen.state != "blocked":
            return True
        for edge in self._program.drawing.edges_to[name]:
            before = self.steps.get(edge.source)
            if before is not None and before.run is None and before.state != "blocked":
                self._seen[name] = before
                return True
        return False

    def _resolve_all(self, names: Iterable[str], find: Find) -> list[Step]:
        """Resolve waiting steps, and what is below those that turn out to have a run or to be blocked."""
        changed: list[Step] = []
        waiting = [(self._number[name], name) for name in set(names) if name in self.steps]
        heapq.heapify(waiting)
        seen = set(waiting)
        while waiting:
            step = self.steps[heapq.heappop(waiting)[1]]
            if step.state != "waiting":
                continue
            after = self._resolved(step, find)
            if after == "waiting":
                continue
            changed.append(step)
            if after == "ready":
                continue
            for name in self._below(step.node):
                if name in self.steps and (found := (self._number[name], name)) not in seen:
                    seen.add(found)
                    heapq.heappush(waiting, found)
        return changed

    def _resolved(self, step: Step, find: Find) -> StepState:
        self._resolve(step, find)
        if step.state == "ready":
            self._ready[step.node] = step
        return step.state

    def _resolve(self, step: Step, find: Find) -> None:
        bound = bind(self._program, step.node, self._given.inputs, self._run_of, self._given.samples)
        step.missing = tuple(parent for parent, _ in bound.missing)
        if bound.missing:
            for parent, port in bound.missing:
                self._wait(step, parent, port)
            return
        step.bindings, step.parents, step.split = tuple(bound.bindings), bound.parents, bound.split
        drawn = all(binding.digest for binding in step.bindings)
        answered = all(binding.digest for binding in step.bindings if binding.port == ANSWER)
        if step.node not in self._force or not answered:
            run = find(step.node, self.identity(step), drawn)
            if run is not None:
                step.run, step.state = run, "hit"
                return
            if not answered:
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


def nothing(node: str, identity: Identity, drawn: bool) -> Run | None:
    """Finds no known run."""
    return None
