"""Edges: a value flows from an output port to an input port."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edge:
    """From `source.source_port` to `target.target_port`, all by name."""

    source: str
    source_port: str
    target: str
    target_port: str

    @property
    def id(self) -> str:
        """The edge's name on the wire and in records."""
        return f"{self.source}.{self.source_port}->{self.target}.{self.target_port}"
