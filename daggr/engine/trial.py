"""A trial: one node alone, drawn as a graph of its own, for `node.test()`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from daggr.engine.examples import example_inputs
from daggr.engine.hub.tasks import output_name
from daggr.engine.outputs import LISTS
from daggr.errors import GraphError, UnknownInputError
from daggr.graph.component import Component
from daggr.graph.draft import draw
from daggr.graph.drawing import Drawing, input_id
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.choice import ChoiceSpec
from daggr.graph.nodes.inference import InferenceSpec
from daggr.graph.port import EdgeSource, FixedSource, Source, UiSource
from daggr.graph.validate import name_set, unknown_names
from daggr.store.records import Run


def trial(spec: NodeSpec, given: Mapping[str, Any], folder: Path) -> tuple[Drawing, dict[str, Any]]:
    """A graph of one node, and the values of its inputs by input id.

    Inputs that are not given are examples, as `example_inputs` makes them. On a file input, a path is a file.

    Args:
        spec: The node; of a choice its first variant is tried.
        given: Values by port.
        folder: Where example files are put.

    Raises:
        UnknownInputError: a port that the node does not have.
        GraphError: the node does not run by itself; or an input has no example.
    """
    if spec.kind == "input":
        raise GraphError(f"{spec.name!r} only groups inputs: there is nothing to test.", where=spec.where)
    if isinstance(spec, ChoiceSpec):
        spec = next(iter(spec.variants.values()))
    wrong, hint = unknown_names(given, spec.inputs)
    if wrong:
        raise UnknownInputError(
            f"{spec.name!r} has no input(s) {name_set(wrong)}. {hint + ' ' if hint else ''}"
            f"Valid inputs: {name_set(spec.inputs)}",
            where=spec.where,
        )
    values = {**example_inputs(spec, folder, given), **given}
    sources: dict[str, Source] = {}
    inputs: dict[str, Any] = {}
    for port, source in spec.inputs.items():
        component = _component(source)
        if port not in values:
            sources[port] = source
        elif component is not None and (component.is_file or component.type in LISTS):
            sources[port] = UiSource(replace(component, source=object()))
            inputs[input_id(spec.name, port)] = values[port]
        else:
            sources[port] = FixedSource(values[port])
    return draw("test", None, [replace(spec, inputs=sources, serial=spec.serial)], []), inputs


def named(spec: NodeSpec, values: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """What a trial gave, by port. The only output of a model, if it was given none, is called after the task."""
    if isinstance(spec, InferenceSpec) and spec.bare and len(values) == 1:
        return {output_name(run.soft.get("task", "")): value for value in values.values()}
    return dict(values)


def _component(source: Source) -> Component | None:
    """The component that says what a port takes."""
    match source:
        case UiSource(component):
            return component
        case EdgeSource(port):
            outputs: Mapping[str, Component | None] = port.node._spec.outputs
            return outputs.get(port.name)
        case _:
            return None
