"""What is missing: why a plan cannot give what was asked for, though no node failed."""

from __future__ import annotations

from collections.abc import Collection

from daggr.engine.bindings import is_lenient
from daggr.engine.plan import Plan, Step
from daggr.engine.program import Program
from daggr.errors import GraphError, NodeFailedError


def check_parents(plan: Plan, nodes: Collection[str]) -> None:
    """See to it that some steps of a plan have what they need.

    Raises:
        GraphError: one of them does not, naming what to run first.
    """
    for step in plan.steps.values():
        if step.missing and step.node in nodes:
            names = ", ".join(repr(name) for name in dict.fromkeys(step.missing))
            raise GraphError(f"{step.node!r} needs a result of {names} first.", "Run that first, or run to here.")


def what_is_missing(program: Program, plan: Plan) -> NodeFailedError | None:
    """Why a call has no answer: items failed that somebody needs, or a person has to answer. None if it has one."""
    for step in plan.steps.values():
        is_last = all(edge.target not in plan.steps for edge in program.drawing.edges_from[step.node])
        if step.run is None or (step.run.status != "done" and is_last):
            return _because(program, plan, step)
    return None


def _because(program: Program, plan: Plan, step: Step) -> NodeFailedError:
    """The first thing that went wrong before a step."""
    drawing, spec = program.drawing, program.drawing.nodes[step.node]
    for edge in drawing.edges_to[step.node]:
        before = plan.steps.get(edge.source)
        lenient = is_lenient(drawing.takes.get((step.node, edge.target_port)))
        if before is not None and not lenient and (before.run is None or before.run.status != "done"):
            return _because(program, plan, before)
    if step.run is not None:
        return NodeFailedError(step.run.error, where=spec.where, node=step.node)
    ids = [given for given, node in program.answers.items() if node == step.node]
    hint = f"Give the answer as the input {ids[0]!r}." if ids else ""
    return NodeFailedError(f"{step.node!r} did not run: {step.reason}.", hint, spec.where, node=step.node)
