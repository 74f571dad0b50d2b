"""Examples: values for the inputs of a node that is tried by itself, with `node.test()`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from daggr.engine.example_files import example_file
from daggr.engine.runners.failure import failed
from daggr.errors import GraphError
from daggr.graph.component import Component, is_component, read_component
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.port import EdgeSource, FixedSource, SampledSource, Source, UiSource, UnboundSource

_SUFFIXES = {"image": ".png", "audio": ".wav", "video": ".mp4", "model3d": ".obj"}
_ADDRESS = re.compile(r"https?://\S+?(\.\w+)$")
_HOLDERS = frozenset({"gallery", "imageslider", "imageeditor", "annotatedimage", "multimodaltextbox"})
"""Components that are no files, whose examples have addresses of files in them."""

_NONE = object()


def example_inputs(spec: NodeSpec, folder: Path | None = None, given: Collection[str] = ()) -> dict[str, Any]:
    """A value for each input of a node: fixed ones as they are, callables called, components by their example.

    What comes from another node is the example of the component that shows it there. Examples of files are small files
    of daggr's own. An input that the function has a default for is left out.

    Args:
        spec: The node.
        folder: Where example files are put; a new temporary folder if none is given.
        given: Ports that need no example.

    Raises:
        GraphError: inputs without an example, all of them named.
        NodeFailedError: a callable failed.
    """
    values: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for port, source in spec.inputs.items():
        if port in given or (isinstance(source, UnboundSource) and source.optional):
            continue
        value = _example(spec, port, source, folder)
        if value is _NONE:
            missing[port] = f"{port!r}{_origin(source)}"
        else:
            values[port] = value
    if missing:
        raise GraphError(
            f"{spec.name!r} has no example for {', '.join(missing.values())}.",
            f"Give {'them' if len(missing) > 1 else 'it'}: test({', '.join(f'{port}=…' for port in missing)})",
            spec.where,
        )
    return values


def _origin(source: Source) -> str:
    return f", which comes from {source.port.node.name}.{source.port.name}" if isinstance(source, EdgeSource) else ""


def _example(spec: NodeSpec, port: str, source: Source, folder: Path | None) -> Any:
    match source:
        case FixedSource(value):
            return value
        case SampledSource(provider):
            try:
                return provider()
            except Exception as error:
                raise failed(spec, error, f"{source.name}, which gives {port!r} of ") from error
        case UiSource(component):
            value = example_value(component, folder)
            value = component.value if value is None else value
            return _NONE if value is None and component.is_file else value
        case EdgeSource():
            return _upstream(source, folder)
    return _NONE


def _upstream(source: EdgeSource, folder: Path | None) -> Any:
    """An example of what an edge brings: of the whole value, of an item or its field, or of a list of values."""
    component: Component | None = source.port.node._spec.outputs.get(source.port.name)
    if component is None:
        return _NONE
    value, take = example_value(component, folder), source.take
    if value is None:
        return _NONE
    if take.mode == "all":
        return [value]
    if take.mode == "whole":
        return value
    if not isinstance(value, (list, tuple)):
        return _NONE
    try:
        return value[0] if take.key is None else value[0][take.key]
    except (LookupError, TypeError):
        return _NONE


def example_value(component: Component, folder: Path | None = None) -> Any:
    """An example of a component's value, with a file of daggr's own where it is one; None if there is none."""
    if component.fields:
        schema = component.source.schema
        return [{name: example_value(read_component(field), folder) for name, field in schema.items()}]
    if component.is_file:
        path = _file(_suffix(component), folder)
        return [path] if path is not None and component.argument("file_count") in ("multiple", "directory") else path
    if not is_component(component.source) or not callable(getattr(component.source, "example_value", None)):
        return None
    try:
        value = component.source.example_value()
    except Exception:  # noqa: BLE001  (a component without an example: custom ones need not have one)
        return None
    return _local(value, folder) if component.type in _HOLDERS else value


def _suffix(component: Component) -> str:
    """What kind of file a component takes."""
    accepted = component.argument("file_types")
    first = accepted[0] if isinstance(accepted, (list, tuple)) and accepted else ""
    return _SUFFIXES.get(component.type) or _SUFFIXES.get(first) or (first if first.startswith(".") else ".txt")


def _file(suffix: str, folder: Path | None) -> str | None:
    path = example_file(suffix, folder or Path(tempfile.mkdtemp(prefix="daggr-example-")))
    return None if path is None else str(path)


def _local(value: Any, folder: Path | None) -> Any:
    """A value with a file in place of each address of one."""
    if isinstance(value, str):
        address = _ADDRESS.fullmatch(value)
        return _file(address[1], folder) if address else value
    if isinstance(value, dict):
        return {name: _local(part, folder) for name, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)([_local(part, folder) for part in value])
    return value
