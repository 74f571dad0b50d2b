"""InteractionNode: a step that waits for a person's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from daggr.errors import GraphError, did_you_mean
from daggr.graph.nodes.base import Kind, Node, NodeSpec, read_outputs, read_source, warn_file_types
from daggr.graph.place import caller
from daggr.graph.port import UnboundSource

InteractionType = Literal["generic", "approve", "choose_one", "text_input", "image_input"]
"""What a person is asked: to give any value, to approve or to choose what comes in, to write, or to give an image."""


@dataclass
class InteractionSpec(NodeSpec):
    """A question to a person."""

    kind: ClassVar[Kind] = "interaction"

    interaction_type: InteractionType = "generic"

    @property
    def subtitle(self) -> str:
        """What is asked."""
        return self.interaction_type.replace("_", " ")


class InteractionNode(Node):
    """Waits for a person's answer; what comes after it runs when it is there. `daggr.ops` has common ones ready.

    Args:
        name: Shown on the card; `interaction` by default.
        interaction_type: `generic`, `approve`, `choose_one`, `text_input` or `image_input`.
        inputs: What the person is shown: components, ports, fixed values or callables. One port `input` by default.
        outputs: Port name to component or None; the answer. One hidden port `output` by default.

    Raises:
        GraphError: there is no such type.
    """

    def __init__(
        self,
        name: str | None = None,
        interaction_type: InteractionType = "generic",
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        where = caller()
        if interaction_type not in (types := get_args(InteractionType)):
            raise GraphError(
                f"There is no interaction_type {interaction_type!r}. Available types: {', '.join(types)}. "
                f"{did_you_mean(str(interaction_type), types)}".rstrip(),
                where=where,
            )
        needed = interaction_type == "choose_one"
        self._spec = InteractionSpec(
            name=name or "interaction",
            inputs={port: read_source(value) for port, value in (inputs or {}).items()}
            or {"input": UnboundSource(optional=not needed)},
            outputs=read_outputs(outputs, where),
            where=where,
            default_name=not name,
            interaction_type=interaction_type,
        )
        warn_file_types(self._spec)
