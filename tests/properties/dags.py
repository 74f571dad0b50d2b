"""Strategies of graphs: any shape, any order of making the nodes and of drawing the edges."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from daggr.graph.graph import Graph
from daggr.graph.nodes.fn import FnNode
from tests.handmade import Field, step


@dataclass(frozen=True)
class Shape:
    """What a graph should be: each node's parents, who takes an input, and in which order it is all made."""

    parents: tuple[frozenset[int], ...]
    with_input: frozenset[int]
    made: tuple[int, ...]

    @property
    def names(self) -> list[str]:
        return [f"n{number}" for number in range(len(self.parents))]

    @property
    def edges(self) -> set[tuple[str, str]]:
        """(parent, child) by name."""
        return {(f"n{up}", f"n{down}") for down, above in enumerate(self.parents) for up in above}

    def below(self, name: str) -> set[str]:
        """The nodes that depend on a node, without itself."""
        return below(self.edges, name)


def below(edges: set[tuple[str, str]], name: str) -> set[str]:
    """What can be reached along (parent, child) edges."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        at = waiting.pop()
        new = {down for up, down in edges if up == at} - found
        found |= new
        waiting += new
    return found


@st.composite
def shapes(draw: st.DrawFn, most: int = 7) -> Shape:
    count = draw(st.integers(1, most))
    parents = tuple(
        frozenset(draw(st.sets(st.integers(0, number - 1), max_size=3))) if number else frozenset()
        for number in range(count)
    )
    with_input = frozenset(draw(st.sets(st.integers(0, count - 1))))
    return Shape(parents, with_input, tuple(draw(st.permutations(range(count)))))


def build(shape: Shape) -> Graph:
    """The graph of a shape. Every node has a definition and, where it takes one, an input `text` of its own."""
    nodes: dict[int, FnNode] = {}
    for number in shape.made:
        inputs = {f"from_{parent}": None for parent in shape.parents[number]}
        if number in shape.with_input:
            inputs["text"] = Field(f"default {number}")
        nodes[number] = FnNode(step(number), name=f"n{number}", inputs=inputs)
    graph = Graph("Any", nodes=nodes.values())
    for number in shape.made:
        for parent in sorted(shape.parents[number]):
            graph.edge(nodes[parent].output, nodes[number].ports[f"from_{parent}"])
    return graph
