"""Edges: a value flows from an output port to an input port, as a whole, item by item, or gathered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OnItemError = Literal["fail", "skip"]


@dataclass(frozen=True)
class Take:
    """What an input port takes of the value that comes to it.

    Attributes:
        mode: `whole` takes it as it is, `each` takes its items one after the other, `all` takes what every run of a
            scattered node gave, as a list.
        key: Of each item only this field or index.
        on_item_error: Whether a gather fails when items failed, or leaves them out.
    """

    mode: Literal["whole", "each", "all"] = "whole"
    key: str | int | None = None
    on_item_error: OnItemError = "fail"


WHOLE = Take()


@dataclass(frozen=True)
class Edge:
    """From `source.source_port` to `target.target_port`, all by name."""

    source: str
    source_port: str
    target: str
    target_port: str
    take: Take = WHOLE

    @property
    def id(self) -> str:
        """The edge's name on the wire and in records."""
        return f"{self.source}.{self.source_port}->{self.target}.{self.target_port}"
