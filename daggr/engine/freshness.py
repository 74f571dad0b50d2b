"""Freshness: which results still stand for what the sheet says now. Pure.

An edge is fresh when its target's result was made by the current definition from exactly the value upstream now. A
node is fresh when that holds for all it was given and all its ancestors are fresh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from daggr.engine.bindings import Bound, bind
from daggr.engine.keys import Identity, identity_of, same_lookup
from daggr.engine.program import Program
from daggr.store.records import Run


@dataclass(frozen=True)
class NodeFreshness:
    """Whether a node's result stands, and why not."""

    fresh: bool
    reason: str = ""


@dataclass(frozen=True)
class Freshness:
    """Of every node by name, and of every edge by id; wires from inputs are named by `bindings.input_edge`."""

    nodes: Mapping[str, NodeFreshness]
    edges: Mapping[str, bool]


def freshness(program: Program, inputs: Mapping[str, bytes], heads: Mapping[str, Run]) -> Freshness:
    """Judge every node and edge of a sheet."""
    nodes: dict[str, NodeFreshness] = {}
    edges: dict[str, bool] = {}
    for name in program.drawing.nodes:
        head = heads.get(name)
        bound = bind(program, name, inputs, heads.get)
        current = head is not None and head.fingerprint == program.definitions[name].fingerprint.digest
        for port, (edge, digest) in bound.wires.items():
            recorded = head.input(port) if head is not None else None
            edges[edge] = current and digest is not None and recorded is not None and recorded.digest == digest
        nodes[name] = _judge(program, name, head, bound, nodes)
    return Freshness(nodes, edges)


def settle(
    program: Program,
    inputs: Mapping[str, bytes],
    heads: Mapping[str, Run],
    find: Callable[[str, Identity, bool], Run | None],
) -> dict[str, Run]:
    """The heads after every node that has a known result for its current inputs has taken it. Nothing is executed."""
    settled = dict(heads)
    for name in program.drawing.nodes:
        bound = bind(program, name, inputs, settled.get)
        if bound.missing:
            continue
        identity = identity_of(program.definitions[name].fingerprint.digest, bound.bindings)
        head = settled.get(name)
        if head is not None and same_lookup(head, identity):
            continue
        if (run := find(name, identity, False)) is not None:
            settled[name] = run
    return settled


def _judge(
    program: Program,
    name: str,
    head: Run | None,
    bound: Bound,
    before: Mapping[str, NodeFreshness],
) -> NodeFreshness:
    if head is None:
        return NodeFreshness(False, "never run")
    definition = program.definitions[name]
    if head.fingerprint != definition.fingerprint.digest:
        return NodeFreshness(False, "its code or settings changed")
    if bound.missing:
        return NodeFreshness(False, f"{bound.missing[0][0]} has no result")
    if not same_lookup(head, identity_of(definition.fingerprint.digest, bound.bindings)):
        old = {binding.port: binding.digest for binding in head.inputs}
        new = {binding.port: binding.digest for binding in bound.bindings if binding.source != "sampled"}
        changed = [port for port, digest in new.items() if old.get(port) != digest]
        return NodeFreshness(False, f"changed: {', '.join(changed)}" if changed else "its inputs changed")
    stale = [edge.source for edge in program.drawing.edges_to[name] if not before[edge.source].fresh]
    return NodeFreshness(not stale, f"{stale[0]} is not up to date" if stale else "")
