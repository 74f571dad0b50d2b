"""ItemList: an output that is a list of items with named fields, each shown and edited in a component of its own."""

from __future__ import annotations

import warnings
from typing import Any

from daggr.errors import GraphError
from daggr.graph.component import ITEM_LIST, Component, is_component, read_component
from daggr.graph.place import caller

_OF_PORTS = frozenset({"all", "each", "name", "node"})


class ItemList:
    """An editable list: `outputs={"items": ItemList(speaker=gr.Dropdown([…]), text=gr.Textbox())}`.

    The function returns a list of dicts. `node.items.text` gives each item's `text` to another node, which runs once
    for every item; it is short for `node.items.each["text"]`.

    Raises:
        GraphError: there is no field, or one that is no component.
    """

    def __init__(self, **schema: Any) -> None:
        wrong = [name for name, component in schema.items() if not is_component(component)]
        if wrong or not schema:
            given = ", ".join(f"{name}={schema[name]!r}" for name in wrong) or "none"
            raise GraphError(
                f"An ItemList has one Gradio component for each field, such as text=gr.Textbox(); given: {given}.",
                where=caller(),
            )
        self.schema = schema
        if hidden := sorted(_OF_PORTS & set(schema)):
            warnings.warn(
                f"A port has an attribute {hidden[0]!r} of its own: write port.each[{hidden[0]!r}] for that field.",
                stacklevel=2,
            )


def read_item_list(source: ItemList) -> Component:
    """An item list as the component that shows it."""
    read = {name: read_component(component) for name, component in source.schema.items()}
    return Component(
        type=ITEM_LIST,
        config={"schema": {name: {"type": field.type, "config": field.config} for name, field in read.items()}},
        value=None,
        label=None,
        visible=True,
        source=source,
    )
