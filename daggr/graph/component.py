"""A Gradio component, read by duck typing: daggr shows and feeds it without importing Gradio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FILE_TYPES = frozenset({"image", "audio", "video", "file", "model3d", "downloadbutton", "uploadbutton"})
"""Block names whose value is one file."""

NAMED_FILE_TYPES = frozenset({"file", "downloadbutton", "uploadbutton"})
"""File types that keep the file's own name; the others are named after their port."""

ITEM_LIST = "itemlist"
"""The type of an output that is an `ItemList`."""

CHOICE = "choice"
"""The type of an input that selects a variant; daggr makes it up."""

_NUMBER_TYPES = frozenset({"number", "slider"})
_EXACT_IN_JSON = 2**53


@dataclass(frozen=True)
class Component:
    """What daggr knows of a component.

    Attributes:
        type: Gradio's block name, such as `textbox`.
        config: What Gradio's front end would receive, without the value.
        value: The default value.
        label: The label, or None.
        visible: False when it has no widget.
        source: The component object; two ports given one object share one input.
    """

    type: str
    config: Mapping[str, Any] = field(repr=False)
    value: Any
    label: str | None
    visible: bool
    source: Any = field(repr=False)

    @property
    def is_file(self) -> bool:
        """Whether its value is a file."""
        return self.type in FILE_TYPES

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of an `ItemList`'s items; none for all else."""
        return tuple(self.config["schema"]) if self.type == ITEM_LIST else ()

    def argument(self, name: str) -> Any:
        """What the script gave for an argument of the component; None where it gave nothing."""
        given = getattr(self.source, "_constructor_args", None)
        return given[0].get(name) if given else None

    def normalise(self, value: Any) -> Any:
        """The value a function receives. JSON from a browser cannot tell 5.0 from 5, so whole numbers are ints.

        A variant may be given by its number, as clients of 0.8 do.
        """
        if self.type == CHOICE and type(value) is int and 0 <= value < len(self.config["choices"]):
            return self.config["choices"][value]
        if self.type not in _NUMBER_TYPES or type(value) is not float:
            return value
        if self.config.get("precision") == 0 and abs(value) < _EXACT_IN_JSON:
            return round(value)
        return int(value) if value.is_integer() and abs(value) < _EXACT_IN_JSON else value


def is_component(value: object) -> bool:
    """Whether this is a Gradio component (an instance, not a class)."""
    return (
        not isinstance(value, type)
        and callable(getattr(value, "get_block_name", None))
        and callable(getattr(value, "get_config", None))
    )


def is_component_class(value: object) -> bool:
    """Whether this is the class of a Gradio component, where one of it was meant."""
    return isinstance(value, type) and hasattr(value, "get_block_name") and hasattr(value, "get_config")


def read_component(source: Any) -> Component:
    """Read a component that `is_component` recognised."""
    config = dict(source.get_config())
    value = config.pop("value", None)
    visible = config.get("visible", True)
    return Component(
        type=str(source.get_block_name()),
        config=config,
        value=getattr(source, "value", value),
        label=config.get("label"),
        visible=visible is not False and visible != "hidden",
        source=source,
    )
