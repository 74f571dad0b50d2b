"""ChoiceNode: several nodes that do the same in different ways, of which a person selects one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from daggr.errors import GraphError
from daggr.graph.component import Component
from daggr.graph.nodes.base import Kind, Node, NodeSpec, spec_of
from daggr.graph.nodes.input import InputNode
from daggr.graph.place import caller
from daggr.graph.port import Source


@dataclass
class ChoiceSpec(NodeSpec):
    """The variants of a choice. Its ports are those of all of them; of ports alike, the first variant's."""

    kind: ClassVar[Kind] = "choice"

    members: tuple[NodeSpec, ...] = ()

    @property
    def variants(self) -> dict[str, NodeSpec]:
        """The variants by name, in the order given; repeats are counted."""
        names = {member.name for member in self.members}
        found: dict[str, NodeSpec] = {}
        for member in self.members:
            name, count = member.name, 0
            while name in found or (count and name in names):
                count += 1
                name = f"{member.name}_{count}"
            found[name] = member
        return found

    @property
    def subtitle(self) -> str:
        """Between what there is to choose."""
        return " | ".join(self.variants)


class ChoiceNode(Node):
    """Offers several nodes for one step; a person, or the API, selects which of them runs. `a | b | c` makes one.

    Args:
        variants: The nodes. Their inputs may differ; output ports that other nodes use must be in all of them.
        name: Shown on the card; that of the first variant by default.

    Raises:
        GraphError: there is no variant, or one that is no node that runs.
    """

    def __init__(self, variants: Sequence[Node], name: str | None = None) -> None:
        where = caller()
        members = tuple(_members(variants, where))
        if not members:
            raise GraphError("A ChoiceNode needs nodes to choose from, such as a | b.", where=where)
        inputs: dict[str, Source] = {}
        outputs: dict[str, Component | None] = {}
        for member in members:
            for port, source in member.inputs.items():
                inputs.setdefault(port, source)
            for port, component in member.outputs.items():
                outputs[port] = outputs.get(port) or component
        self._spec = ChoiceSpec(
            name=name or members[0].name,
            inputs=inputs,
            outputs=outputs,
            where=where,
            default_name=not name,
            members=members,
        )


def variants_of(spec: NodeSpec) -> Mapping[str, NodeSpec]:
    """The variants of a choice by name; any other node is one without a name."""
    return spec.variants if isinstance(spec, ChoiceSpec) else {"": spec}


def _members(variants: Iterable[Any], where: str | None) -> Iterable[NodeSpec]:
    for variant in variants:
        if not isinstance(variant, Node) or isinstance(variant, InputNode):
            raise GraphError(f"A choice is made of nodes that run, such as a | b; given: {variant!r}.", where=where)
        spec = spec_of(variant)
        yield from spec.members if isinstance(spec, ChoiceSpec) else (spec,)


def _joined(one: Node, other: Any) -> ChoiceNode:
    spec = spec_of(one)
    keeps_name = isinstance(spec, ChoiceSpec) and not spec.default_name
    return ChoiceNode([one, other], name=spec.name if keeps_name else None)


Node._join = _joined
