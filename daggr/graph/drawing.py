"""What the user drew, complete and checked: the form in which the engine and the server read a graph.

A drawing never changes. A graph that changes, or a script that is loaded again, gives another drawing; what is running
keeps the one it began with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError as GraphlibCycle
from graphlib import TopologicalSorter

from daggr.errors import CycleError, GraphError
from daggr.graph.component import Component
from daggr.graph.edge import Edge
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.port import UiSource, UnboundSource


@dataclass(frozen=True)
class UiInput:
    """One input that a person sets. A component given to several ports is one input with several ids.

    Attributes:
        ids: `{node}__{port}` of every port it feeds, the first being its own.
        component: Its component.
        targets: The (node, port) pairs that it feeds.
    """

    ids: tuple[str, ...]
    component: Component
    targets: tuple[tuple[str, str], ...]

    @property
    def id(self) -> str:
        """The id it is known by."""
        return self.ids[0]


@dataclass(frozen=True)
class Subgraph:
    """Nodes connected with each other and with no others."""

    id: str
    nodes: tuple[str, ...]
    outputs: tuple[str, ...]
    """Its nodes that feed no other."""


@dataclass(frozen=True)
class Drawing:
    """A graph's nodes in topological order, edges, inputs and subgraphs, all by name."""

    name: str
    persist_key: str | None
    nodes: Mapping[str, NodeSpec]
    edges: tuple[Edge, ...]
    inputs: Mapping[str, UiInput]
    """Every input by every one of its ids."""

    subgraphs: tuple[Subgraph, ...]

    @cached_property
    def edge_into(self) -> Mapping[tuple[str, str], Edge]:
        """The edge that feeds an input port."""
        return {(edge.target, edge.target_port): edge for edge in self.edges}

    @cached_property
    def edges_to(self) -> Mapping[str, tuple[Edge, ...]]:
        """The edges that feed a node."""
        found: dict[str, list[Edge]] = {name: [] for name in self.nodes}
        for edge in self.edges:
            found[edge.target].append(edge)
        return {name: tuple(edges) for name, edges in found.items()}

    @cached_property
    def edges_from(self) -> Mapping[str, tuple[Edge, ...]]:
        """The edges that a node feeds."""
        found: dict[str, list[Edge]] = {name: [] for name in self.nodes}
        for edge in self.edges:
            found[edge.source].append(edge)
        return {name: tuple(edges) for name, edges in found.items()}

    @cached_property
    def input_of(self) -> Mapping[tuple[str, str], UiInput]:
        """The input that feeds an input port."""
        return {target: field for field in self.inputs.values() for target in field.targets}

    @cached_property
    def fields(self) -> tuple[UiInput, ...]:
        """The inputs, each once."""
        return tuple(field for given, field in self.inputs.items() if given == field.id)

    def ancestors(self, name: str) -> frozenset[str]:
        """The nodes that a node needs, itself included."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting.extend(edge.source for edge in self.edges_to[node])
        return frozenset(found)


def input_id(node: str, port: str) -> str:
    """The API's name of an input: `{node}__{port}`, spaces and dashes as underscores."""
    return f"{re.sub(r'[ -]', '_', node)}__{re.sub(r'[ -]', '_', port)}"


def draw(name: str, persist_key: str | None, specs: Iterable[NodeSpec], edges: Iterable[Edge]) -> Drawing:
    """Check and order a graph.

    Raises:
        CycleError: nodes feed each other in a circle; the message names them.
        GraphError: an input has no value, or two inputs have one id.
    """
    nodes = {spec.name: spec for spec in specs}
    edges = tuple(edges)
    order = topological(nodes, edges)
    nodes = {name_: nodes[name_] for name_ in order}
    _check_bound(nodes, edges)
    _check_groups(nodes)
    return Drawing(
        name=name,
        persist_key=persist_key,
        nodes=nodes,
        edges=edges,
        inputs=_ui_inputs(nodes, {(edge.target, edge.target_port) for edge in edges}),
        subgraphs=_subgraphs(nodes, edges),
    )


def topological(nodes: Mapping[str, NodeSpec], edges: Iterable[Edge]) -> list[str]:
    """The names of the nodes, each after those it needs; a CycleError names a circle."""
    sorter: TopologicalSorter[str] = TopologicalSorter({name: [] for name in nodes})
    for edge in edges:
        sorter.add(edge.target, edge.source)
    try:
        return list(sorter.static_order())
    except GraphlibCycle as error:
        circle = error.args[1]
        raise CycleError(
            f"The nodes feed each other in a circle: {' → '.join(reversed(circle))}.", where=nodes[circle[0]].where
        ) from None


def _check_bound(nodes: Mapping[str, NodeSpec], edges: tuple[Edge, ...]) -> None:
    fed = {(edge.target, edge.target_port) for edge in edges}
    for name, spec in nodes.items():
        missing = [
            port
            for port, source in spec.inputs.items()
            if isinstance(source, UnboundSource) and not source.optional and (name, port) not in fed
        ]
        if missing:
            raise GraphError(
                f"Node {name!r} has no value for {', '.join(repr(port) for port in missing)}.",
                f"Give each in inputs={{…}}: a Gradio component such as gr.Textbox(), another node's port, "
                f"a fixed value or a callable; or connect it with graph.edge(other.port, {name}.{missing[0]}).",
                spec.where,
            )


def _check_groups(nodes: Mapping[str, NodeSpec]) -> None:
    """Nodes of one concurrency group share one limit, so they must agree on it."""
    first: dict[str, NodeSpec] = {}
    for spec in nodes.values():
        group, limit = spec.group
        if group is not None and (other := first.setdefault(group, spec)).group != spec.group:
            raise GraphError(
                f"The nodes {other.name!r} and {spec.name!r} give the group {group!r} different limits: "
                f"{other.group[1]} and {limit}.",
                "Give both the same max_concurrent.",
                spec.where,
            )


def _ui_inputs(nodes: Mapping[str, NodeSpec], fed: set[tuple[str, str]]) -> dict[str, UiInput]:
    shared: dict[int, list[tuple[str, str, Component]]] = {}
    for name, spec in nodes.items():
        for port, source in spec.inputs.items():
            if isinstance(source, UiSource) and (name, port) not in fed:
                shared.setdefault(id(source.component.source), []).append((name, port, source.component))
    inputs: dict[str, UiInput] = {}
    for uses in shared.values():
        ids = tuple(input_id(name, port) for name, port, _ in uses)
        made = UiInput(ids, uses[0][2], tuple((name, port) for name, port, _ in uses))
        for given in ids:
            if given in inputs:
                one, other = inputs[given].targets[0], made.targets[ids.index(given)]
                raise GraphError(
                    f"Two inputs have the id {given!r}: {one[0]}.{one[1]} and {other[0]}.{other[1]}.",
                    "Rename one of the nodes.",
                    nodes[other[0]].where,
                )
            inputs[given] = made
    return inputs


def _subgraphs(nodes: Mapping[str, NodeSpec], edges: tuple[Edge, ...]) -> tuple[Subgraph, ...]:
    group = {name: {name} for name in nodes}
    for edge in edges:
        one, other = group[edge.source], group[edge.target]
        if one is not other:
            one |= other
            for name in other:
                group[name] = one
    feeding = {edge.source for edge in edges}
    distinct = list({id(members): members for members in group.values()}.values())
    return tuple(
        Subgraph(
            id="main" if len(distinct) == 1 else f"subgraph_{index}",
            nodes=tuple(name for name in nodes if name in members),
            outputs=tuple(name for name in nodes if name in members and name not in feeding),
        )
        for index, members in enumerate(distinct)
    )
