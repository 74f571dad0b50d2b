"""What all nodes have in common.

A `Node` is the face that scripts see. Since any string is a legal port name, it keeps no public attributes of its own
but `name`, `ports` and `test`; everything else it knows is in its `NodeSpec`, which `spec_of` hands to the engine.
"""

from __future__ import annotations

import itertools
import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Literal, NamedTuple

from daggr import runtime
from daggr.errors import GraphError, UnknownPortError, did_you_mean
from daggr.graph.component import Component, is_component, is_component_class, read_component
from daggr.graph.item_list import ItemList, read_item_list
from daggr.graph.place import caller
from daggr.graph.port import FixedSource, Port, PortOwner, SampledSource, Source, UiSource, edge_source

_serial = itertools.count()
_last_made = 0.0


def _next_serial() -> int:
    global _last_made
    _last_made = time.time()
    return next(_serial)


def last_made() -> float:
    """When the last node was made: the modules of its function had been loaded by then."""
    return _last_made


class Repo(NamedTuple):
    """A Space or model on the Hugging Face Hub: `Repo("space", "owner/name")`."""

    kind: Literal["space", "model"]
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


Kind = Literal["fn", "gradio", "inference", "interaction", "choice", "input"]
"""The kinds of nodes there are."""


@dataclass
class NodeSpec:
    """A node as the user drew it.

    Attributes:
        name: Unique within a graph; the API and the canvas use it.
        inputs: Where each input port's value comes from, in the order given.
        outputs: The component that shows each output port, or None.
        where: The line of the script that made the node, such as `app.py:14`.
        serial: Counts up with every node made; orders nodes of equal default names.
        default_name: True while the name is the one daggr chose.
        cache: False when results are never looked up, or the age from which on they are not.
        timeout: After how many seconds an execution is given up; None never.
    """

    kind: ClassVar[Kind]

    name: str
    inputs: dict[str, Source]
    outputs: dict[str, Component | None]
    preprocess: Callable[[dict[str, Any]], Any] | None = None
    postprocess: Callable[..., Any] | None = None
    where: str | None = None
    serial: int = field(default_factory=_next_serial)
    default_name: bool = False
    cache: bool | timedelta = True
    timeout: float | None = None

    @property
    def subtitle(self) -> str:
        """What the node calls, for its card."""
        return ""

    @property
    def group(self) -> tuple[str | None, int]:
        """The concurrency group it is in and the limit it gives that group."""
        return None, 1

    @property
    def link(self) -> str | None:
        """Where the thing it calls can be seen, if on the web."""
        return None

    @property
    def repo(self) -> Repo | None:
        """What it calls on the Hugging Face Hub, if anything."""
        return None


class Node:
    """A step of a workflow. Its ports are attributes: `node.image` is the output port `image`.

    `node.name` can be set. `node.ports["16bit"]` reaches ports whose name is no Python name.
    """

    _spec: NodeSpec
    _join: ClassVar[Callable[[Node, Any], Node]]
    """Makes the choice of `a | b`; nodes/choice.py gives it, since choices are nodes, too."""

    @property
    def name(self) -> str:
        """The node's name, unique within its graph."""
        return self._spec.name

    @name.setter
    def name(self, value: str) -> None:
        if not isinstance(value, str) or not value.strip():
            raise GraphError(f"A node's name is a text that is not empty; given: {value!r}.", where=self._spec.where)
        self._spec.name = value
        self._spec.default_name = False

    @property
    def ports(self) -> dict[str, Port]:
        """All ports by name, outputs first."""
        spec = self._spec
        return {name: Port(self, name) for name in (*spec.outputs, *spec.inputs)}

    def test(self, **inputs: Any) -> dict[str, Any]:
        """Run this node alone, uncached, and return `{port: value}`; files as paths.

        Inputs not given take their fixed value, are sampled, or take the component's example value.

        Raises:
            UnknownInputError: an input that the node does not have.
            NodeFailedError, RemoteError: the node failed.
        """
        return runtime.current().test(self, inputs)

    def __getattr__(self, name: str) -> Port:
        if name.startswith("_"):
            raise AttributeError(name)
        spec = self._spec
        if name in spec.outputs or name in spec.inputs:
            return Port(self, name)
        raise no_output(spec, name, caller())

    def __or__(self, other: Any) -> Node:
        return Node._join(self, other)

    def __dir__(self) -> list[str]:
        return ["name", "ports", "test", *self.ports]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


def spec_of(node: PortOwner) -> NodeSpec:
    """What the user said of a node."""
    spec: NodeSpec = node._spec
    return spec


def no_output(spec: NodeSpec, name: str, where: str | None, called: str = "") -> UnknownPortError:
    """The error of an output port that a node, or what it is called here, does not have."""
    outputs = list(spec.outputs)
    return UnknownPortError(
        f"Output port {name!r} not found on {called or f'node {spec.name!r}'}. "
        f"Available outputs: {', '.join(outputs) or 'none'}. {did_you_mean(name, outputs)}".rstrip(),
        where=where,
    )


def read_source(value: Any) -> Source:
    """Where an input's value comes from, told from what the script gave.

    Raises:
        GraphError: a node, an `ItemList` or a method of a port was given.
    """
    if (edge := edge_source(value)) is not None:
        return edge
    if isinstance(value, Node):
        outputs = list(spec_of(value).outputs)
        raise GraphError(
            f"A node was given as an input: {value!r}. Give one of its output ports: "
            + ", ".join(f"{value.name}.{name}" for name in outputs),
            where=caller(),
        )
    if isinstance(value, ItemList):
        raise GraphError(
            "An ItemList was given as an input; it shows an output. Take a list as gr.JSON(), for instance.",
            where=caller(),
        )
    if is_component(value):
        return UiSource(read_component(value))
    if is_component_class(value):
        raise GraphError(
            f"A class was given as an input: {value.__name__}.", f"Make one: gr.{value.__name__}(…).", caller()
        )
    if callable(value) and not isinstance(value, type):
        return SampledSource(value)
    return FixedSource(value)


def read_outputs(outputs: Mapping[str, Any] | None, where: str | None) -> dict[str, Component | None]:
    """The output ports with the components that show them; without any, one hidden port `output`.

    Raises:
        GraphError: an output is neither a component, an `ItemList` nor None.
    """
    given = read_ports("outputs", outputs, where) or {"output": None}
    return {name: _read_output(name, value, where) for name, value in given.items()}


def read_ports(argument: str, given: Any, where: str | None) -> Mapping[str, Any]:
    """What `inputs=` or `outputs=` says: a dict by port.

    Raises:
        GraphError: it is none.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise GraphError(
            f"{argument} is a dict with a name for each port; given: {given!r}.",
            f"Such as {argument}={{'text': gr.Textbox()}}.",
            where,
        )
    return given


def read_hook(argument: str, given: Any, where: str | None) -> Callable[..., Any] | None:
    """What `preprocess=` or `postprocess=` says.

    Raises:
        GraphError: it is no function.
    """
    if given is None or callable(given):
        return given  # type: ignore[no-any-return]
    raise GraphError(f"{argument} is a function; given: {given!r}.", where=where)


def _read_output(name: str, value: Any, where: str | None) -> Component | None:
    if value is None:
        return None
    if isinstance(value, ItemList):
        return read_item_list(value)
    if is_component(value):
        return read_component(value)
    raise GraphError(
        f"Output {name!r} is given {value!r}; an output is a Gradio component or an ItemList (shown on the card), or "
        "None (hidden, still connectable).",
        where=where,
    )


def read_seconds(name: str, given: Any, where: str | None) -> float | None:
    """What an argument such as `timeout=` says.

    Raises:
        GraphError: it is neither None nor a number of seconds greater than zero.
    """
    if given is None or (type(given) in (int, float) and 0 < given < math.inf):
        return given  # type: ignore[no-any-return]
    raise GraphError(f"{name} is a number of seconds greater than zero; given: {given!r}.", where=where)


def read_cache(given: Any, where: str | None) -> bool | timedelta:
    """What `cache=` says.

    Raises:
        GraphError: it is neither True, False nor an age greater than zero.
    """
    if isinstance(given, bool) or (isinstance(given, timedelta) and given > timedelta(0)):
        return given
    raise GraphError(
        f"cache={given!r}: give True, False (always run), or a timedelta greater than zero (run again when older).",
        where=where,
    )


def warn_file_types(spec: NodeSpec) -> None:
    """Warn of `type=` on file components: files travel as paths, whatever it says."""
    found = [(port, source.component) for port, source in spec.inputs.items() if isinstance(source, UiSource)]
    found += [(port, component) for port, component in spec.outputs.items() if component is not None]
    ignored = [
        f"{port}: type={given!r}"
        for port, component in found
        if component.is_file and (given := component.argument("type")) not in (None, "filepath")
    ]
    if ignored:
        warnings.warn(
            f"Files travel as path strings; ignored on node {spec.name!r} ({spec.where}): {', '.join(ignored)}",
            stacklevel=3,
        )
