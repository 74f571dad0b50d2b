"""Ports: where values enter and leave a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from daggr.errors import GraphError, ScatterError, UnknownPortError, did_you_mean
from daggr.graph.component import Component
from daggr.graph.edge import WHOLE, OnItemError, Take
from daggr.graph.place import caller


class PortOwner(Protocol):
    """What a port needs of its node."""

    _spec: Any

    @property
    def name(self) -> str:
        """The node's name."""


class Port:
    """A named place on a node. Give an output port as another node's input to connect them.

    A field of a port whose output is an `ItemList` is an attribute: `dialogue.items.text` is
    `dialogue.items.each["text"]`.
    """

    __slots__ = ("name", "node")

    def __init__(self, node: PortOwner, name: str) -> None:
        self.node = node
        self.name = name

    @property
    def each(self) -> ScatteredPort:
        """Scatter: the node that takes it runs once for every item. `each["text"]` takes one field of every item."""
        return ScatteredPort(self)

    def all(self, on_item_error: OnItemError = "fail") -> GatheredPort:
        """Gather: the node that takes it gets the list of what all runs of this port's node gave.

        Args:
            on_item_error: `fail` when items failed, or `skip` them.

        Raises:
            ScatterError: `on_item_error` is neither.
        """
        if on_item_error not in ("fail", "skip"):
            raise ScatterError(f"on_item_error is 'fail' or 'skip'; given: {on_item_error!r}.", where=caller())
        return GatheredPort(self, on_item_error)

    def __getattr__(self, name: str) -> ScatteredPort:
        if name.startswith("_") or name in Port.__slots__:
            raise AttributeError(name)
        if name in (fields := _fields(self)):
            return ScatteredPort(self, name)
        raise _no_field(self, name, fields)

    def __dir__(self) -> list[str]:
        return ["all", "each", "name", "node", *_fields(self)]

    def __repr__(self) -> str:
        return f"Port({self.node.name}.{self.name})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Port) and other.node is self.node and other.name == self.name

    def __hash__(self) -> int:
        return hash((id(self.node), self.name))


@dataclass(frozen=True)
class ScatteredPort:
    """The items of a port's list, or one field of each. Made by `port.each`."""

    port: Port
    key: str | int | None = None

    __iter__ = None
    """Without this Python would ask for item after item, without an end."""

    @property
    def node(self) -> PortOwner:
        """The node of the port."""
        return self.port.node

    @property
    def name(self) -> str:
        """The name of the port."""
        return self.port.name

    @property
    def take(self) -> Take:
        """What an input takes that it is given to."""
        return Take("each", self.key)

    def __getitem__(self, key: str | int) -> ScatteredPort:
        if self.key is not None or isinstance(key, bool) or not isinstance(key, (str, int)):
            raise ScatterError(
                f"{self!r}[{key!r}]: .each takes one key, a text or a whole number.",
                "Take the rest in the function, or give it in a node between.",
                caller(),
            )
        return ScatteredPort(self.port, key)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise UnknownPortError(
            f"{self!r} has no attribute {name!r}.", f"Write .each[{name!r}] for a field of every item.", caller()
        )

    def __repr__(self) -> str:
        return f"{self.port.node.name}.{self.port.name}.each" + (f"[{self.key!r}]" if self.key is not None else "")


@dataclass(frozen=True)
class GatheredPort:
    """What all runs of a scattered node gave on a port, as a list. Made by `port.all()`."""

    port: Port
    on_item_error: OnItemError = "fail"

    @property
    def node(self) -> PortOwner:
        """The node of the port."""
        return self.port.node

    @property
    def name(self) -> str:
        """The name of the port."""
        return self.port.name

    @property
    def take(self) -> Take:
        """What an input takes that it is given to."""
        return Take("all", on_item_error=self.on_item_error)

    def __repr__(self) -> str:
        return f"{self.port.node.name}.{self.port.name}.all()"


PortLike = Port | ScatteredPort | GatheredPort
"""What can be given to another node's input."""


def _fields(port: Port) -> tuple[str, ...]:
    component: Component | None = port.node._spec.outputs.get(port.name)
    return component.fields if component is not None else ()


def _no_field(port: Port, name: str, fields: tuple[str, ...]) -> UnknownPortError:
    place = f"{port.node.name}.{port.name}"
    if fields:
        message = f"{place} has no field {name!r}. Its fields: {', '.join(fields)}. {did_you_mean(name, fields)}"
        return UnknownPortError(message.rstrip(), where=caller())
    return UnknownPortError(
        f"{place} is a port; it has no attribute {name!r}. {did_you_mean(name, ('each', 'all'))}".rstrip(),
        f"Fields come with an ItemList. For one field of every item of a list write {place}.each[{name!r}].",
        caller(),
    )


# ---------------------------------------------------------------- where an input's value comes from


@dataclass(frozen=True)
class FixedSource:
    """A constant of the script."""

    value: Any


@dataclass(frozen=True)
class SampledSource:
    """A callable that is called anew for every execution, such as `random.random`."""

    provider: Any

    @property
    def name(self) -> str:
        """How the card names it."""
        function = self.provider
        name = getattr(function, "__name__", None) or type(function).__name__
        module = getattr(function, "__module__", None) or getattr(
            type(getattr(function, "__self__", None)), "__module__", ""
        )
        return name if module in ("", "builtins", "__main__", None) else f"{module}.{name}"


@dataclass(frozen=True)
class UiSource:
    """A component: a person (or the API) sets the value."""

    component: Component


@dataclass(frozen=True)
class EdgeSource:
    """The output port of another node, and what is taken of it."""

    port: Port
    take: Take = WHOLE


@dataclass(frozen=True)
class UnboundSource:
    """Nothing given yet: an edge may still come, else the function's default is used, if it has one."""

    optional: bool


Source = FixedSource | SampledSource | UiSource | EdgeSource | UnboundSource


def edge_source(value: object) -> EdgeSource | None:
    """The port that a script gave; None if it gave something else.

    Raises:
        GraphError: a method of a port was given.
    """
    if isinstance(value, Port):
        return EdgeSource(value)
    if isinstance(value, (ScatteredPort, GatheredPort)):
        return EdgeSource(value.port, value.take)
    if isinstance(port := getattr(value, "__self__", None), Port):
        raise GraphError(f"{port.node.name}.{port.name}.all is a method: write .all().", where=caller())
    return None
