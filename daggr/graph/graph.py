"""Graph: nodes and edges under a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from daggr import runtime
from daggr.errors import DuplicateNodeError, GraphError, UnknownPortError, did_you_mean
from daggr.graph.drawing import Drawing, draw, topological
from daggr.graph.edge import Edge
from daggr.graph.nodes.base import Node, NodeSpec, spec_of
from daggr.graph.place import caller
from daggr.graph.port import EdgeSource, Port, PortOwner
from daggr.graph.schema import api_schema

CacheMode = Literal["use", "refresh", "only"]


class Graph:
    """A workflow: nodes, connected through their ports.

    Args:
        name: Shown in the title bar.
        nodes: The nodes; those that they need, through their ports, are added by themselves.
        persist_key: Under which name results and sheets are kept. By default the name in lower case with `_` for
            everything that is no letter or digit; False keeps nothing.

    Raises:
        GraphError: there is no name, or something else than nodes was given.
        DuplicateNodeError: two nodes were given the same name.
        CycleError: nodes feed each other in a circle.
    """

    def __init__(
        self, name: str, nodes: Iterable[Node] | None = None, persist_key: str | Literal[False] | None = None
    ) -> None:
        where = caller()
        if not isinstance(name, str) or not name.strip():
            raise GraphError(f"A graph needs a name, such as Graph('Podcast generator'); given: {name!r}.", where=where)
        if persist_key in ("", True):
            raise GraphError(f"persist_key is a name or False; given: {persist_key!r}.", where=where)
        self.name = name
        self._nodes: list[Node] = []
        self._edges: dict[tuple[int, str], Port] = {}
        self._drawing: tuple[tuple[str, ...], Drawing] | None = None
        self.persist_key = (_slug(name) if persist_key is None else persist_key) or None
        self._include(list(nodes or []), where)

    # ------------------------------------------------------------ building

    def add(self, node: Node) -> Graph:
        """Add a node and those it needs. Returns the graph.

        Raises:
            DuplicateNodeError: another node has its name; the graph stays as it was.
        """
        with self._all_or_nothing():
            self._include([node], caller())
        return self

    def edge(self, source: Port, target: Port) -> Graph:
        """Connect an output port with an input port, in place of what the input had before. Returns the graph.

        Raises:
            UnknownPortError: `source` is no output port or `target` no input port.
            CycleError: the edge would close a circle; the graph stays as it was.
        """
        where = caller()
        _check_port(source, "output", where)
        _check_port(target, "input", where)
        with self._all_or_nothing():
            self._include([source.node, target.node], where)
            self._edges[id(target.node), target.name] = source
            topological({node.name: spec_of(node) for node in self._nodes}, self._edge_list())
        return self

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        nodes, edges = list(self._nodes), dict(self._edges)
        try:
            yield
        except GraphError:
            self._nodes, self._edges = nodes, edges
            raise

    def _include(self, nodes: Sequence[PortOwner], where: str | None) -> None:
        known = {id(node) for node in self._nodes}
        taken = {node.name: spec_of(node) for node in self._nodes}
        for node in _sorted_by_serial(_with_ancestors(nodes, where)):
            if id(node) not in known:
                self._take(node, taken)

    def _take(self, node: Node, taken: dict[str, NodeSpec]) -> None:
        spec = spec_of(node)
        if spec.name in taken:
            if not spec.default_name:
                raise DuplicateNodeError(
                    f"Two nodes are named {spec.name!r}: at {taken[spec.name].where} and at {spec.where}.",
                    "Give one of them another name=….",
                    spec.where,
                )
            spec.name = next(name for n in range(1, len(taken) + 2) if (name := f"{spec.name}_{n}") not in taken)
        self._nodes.append(node)
        taken[spec.name] = spec

    # ------------------------------------------------------------ reading

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self._nodes}

    def _draw(self) -> Drawing:
        signature = (*(node.name for node in self._nodes), *(f"{edge}" for edge in self._edge_list()))
        if self._drawing is None or self._drawing[0] != signature:
            self._check_names()
            made = draw(self.name, self.persist_key, [spec_of(node) for node in self._nodes], self._edge_list())
            self._drawing = (signature, made)
        return self._drawing[1]

    def _check_names(self) -> None:
        seen: dict[str, Node] = {}
        for node in self._nodes:
            if (other := seen.setdefault(node.name, node)) is not node:
                raise DuplicateNodeError(
                    f"Two nodes are named {node.name!r}: at {spec_of(other).where} and at {spec_of(node).where}.",
                    "Give one of them another name.",
                    spec_of(node).where,
                )

    def _edge_list(self) -> list[Edge]:
        edges = []
        for node in self._nodes:
            for name, source in spec_of(node).inputs.items():
                port = self._edges.get((id(node), name)) or (source.port if isinstance(source, EdgeSource) else None)
                if port is not None:
                    edges.append(Edge(port.node.name, port.name, node.name, name))
        return edges

    def get_entry_nodes(self) -> list[Node]:
        """The nodes that no edge feeds."""
        fed = {edge.target for edge in self._edge_list()}
        return [node for node in self._nodes if node.name not in fed]

    def get_execution_order(self) -> list[str]:
        """The names of the nodes, each after those it needs."""
        return list(self._draw().nodes)

    def get_connections(self) -> list[tuple[str, str, str, str]]:
        """The edges as (source node, its port, target node, its port)."""
        return [(e.source, e.source_port, e.target, e.target_port) for e in self._edge_list()]

    def get_subgraphs(self) -> list[set[str]]:
        """The names of connected nodes, a set for each connected part."""
        return [set(subgraph.nodes) for subgraph in self._draw().subgraphs]

    def get_output_nodes(self) -> list[str]:
        """The names of the nodes that feed no other."""
        return [name for subgraph in self._draw().subgraphs for name in subgraph.outputs]

    def get_api_schema(self) -> dict[str, Any]:
        """The inputs and outputs of the REST API, as `GET /api/schema` answers them."""
        return api_schema(self._draw())

    # ------------------------------------------------------------ doing

    def launch(self, **options: Any) -> Any:
        """Serve the canvas and the API, until interrupted.

        Options: `host`, `port`, `open_browser`, `store`; each as on the command line, which wins.

        Raises:
            EndpointError: a GradioNode's endpoint does not exist or does not take what it is given.
            ConfigError: an option cannot be used.
        """
        return runtime.current().launch(self, options)

    def run(self, inputs: Mapping[str, Any] | None = None, cache: CacheMode = "use") -> dict[str, dict[str, Any]]:
        """Run the workflow without a server and return `{node: {port: value}}` of its output nodes; files as paths.

        Args:
            inputs: Values by input id, `{"node__port": value}`; the others keep their default.
            cache: `use` known results; `refresh` executes all anew; `only` fails where a result is not known.

        Raises:
            UnknownInputError: an input id that the graph does not have.
            NodeFailedError, RemoteError: a node failed.
            NotCachedError: `only`, and a result is not known.
        """
        return runtime.current().run(self, inputs or {}, cache)

    def __repr__(self) -> str:
        return f"Graph({self.name!r}, {len(self._nodes)} nodes)"


def drawing_of(graph: Graph) -> Drawing:
    """The graph as the engine reads it: checked, ordered, unchanging."""
    return graph._draw()


def _check_port(port: Port, role: Literal["input", "output"], where: str | None) -> None:
    if not isinstance(port, Port):
        raise GraphError(f"graph.edge connects ports, such as node.image; given: {port!r}.", where=where)
    spec = spec_of(port.node)
    valid = list(spec.outputs if role == "output" else spec.inputs)
    if port.name not in valid:
        raise UnknownPortError(
            f"Node {port.node.name!r} has no {role} port {port.name!r}. Its {role} ports: "
            f"{', '.join(valid) or 'none'}. {did_you_mean(port.name, valid)}".rstrip(),
            where=where,
        )


def _slug(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_") or "graph"


def _with_ancestors(nodes: Sequence[PortOwner], where: str | None) -> list[Node]:
    found: dict[int, Node] = {}
    waiting = list(reversed(nodes))
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Node):
            raise GraphError(f"A graph is made of nodes; given: {node!r}.", where=where)
        if id(node) in found:
            continue
        found[id(node)] = node
        spec = spec_of(node)
        for source in spec.inputs.values():
            if isinstance(source, EdgeSource):
                source_spec = spec_of(source.port.node)
                if source.port.name not in source_spec.outputs:
                    outputs = list(source_spec.outputs)
                    raise UnknownPortError(
                        f"Output port {source.port.name!r} not found on node {source_spec.name!r}. Available outputs: "
                        f"{', '.join(outputs) or 'none'}. {did_you_mean(source.port.name, outputs)}".rstrip(),
                        where=spec.where,
                    )
                waiting.append(source.port.node)
    return list(found.values())


def _sorted_by_serial(nodes: list[Node]) -> list[Node]:
    return sorted(nodes, key=lambda node: spec_of(node).serial)
