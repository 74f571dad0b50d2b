"""InputNode: inputs under one name, on one card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from daggr.errors import GraphError
from daggr.graph.component import is_component, read_component
from daggr.graph.nodes.base import Kind, Node, NodeSpec, warn_file_types
from daggr.graph.place import caller


@dataclass
class InputSpec(NodeSpec):
    """Inputs that a person sets. Its output ports are their components; it is never executed."""

    kind: ClassVar[Kind] = "input"


class InputNode(Node):
    """Groups inputs on one card. Each port is given to as many nodes as need it.

    Args:
        name: Shown on the card; `Inputs` by default.
        ports: Port name to the Gradio component that asks for its value.

    Raises:
        GraphError: a port is no component.
    """

    def __init__(self, name: str | None = None, ports: Mapping[str, Any] | None = None) -> None:
        where = caller()
        if not isinstance(ports or {}, Mapping):
            raise GraphError(
                f"InputNode takes ports={{'topic': gr.Textbox()}}, components by port name; given: {ports!r}.",
                where=where,
            )
        given = dict(ports or {})
        if wrong := [f"{port} ({type(value).__name__})" for port, value in given.items() if not is_component(value)]:
            raise GraphError(
                f"The ports of an InputNode are Gradio components, such as gr.Textbox(). These are not: "
                f"{', '.join(wrong)}.",
                where=where,
            )
        self._spec = InputSpec(
            name=name or "Inputs",
            inputs={},
            outputs={port: read_component(component) for port, component in given.items()},
            where=where,
            default_name=not name,
        )
        warn_file_types(self._spec)
