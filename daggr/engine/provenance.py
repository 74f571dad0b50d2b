"""Selecting a result: the inputs that made it come back upstream, matching results downstream. Look-ups only. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from daggr.engine.program import Program
from daggr.graph.edge import Edge
from daggr.store.records import Head, HistoryEntry, Run


@dataclass(frozen=True)
class Restored:
    """The inputs and heads of a sheet after a selection."""

    inputs: Mapping[str, bytes]
    heads: Mapping[str, Head]


def select(
    program: Program,
    node: str,
    entry: HistoryEntry,
    inputs: Mapping[str, bytes],
    heads: Mapping[str, Head],
    get_run: Callable[[bytes], Run | None],
    history: Callable[[str], Sequence[HistoryEntry]],
) -> Restored:
    """Show a history entry of a node.

    Upwards, breadth first, inputs and heads are set to what the entry was made from; where two paths want different
    things the first one wins. Downwards, a node takes its newest result that was made from what is upstream now.
    """
    new_inputs, new_heads = dict(inputs), dict(heads)
    chosen = {node: Head(entry.run, entry.parents)}
    set_inputs: set[str] = set()
    queue = deque([node])
    while queue:
        name = queue.popleft()
        new_heads[name] = chosen[name]
        run = get_run(chosen[name].run)
        if run is None:
            continue
        for binding in run.inputs:
            field = program.drawing.input_of.get((name, binding.port))
            if binding.source == "ui" and field is not None and field.id not in set_inputs:
                set_inputs.add(field.id)
                new_inputs[field.id] = binding.digest
        for edge in program.drawing.edges_to[name]:
            parent = chosen[name].parents.get(edge.id)
            if parent is not None and edge.source not in chosen:
                chosen[edge.source] = _head_of(program, parent, edge.source, get_run, history)
                queue.append(edge.source)
    _restore_below(program, frozenset(chosen), new_heads, get_run, history)
    return Restored(new_inputs, new_heads)


def _head_of(
    program: Program,
    run: bytes,
    node: str,
    get_run: Callable[[bytes], Run | None],
    history: Callable[[str], Sequence[HistoryEntry]],
) -> Head:
    """A run as a head: with the bindings of its history entry, else with those it was made with."""
    entry = next((entry for entry in history(node) if entry.run == run), None)
    if entry is not None:
        return Head(run, entry.parents)
    recorded = get_run(run)
    fed = {binding.port: binding.run for binding in recorded.inputs} if recorded is not None else {}
    return Head(run, {e.id: fed[e.target_port] for e in program.drawing.edges_to[node] if fed.get(e.target_port)})


def _restore_below(
    program: Program,
    chosen: frozenset[str],
    heads: dict[str, Head],
    get_run: Callable[[bytes], Run | None],
    history: Callable[[str], Sequence[HistoryEntry]],
) -> None:
    below = set(chosen)
    for name in program.drawing.nodes:
        edges = program.drawing.edges_to[name]
        if name in chosen or not any(edge.source in below for edge in edges):
            continue
        below.add(name)
        best: tuple[int, Head] | None = None
        for entry in reversed(history(name)):
            run = get_run(entry.run)
            if run is None or not all(_matches(run, edge, heads, get_run) for edge in edges):
                continue
            same = sum(entry.parents.get(edge.id) == heads[edge.source].run for edge in edges)
            if best is None or same > best[0]:
                best = (same, Head(entry.run, entry.parents))
        if best is not None:
            heads[name] = best[1]


def _matches(run: Run, edge: Edge, heads: Mapping[str, Head], get_run: Callable[[bytes], Run | None]) -> bool:
    upstream = get_run(heads[edge.source].run) if edge.source in heads else None
    consumed = run.input(edge.target_port)
    return upstream is not None and consumed is not None and consumed.digest == upstream.output(edge.source_port)
