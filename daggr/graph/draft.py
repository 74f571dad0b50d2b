"""From nodes and what connects them to a drawing: checked, ordered, every port with what feeds it. In one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError as GraphlibCycle
from graphlib import TopologicalSorter
from typing import NamedTuple

from daggr.errors import CycleError, GraphError, ScatterError
from daggr.graph.component import CHOICE, Component
from daggr.graph.drawing import Drawing, Subgraph, UiInput, Wire, edges_of, input_id
from daggr.graph.edge import WHOLE, Edge
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.choice import ChoiceSpec, variants_of
from daggr.graph.nodes.input import InputSpec
from daggr.graph.port import UiSource, UnboundSource


class Connection(NamedTuple):
    """An edge that was drawn, and the variant that it feeds, where it feeds a choice."""

    edge: Edge
    variant: str


def draw(name: str, persist_key: str | None, specs: Iterable[NodeSpec], connections: Sequence[Connection]) -> Drawing:
    """Check and order a graph.

    Raises:
        CycleError: nodes feed each other in a circle; the message names them.
        ScatterError: items are asked for where a node runs once for every item already.
        GraphError: an input has no value, two inputs have one id, or two nodes give a group different limits.
    """
    given = {spec.name: spec for spec in specs}
    ordered = {at: given[at] for at in topological(given, (edge for edge, _ in connections))}
    fed = {(edge.target, variant, edge.target_port) for edge, variant in connections}
    _check_bound(ordered, fed)
    _check_groups(ordered)
    form = _Form(ordered, fed, connections)
    drawing = Drawing(
        name=name,
        persist_key=persist_key,
        nodes={at: spec for at, spec in ordered.items() if not isinstance(spec, InputSpec)},
        edges=edges_of(form.wires),
        inputs=form.inputs,
        subgraphs=_subgraphs(ordered, connections, form.inputs),
        groups={at: spec for at, spec in ordered.items() if isinstance(spec, InputSpec)},
        choices=form.choices,
        wires=tuple(form.wires),
    )
    _check_scattered(drawing)
    return drawing


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


# ---------------------------------------------------------------- checks


def _check_bound(specs: Mapping[str, NodeSpec], fed: set[tuple[str, str, str]]) -> None:
    for name, spec in specs.items():
        for variant, member in variants_of(spec).items():
            missing = [
                port
                for port, source in member.inputs.items()
                if isinstance(source, UnboundSource) and not source.optional and (name, variant, port) not in fed
            ]
            if missing:
                raise GraphError(
                    f"Node {name!r}{f', variant {variant!r},' if variant else ''} has no value for "
                    f"{', '.join(repr(port) for port in missing)}.",
                    f"Give each in inputs={{…}}: a Gradio component such as gr.Textbox(), another node's port, "
                    f"a fixed value or a callable; or connect it with graph.edge(other.port, {name}.{missing[0]}).",
                    member.where,
                )


def _check_groups(specs: Mapping[str, NodeSpec]) -> None:
    """Nodes of one concurrency group share one limit, so they must agree on it."""
    first: dict[str, NodeSpec] = {}
    for spec in [member for one in specs.values() for member in variants_of(one).values()]:
        group, limit = spec.group
        if group is not None and (other := first.setdefault(group, spec)).group != spec.group:
            raise GraphError(
                f"The nodes {other.name!r} and {spec.name!r} give the group {group!r} different limits: "
                f"{other.group[1]} and {limit}.",
                "Give both the same max_concurrent.",
                spec.where,
            )


def _check_scattered(drawing: Drawing) -> None:
    for edge in drawing.edges:
        if edge.take.mode == "each" and edge.source in drawing.scattered:
            port = f"{edge.source}.{edge.source_port}"
            raise ScatterError(
                f"{edge.target}.{edge.target_port} takes {port}.each, but {edge.source!r} runs once for every item "
                "already: it gives no list to split.",
                f"Gather it with .all() first: a node that takes {port}.all() gets the list and can give another one. "
                f"Or give {port} itself, which goes on item by item.",
                drawing.nodes[edge.target].where,
            )

    for name in drawing.scattered:
        if any(variant.kind == "interaction" for variant in variants_of(drawing.nodes[name]).values()):
            raise ScatterError(
                f"{name!r} asks a person, and cannot do so once for every item.",
                "Gather what it is given with .all(), and ask once.",
                drawing.nodes[name].where,
            )


# ---------------------------------------------------------------- inputs


@dataclass
class _Entry:
    """An input while its ids are collected."""

    component: Component
    group: str = ""
    ids: list[str] = field(default_factory=list)
    targets: dict[tuple[str, str], None] = field(default_factory=dict)
    users: set[tuple[str, str]] = field(default_factory=set)
    """The nodes that take it, and which variants of them."""

    def made(self) -> UiInput:
        variant = next(iter(self.users))[1] if len(self.users) == 1 else ""
        return UiInput(tuple(self.ids), self.component, tuple(self.targets), self.group, variant)


class _Form:
    """All inputs of a graph, and what feeds every port. One component object is one input, wherever it was given."""

    def __init__(
        self,
        specs: Mapping[str, NodeSpec],
        fed: set[tuple[str, str, str]],
        connections: Sequence[Connection],
    ) -> None:
        self._specs = specs
        self._fed = fed
        self._entries: dict[int, _Entry] = {}
        self._owners: dict[str, tuple[_Entry, str]] = {}
        """The input that has an id, and the port it has it from."""
        self._from_groups: dict[tuple[str, str], list[Connection]] = {}
        self.wires: list[Wire] = []
        for connection in connections:
            edge, variant = connection
            if isinstance(specs[edge.source], InputSpec):
                self._from_groups.setdefault((edge.source, edge.source_port), []).append(connection)
            else:
                self.wires.append(Wire(edge.target, edge.target_port, edge.take, variant, edge))
        self._choices: dict[str, _Entry] = {}
        for spec in specs.values():
            self._read(spec)
        made = {id(entry): entry.made() for entry in self._entries.values()}
        self.inputs = {given: made[id(entry)] for given, (entry, _) in self._owners.items()}
        self.choices = {choice: made[id(entry)] for choice, entry in self._choices.items()}

    def _read(self, spec: NodeSpec) -> None:
        if isinstance(spec, InputSpec):
            for port, component in spec.outputs.items():
                if component is not None:
                    self._take_group(spec.name, port, component)
            return
        if isinstance(spec, ChoiceSpec):
            self._take_choice(spec.name, spec)
        for variant, member in variants_of(spec).items():
            for port, source in member.inputs.items():
                if isinstance(source, UiSource) and (spec.name, variant, port) not in self._fed:
                    self._take_port(spec.name, variant, port, source.component)

    def _take_group(self, group: str, port: str, component: Component) -> None:
        entry = self._entries.setdefault(id(component.source), _Entry(component))
        entry.group = entry.group or group
        given = self._claim(entry, input_id(group, port), f"{group}.{port}", self._specs[group])
        for edge, variant in self._from_groups.get((group, port), ()):
            entry.targets[edge.target, edge.target_port] = None
            entry.users.add((edge.target, variant))
            self.wires.append(Wire(edge.target, edge.target_port, edge.take, variant, input=given))

    def _take_choice(self, choice: str, spec: ChoiceSpec) -> None:
        names = list(spec.variants)
        entry = _Entry(Component(CHOICE, {"choices": names}, names[0], label=None, visible=False, source=None))
        self._entries[id(entry)] = self._choices[choice] = entry
        for port in ("variant", "_selected_variant"):
            self._claim(entry, input_id(choice, port), f"{choice}.{port}", spec)

    def _take_port(self, name: str, variant: str, port: str, component: Component) -> None:
        entry = self._entries.setdefault(id(component.source), _Entry(component))
        wanted = input_id(name, port)
        if variant and wanted in self._owners and self._owners[wanted][0] is not entry:
            wanted = f"{input_id(name, variant)}__{input_id('', port)[2:]}"
        given = self._claim(entry, wanted, f"{variant or name}.{port}", self._specs[name])
        entry.targets[name, port] = None
        entry.users.add((name, variant))
        self.wires.append(Wire(name, port, WHOLE, variant, input=given))

    def _claim(self, entry: _Entry, wanted: str, port: str, spec: NodeSpec) -> str:
        owner, other = self._owners.setdefault(wanted, (entry, port))
        if owner is not entry:
            raise GraphError(
                f"Two inputs have the id {wanted!r}: {other} and {port}.", "Rename one of the nodes.", spec.where
            )
        if wanted not in entry.ids:
            entry.ids.append(wanted)
        return wanted


# ---------------------------------------------------------------- subgraphs


def _subgraphs(
    specs: Mapping[str, NodeSpec], connections: Sequence[Connection], inputs: Mapping[str, UiInput]
) -> tuple[Subgraph, ...]:
    beside: dict[str, list[str]] = {name: [] for name in specs}
    feeding = set()
    for edge, _ in connections:
        beside[edge.source].append(edge.target)
        beside[edge.target].append(edge.source)
        feeding.add(edge.source)
    part: dict[str, int] = {}
    parts: list[tuple[list[str], list[str]]] = []
    for name, spec in specs.items():
        if name not in part and not isinstance(spec, InputSpec):
            for reached in _reach(name, beside):
                part[reached] = len(parts)
            parts.append(([], []))
    for name, spec in specs.items():
        if not isinstance(spec, InputSpec):
            parts[part[name]][0].append(name)
        elif (number := part.get(name, _shared_with(spec, part, inputs))) is not None:
            parts[number][1].append(name)
    return tuple(
        Subgraph(
            id="main" if len(parts) == 1 else f"subgraph_{number}",
            nodes=tuple(nodes),
            outputs=tuple(name for name in nodes if name not in feeding),
            groups=tuple(groups),
        )
        for number, (nodes, groups) in enumerate(parts)
    )


def _reach(start: str, beside: Mapping[str, Sequence[str]]) -> Iterator[str]:
    found, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        yield name
        new = [other for other in beside[name] if other not in found]
        found.update(new)
        waiting.extend(new)


def _shared_with(spec: InputSpec, part: Mapping[str, int], inputs: Mapping[str, UiInput]) -> int | None:
    """The subgraph of an InputNode without an edge: where one of its components was given to a node as well."""
    fields = (inputs[input_id(spec.name, port)] for port in spec.outputs)
    return next((part[target] for found in fields for target, _ in found.targets), None)
