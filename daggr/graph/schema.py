"""The graph as an API: what it takes and what it answers, in 0.8's names."""

from __future__ import annotations

from typing import Any

from daggr.graph.component import Component
from daggr.graph.drawing import Drawing, input_id

_API_TYPES = {"chatbot": "json"}


def api_type(component: Component | None) -> str:
    """The type an API client is told: the class name in lower case, as 0.8 has it; `text` if unknown."""
    if component is None:
        return "text"
    name = type(component.source).__name__.lower()
    return _API_TYPES.get(name, name)


def api_schema(drawing: Drawing) -> dict[str, Any]:
    """`{"subgraphs": [{"id", "inputs": [{node, port, type, id}], "outputs": [{node, port, type}]}]}`."""
    return {
        "subgraphs": [
            {
                "id": subgraph.id,
                "inputs": [
                    {"node": node, "port": port, "type": api_type(field.component), "id": input_id(node, port)}
                    for node in subgraph.nodes
                    for port in drawing.nodes[node].inputs
                    if (field := drawing.input_of.get((node, port))) is not None
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
