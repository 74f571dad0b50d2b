"""Ports: where values enter and leave a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from daggr.errors import GraphError
from daggr.graph.component import Component
from daggr.graph.place import caller


class PortOwner(Protocol):
    """What a port needs of its node."""

    _spec: Any

    @property
    def name(self) -> str:
        """The node's name."""


class Port:
    """A named place on a node. Give an output port as another node's input to connect them."""

    __slots__ = ("name", "node")

    def __init__(self, node: PortOwner, name: str) -> None:
        self.node = node
        self.name = name

    @property
    def each(self) -> NoReturn:
        """Scatter. Not built yet."""
        raise GraphError(
            f"{self!r}.each: scatter and gather are not built yet in this version of daggr.", where=caller()
        )

    def all(self) -> NoReturn:
        """Gather. Not built yet."""
        raise GraphError(
            f"{self!r}.all(): scatter and gather are not built yet in this version of daggr.", where=caller()
        )

    def __repr__(self) -> str:
        return f"Port({self.node.name}.{self.name})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Port) and other.node is self.node and other.name == self.name

    def __hash__(self) -> int:
        return hash((id(self.node), self.name))


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
    """The output port of another node."""

    port: Port


@dataclass(frozen=True)
class UnboundSource:
    """Nothing given yet: an edge may still come, else the function's default is used, if it has one."""

    optional: bool


Source = FixedSource | SampledSource | UiSource | EdgeSource | UnboundSource
