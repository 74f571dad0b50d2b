"""What the user drew, complete and checked: the form in which the engine and the server read a graph.

A drawing never changes. A graph that changes, or a script that is loaded again, gives another drawing; what is running
keeps the one it began with. Where there are choices, `choose` gives the drawing with one variant each in their place;
order, ids and subgraphs are those of all variants together, so that nothing moves when another one is selected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from daggr.errors import UnknownInputError, did_you_mean
from daggr.graph.component import Component
from daggr.graph.edge import Edge, Take
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.choice import ChoiceSpec

_CHOSEN_KEPT = 64


@dataclass(frozen=True)
class UiInput:
    """One input that a person sets. A component given to several ports is one input with several ids.

    Attributes:
        ids: `{node}__{port}` of every port it feeds, the first being its own.
        component: Its component.
        targets: The (node, port) pairs that it feeds.
        group: The InputNode on whose card it is; empty if it has a card of its own.
        variant: The only variant of a choice that takes it; empty if it is not one variant's alone.
    """

    ids: tuple[str, ...]
    component: Component
    targets: tuple[tuple[str, str], ...]
    group: str = ""
    variant: str = ""

    @property
    def id(self) -> str:
        """The id it is known by."""
        return self.ids[0]


@dataclass(frozen=True)
class Wire:
    """What feeds a port: an edge, or an input.

    Attributes:
        target: The node.
        port: Its port.
        take: What it takes of what comes.
        variant: The variant it belongs to, where the node is a choice.
        edge: The edge; None if it is an input.
        input: The id of the input; empty if it is an edge.
    """

    target: str
    port: str
    take: Take
    variant: str
    edge: Edge | None = None
    input: str = ""


@dataclass(frozen=True)
class Subgraph:
    """Nodes connected with each other and with no others."""

    id: str
    nodes: tuple[str, ...]
    outputs: tuple[str, ...]
    """Its nodes that feed no other."""
    groups: tuple[str, ...] = ()
    """The InputNodes that feed it."""


@dataclass(frozen=True)
class Drawing:
    """A graph's nodes in topological order, edges, inputs and subgraphs, all by name."""

    name: str
    persist_key: str | None
    nodes: Mapping[str, NodeSpec]
    """The nodes that run, choices among them."""

    edges: tuple[Edge, ...]
    inputs: Mapping[str, UiInput]
    """Every input by every one of its ids."""

    subgraphs: tuple[Subgraph, ...]
    groups: Mapping[str, NodeSpec]
    """The InputNodes."""

    choices: Mapping[str, UiInput]
    """The input that selects a choice's variant, by the choice."""

    wires: tuple[Wire, ...] = field(repr=False)
    """All that feeds a port, of all variants until one is chosen."""

    selected: Mapping[str, str] = field(default_factory=dict)
    """The variant of each choice, once chosen."""

    _base: Drawing | None = field(default=None, repr=False, compare=False)

    # ------------------------------------------------------------ edges

    @cached_property
    def edge_into(self) -> Mapping[tuple[str, str], Edge]:
        """The edge that feeds an input port; as long as no variant is chosen, one of those that may."""
        return {(edge.target, edge.target_port): edge for edge in reversed(self.edges)}

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
        """The input that feeds an input port; as long as no variant is chosen, one of those that may."""
        return {target: field for field in reversed(self.fields) for target in field.targets}

    @cached_property
    def fields(self) -> tuple[UiInput, ...]:
        """The inputs, each once."""
        return tuple(field for given, field in self.inputs.items() if given == field.id)

    def below(self, name: str) -> frozenset[str]:
        """The nodes that need a node, itself left out."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            for edge in self.edges_from[waiting.pop()]:
                if edge.target not in found:
                    found.add(edge.target)
                    waiting.append(edge.target)
        return frozenset(found)

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

    # ------------------------------------------------------------ items

    @cached_property
    def scattered(self) -> frozenset[str]:
        """The nodes that run once for every item; as long as no variant is chosen, those that may."""
        found = {wire.target for wire in self.wires if wire.take.mode == "each"}
        for name in self.nodes:
            if any(edge.take.mode == "whole" and edge.source in found for edge in self.edges_to[name]):
                found.add(name)
        return frozenset(found)

    @cached_property
    def takes(self) -> Mapping[tuple[str, str], Take]:
        """What each port takes of what comes to it; a port left out takes the whole.

        To gather what is not scattered is to take it as it is.
        """
        return {
            (wire.target, wire.port): wire.take
            for wire in reversed(self.wires)
            if wire.take.mode == "each"
            or (wire.take.mode == "all" and wire.edge is not None and wire.edge.source in self.scattered)
        }

    def splits(self, node: str, port: str) -> bool:
        """Whether what comes to this port is split into items."""
        if (take := self.takes.get((node, port))) is not None:
            return take.mode == "each"
        edge = self.edge_into.get((node, port))
        return edge is not None and edge.source in self.scattered

    # ------------------------------------------------------------ choices

    @property
    def offered(self) -> list[NodeSpec]:
        """All nodes that may run: of every choice all its variants."""
        nodes = (self._base or self).nodes.values()
        return [one for spec in nodes for one in (spec.variants.values() if isinstance(spec, ChoiceSpec) else [spec])]

    def choose(self, selection: Mapping[str, str]) -> Drawing:
        """The drawing with the selected variant in place of every choice, the first where none is selected.

        Nodes, inputs and subgraphs stay in their places; edges and the targets of inputs are those of the variants.

        Raises:
            UnknownInputError: no choice or no variant has this name.
        """
        base = self._base or self
        for choice, variant in selection.items():
            base._check_selected(choice, variant)
        if not base.choices:
            return self
        selected = {choice: selection.get(choice, found.component.value) for choice, found in base.choices.items()}
        return base._chosen(tuple(selected.values()))

    @cached_property
    def _chosen(self) -> Callable[[tuple[str, ...]], Drawing]:
        return lru_cache(_CHOSEN_KEPT)(self._with)

    @cached_property
    def _variants(self) -> Mapping[tuple[str, str], NodeSpec]:
        """The variants in the places of their choices."""
        return {
            (choice, variant): replace(member, name=choice, default_name=False)
            for choice, spec in self.nodes.items()
            if isinstance(spec, ChoiceSpec)
            for variant, member in spec.variants.items()
        }

    def _check_selected(self, choice: str, variant: str) -> None:
        if choice not in self.choices:
            valid = list(self.choices)
            raise UnknownInputError(
                f"There is no choice {choice!r}. Choices: {', '.join(valid) or 'none'}. "
                f"{did_you_mean(choice, valid)}".rstrip()
            )
        valid = list(self.choices[choice].component.config["choices"])
        if variant not in valid:
            raise UnknownInputError(
                f"Choice {choice!r} has no variant {variant!r}. Variants: {', '.join(valid)}. "
                f"{did_you_mean(str(variant), valid)}".rstrip(),
                where=self.nodes[choice].where,
            )

    def _with(self, names: tuple[str, ...]) -> Drawing:
        selected = dict(zip(self.choices, names, strict=True))
        wires = tuple(wire for wire in self.wires if not wire.variant or selected[wire.target] == wire.variant)
        fed = {(self.inputs[wire.input].id, wire.target, wire.port) for wire in wires if wire.input}
        made: dict[str, UiInput] = {}
        for one in self.fields:
            targets = tuple(target for target in one.targets if (one.id, *target) in fed)
            made[one.id] = one if targets == one.targets else replace(one, targets=targets)
        return replace(
            self,
            nodes={name: self._variants.get((name, selected.get(name, "")), spec) for name, spec in self.nodes.items()},
            edges=edges_of(wires),
            inputs={given: made[one.id] for given, one in self.inputs.items()},
            wires=wires,
            selected=selected,
            _base=self,
        )


def edges_of(wires: Iterable[Wire]) -> tuple[Edge, ...]:
    """The edges among the wires, each once."""
    return tuple(dict.fromkeys(wire.edge for wire in wires if wire.edge is not None))


def input_id(node: str, port: str) -> str:
    """The API's name of an input: `{node}__{port}`, spaces and dashes as underscores."""
    return f"{re.sub(r'[ -]', '_', node)}__{re.sub(r'[ -]', '_', port)}"
