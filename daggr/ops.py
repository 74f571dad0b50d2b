"""Questions to a person, ready to use.

```python
from daggr import ops

pick = ops.ChooseOne(inputs={"options": draw.images})
frame = FnNode(add_frame, inputs={"image": pick.selected})
```
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daggr.errors import UnknownInputError
from daggr.graph.component import Component
from daggr.graph.nodes.base import spec_of
from daggr.graph.nodes.interaction import InteractionNode, InteractionType
from daggr.graph.place import caller
from daggr.graph.port import Source, UnboundSource
from daggr.graph.validate import name_set, unknown_names


class _Question(InteractionNode):
    """An interaction whose ports are known beforehand."""

    def __init__(
        self,
        name: str | None,
        asked: InteractionType,
        inputs: Mapping[str, Any] | None,
        ports: dict[str, Source],
        outputs: dict[str, Component | None],
    ) -> None:
        wrong, hint = unknown_names(inputs or {}, ports)
        if wrong:
            raise UnknownInputError(
                f"Invalid input(s) {name_set(wrong)} for {type(self).__name__}. "
                + (f"{hint} " if hint else "")
                + f"Valid inputs: {name_set(ports)}",
                where=caller(),
            )
        super().__init__(name, asked, inputs)
        spec = spec_of(self)
        spec.name = name or asked
        spec.inputs = {**ports, **(spec.inputs if inputs else {})}
        spec.outputs = outputs


class ChooseOne(_Question):
    """A person chooses one of `options`, a list; `selected` is what they chose.

    Args:
        name: Shown on the card; `choose_one` by default.
        inputs: `{"options": …}`, or connect the port with `graph.edge`.
    """

    def __init__(self, name: str | None = None, *, inputs: Mapping[str, Any] | None = None) -> None:
        super().__init__(name, "choose_one", inputs, {"options": UnboundSource(optional=False)}, {"selected": None})


class Approve(_Question):
    """A person looks at `input` and lets it pass to `output`.

    Args:
        name: Shown on the card; `approve` by default.
        inputs: `{"input": …}`, or connect the port with `graph.edge`.
    """

    def __init__(self, name: str | None = None, *, inputs: Mapping[str, Any] | None = None) -> None:
        super().__init__(name, "approve", inputs, {"input": UnboundSource(optional=True)}, {"output": None})


class TextInput(_Question):
    """A person writes `text` when the workflow gets there.

    Args:
        name: Shown on the card; `text_input` by default.
        label: What is asked for.
    """

    def __init__(self, name: str | None = None, label: str = "Input") -> None:
        super().__init__(name, "text_input", None, {}, {"text": _asking("textbox", label)})


class ImageInput(_Question):
    """A person gives an `image` when the workflow gets there.

    Args:
        name: Shown on the card; `image_input` by default.
        label: What is asked for.
    """

    def __init__(self, name: str | None = None, label: str = "Image") -> None:
        super().__init__(name, "image_input", None, {}, {"image": _asking("image", label)})


def _asking(kind: str, label: str) -> Component:
    return Component(kind, {"label": label}, value=None, label=label, visible=True, source=None)
