"""Freshness: which results still stand for what the sheet says now. Pure.

An edge is fresh when its target's result was made by the current definition from exactly the value upstream now. A
node is fresh when that holds for all it was given, its result is not too old, and all its ancestors are fresh.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from daggr.engine.bindings import Bound, bind, changed_ports, is_lenient
from daggr.engine.keys import Identity, identity_of
from daggr.engine.program import Program
from daggr.graph.edge import Edge
from daggr.graph.nodes.base import NodeSpec
from daggr.store.records import Run


@dataclass(frozen=True)
class NodeFreshness:
    """Whether a node's result is up to date, and why not. One of which only items failed `stands` all the same."""

    fresh: bool
    reason: str = ""
    stands: bool = False


@dataclass(frozen=True)
class Freshness:
    """Of every node by name, and of every edge by id; wires from inputs are named by `bindings.input_edge`."""

    nodes: Mapping[str, NodeFreshness]
    edges: Mapping[str, bool]


def freshness(program: Program, inputs: Mapping[str, bytes], heads: Mapping[str, Run], now: float) -> Freshness:
    """Judge every node and edge of a sheet. Recorded digests suffice: whether a value can be loaded does not matter.

    Args:
        program: What the sheet is over.
        inputs: A digest for every input, by the input's own id.
        heads: The runs that are shown.
        now: Seconds since the epoch, for results that are good for some time only.
    """
    nodes: dict[str, NodeFreshness] = {}
    edges: dict[str, bool] = {}
    for name, spec in program.drawing.nodes.items():
        head = heads.get(name)
        bound = bind(program, name, inputs, heads.get)
        current = head is not None and head.fingerprint == program.definitions[name].fingerprint.digest
        used = {given.port: given.digest for given in head.inputs} if head is not None and current else {}
        for port, (edge, digest) in bound.wires.items():
            edges[edge] = digest is not None and used.get(port) == digest
        reason = _own_reason(spec, head, current, bound, now)
        if not reason:
            stale = [e.source for e in program.drawing.edges_to[name] if not _suffices(program, e, nodes[e.source])]
            reason = f"{stale[0]} is not up to date" if stale else ""
        stands = not reason
        if stands and head is not None and head.status != "done":
            reason = head.error
        nodes[name] = NodeFreshness(not reason, reason, stands)
    return Freshness(nodes, edges)


def _suffices(program: Program, edge: Edge, before: NodeFreshness) -> bool:
    """Whether a node may be up to date below another; what goes on item by item, or leaves out failures, needs less."""
    if before.fresh or not before.stands:
        return before.fresh
    drawing = program.drawing
    take = drawing.takes.get((edge.target, edge.target_port))
    return is_lenient(take) or drawing.splits(edge.target, edge.target_port)


def _own_reason(spec: NodeSpec, head: Run | None, current: bool, bound: Bound, now: float) -> str:
    """Why a result does not stand, its ancestors aside; empty if it does."""
    if head is None:
        return "waits for an answer" if spec.kind == "interaction" and not bound.missing else "never run"
    if not current:
        return "its code or settings changed"
    if bound.missing:
        return f"{bound.missing[0][0]} has no result"
    if changed := changed_ports(head, bound.bindings):
        return f"changed: {', '.join(changed)}"
    return f"older than {spec.cache}" if is_too_old(spec.cache, head, now) else ""


def is_too_old(cache: bool | timedelta, run: Run, now: float) -> bool:
    """Whether a result is older than its node's `cache` allows; it is as old as its run has ended."""
    return isinstance(cache, timedelta) and now - run.started - run.seconds > cache.total_seconds()


def settle(
    program: Program,
    inputs: Mapping[str, bytes],
    shown: Callable[[str], Run | None],
    find: Callable[[str, Identity, bool], Run | None],
    touched: Collection[str] | None = None,
) -> dict[str, tuple[Run, dict[str, bytes]]]:
    """Let every node take the known result for its current inputs. Nothing is executed.

    Args:
        program: What the sheet is over.
        inputs: A digest for every input, by the input's own id.
        shown: The run that is shown for a node now.
        find: Looks a known run up.
        touched: The nodes that something changed for; they are looked at, and what is below a result that changes.
            None looks at all.

    Returns:
        The results that stand for what was looked at, each with the runs that feed it now, by edge id. So a result
        that stays, while what feeds it is made again with equal bytes, is known to come from that.
    """
    standing: dict[str, tuple[Run, dict[str, bytes]]] = {}
    moved: set[str] = set()

    def run_of(node: str) -> Run | None:
        return standing[node][0] if node in standing else shown(node)

    for name in program.drawing.nodes:
        edges = program.drawing.edges_to[name]
        if touched is not None and name not in touched and not any(edge.source in moved for edge in edges):
            continue
        bound = bind(program, name, inputs, run_of)
        if bound.missing:
            continue
        run, fingerprint = shown(name), program.definitions[name].fingerprint.digest
        if run is None or run.fingerprint != fingerprint or changed_ports(run, bound.bindings):
            run = find(name, identity_of(fingerprint, bound.bindings), False)
            if run is None:
                continue
            moved.add(name)
        standing[name] = run, bound.parents
    return standing
