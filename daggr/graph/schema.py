"""The graph as an API: what it takes and what it answers, in 0.8's names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from daggr.graph.component import Component
from daggr.graph.drawing import Drawing, Subgraph, input_id

_API_TYPES = {"chatbot": "json", "itemlist": "json"}


def api_type(component: Component | None) -> str:
    """The type an API client is told: the class name in lower case, as 0.8 has it; `text` if unknown."""
    if component is None:
        return "text"
    name = type(component.source).__name__.lower() if component.source is not None else component.type
    return _API_TYPES.get(name, name)


def api_schema(drawing: Drawing) -> dict[str, Any]:
    """`{"subgraphs": [{"id", "inputs": [{node, port, type, id}], "outputs": [{node, port, type}]}]}`.

    The inputs of all variants of a choice are listed; what selects the variant is none of them.
    """
    ports: dict[str, dict[str, str]] = {}
    for wire in drawing.wires:
        if wire.input:
            ports.setdefault(wire.target, {})[wire.input] = wire.port
    return {
        "subgraphs": [
            {
                "id": subgraph.id,
                "inputs": [
                    {"node": node, "port": port, "type": api_type(drawing.inputs[given].component), "id": given}
                    for node, port, given in _inputs(drawing, subgraph, ports)
                ],
                "outputs": [
                    {"node": node, "port": port, "type": api_type(component)}
                    for node in subgraph.outputs
                    for port, component in drawing.nodes[node].outputs.items()
                ],
            }
            for subgraph in drawing.subgraphs
        ]
    }


def _inputs(drawing: Drawing, subgraph: Subgraph, ports: dict[str, dict[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Node, port and id of every input of a subgraph; those of an InputNode under its name."""
    grouped = {input_id(group, port) for group in subgraph.groups for port in drawing.groups[group].outputs}
    for group in subgraph.groups:
        for port in drawing.groups[group].outputs:
            yield group, port, input_id(group, port)
    for node in subgraph.nodes:
        for given, port in ports.get(node, {}).items():
            if given not in grouped:
                yield node, port, given
