"""Graph: nodes and edges under a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any, Literal

from daggr import runtime
from daggr.errors import DuplicateNodeError, GraphError, UnknownPortError, did_you_mean
from daggr.graph.draft import Connection, draw, topological
from daggr.graph.drawing import Drawing
from daggr.graph.edge import Edge
from daggr.graph.nodes.base import Node, NodeSpec, no_output, spec_of
from daggr.graph.nodes.choice import ChoiceSpec, variants_of
from daggr.graph.place import caller
from daggr.graph.port import EdgeSource, Port, PortLike, PortOwner, edge_source
from daggr.graph.schema import api_schema

CacheMode = Literal["use", "refresh", "only", "off"]


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
        self._known: set[int] = set()
        self._edges: dict[tuple[int, str], EdgeSource] = {}
        """What `edge` connected, by the input's spec and port. A choice's own stands for all of its variants."""
        self._feeding: set[int] = set()
        """The nodes that feed others, or once did."""
        self._drawing: tuple[object, Drawing] | None = None
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

    def edge(self, source: PortLike, target: Port) -> Graph:
        """Connect an output port with an input port, in place of what the input had before. Returns the graph.

        Args:
            source: An output port, or its items (`port.each`), or what all its runs gave (`port.all()`).
            target: An input port. That of a choice stands for those of all of its variants that have it.

        Raises:
            UnknownPortError: `source` is no output port or `target` no input port.
            CycleError: the edge would close a circle; the graph stays as it was.
        """
        where = caller()
        given = edge_source(source)
        if given is None or not isinstance(target, Port):
            wrong = source if given is None else target
            raise GraphError(f"graph.edge connects ports, such as node.image; given: {wrong!r}.", where=where)
        _check_port(given.port, "output", where)
        _check_port(target, "input", where)
        spec = spec_of(target.node)
        with self._all_or_nothing():
            choice = self._choice_of(spec)
            self._include([given.port.node] if choice is not None else [given.port.node, target.node], where)
            for member in variants_of(spec).values():
                self._edges.pop((id(member), target.name), None)
            self._edges[id(spec), target.name] = given
            self._feeding.add(id(spec_of(given.port.node)))
            self._check_circle(given.port.node, choice or spec)
        return self

    def _choice_of(self, variant: NodeSpec) -> NodeSpec | None:
        """The choice that has this variant; None if it is none."""
        found = (spec for spec in map(spec_of, self._nodes) if isinstance(spec, ChoiceSpec))
        return next((choice for choice in found if any(member is variant for member in choice.members)), None)

    def _check_circle(self, source: PortOwner, target: NodeSpec) -> None:
        """A new edge closes a circle if its source needs its target; only then is the circle looked for."""
        if id(target) not in self._feeding:
            return
        seen: set[int] = set()
        waiting = [spec_of(source)]
        while waiting:
            if (spec := waiting.pop()) is target:
                topological({node.name: spec_of(node) for node in self._nodes}, self._edge_list())
            if id(spec) not in seen:
                seen.add(id(spec))
                waiting.extend(spec_of(given.port.node) for _, _, given in self._given(spec))

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        nodes, known, edges = list(self._nodes), set(self._known), dict(self._edges)
        try:
            yield
        except GraphError:
            self._nodes, self._known, self._edges = nodes, known, edges
            raise

    def _include(self, nodes: Sequence[PortOwner], where: str | None) -> None:
        new = _with_ancestors(nodes, self._known, where)
        if not new:
            return
        _check_alone([spec_of(node) for node in (*self._nodes, *new)])
        taken = {node.name: spec_of(node) for node in self._nodes}
        counts: dict[str, int] = {}
        for node in sorted(new, key=lambda node: spec_of(node).serial):
            spec = spec_of(node)
            if spec.name in taken and not spec.default_name:
                raise _two_of_one_name(taken[spec.name], spec)
            base = spec.name
            while spec.name in taken:
                counts[base] = counts.get(base, 0) + 1
                spec.name = f"{base}_{counts[base]}"
            self._nodes.append(node)
            self._known.add(id(node))
            self._feeding.update(id(spec_of(given.port.node)) for _, _, given in self._given(spec))
            taken[spec.name] = spec

    # ------------------------------------------------------------ reading

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self._nodes}

    def _draw(self) -> Drawing:
        specs, connections = [spec_of(node) for node in self._nodes], self._connections()
        signature = [spec.name for spec in specs], [list(variants_of(spec)) for spec in specs], connections
        if self._drawing is None or self._drawing[0] != signature:
            self._check_names()
            self._drawing = (signature, draw(self.name, self.persist_key, specs, connections))
        return self._drawing[1]

    def _check_names(self) -> None:
        seen: dict[str, NodeSpec] = {}
        for spec in map(spec_of, self._nodes):
            if (other := seen.setdefault(spec.name, spec)) is not spec:
                raise _two_of_one_name(other, spec)

    def _given(self, spec: NodeSpec) -> Iterator[tuple[str, str, EdgeSource]]:
        """What other nodes give to this one: variant, port, and from where."""
        for variant, member in variants_of(spec).items():
            for port, source in member.inputs.items():
                drawn = self._edges.get((id(member), port)) or self._edges.get((id(spec), port))
                if drawn is not None:
                    yield variant, port, drawn
                elif isinstance(source, EdgeSource):
                    yield variant, port, source

    def _connections(self) -> list[Connection]:
        return [
            Connection(Edge(given.port.node.name, given.port.name, spec.name, port, given.take), variant)
            for spec in map(spec_of, self._nodes)
            for variant, port, given in self._given(spec)
        ]

    def _edge_list(self) -> list[Edge]:
        return list(dict.fromkeys(connection.edge for connection in self._connections()))

    def get_entry_nodes(self) -> list[Node]:
        """The nodes that no edge feeds."""
        fed = {edge.target for edge in self._edge_list()}
        return [node for node in self._nodes if node.name not in fed]

    def get_execution_order(self) -> list[str]:
        """The names of the nodes, each after those it needs."""
        self._draw()
        return topological({node.name: spec_of(node) for node in self._nodes}, self._edge_list())

    def get_connections(self) -> list[tuple[str, str, str, str]]:
        """The edges as (source node, its port, target node, its port)."""
        return list(dict.fromkeys((e.source, e.source_port, e.target, e.target_port) for e in self._edge_list()))

    def get_subgraphs(self) -> list[set[str]]:
        """The names of connected nodes, a set for each connected part."""
        drawing = self._draw()
        parts = [{*subgraph.nodes, *subgraph.groups} for subgraph in drawing.subgraphs]
        return [*parts, *({group} for group in drawing.groups if not any(group in part for part in parts))]

    def get_output_nodes(self) -> list[str]:
        """The names of the nodes that feed no other."""
        return [name for subgraph in self._draw().subgraphs for name in subgraph.outputs]

    def get_api_schema(self) -> dict[str, Any]:
        """The inputs and outputs of the REST API, as `GET /api/schema` answers them."""
        return api_schema(self._draw())

    # ------------------------------------------------------------ doing

    def launch(self, **options: Any) -> Any:
        """Serve the canvas and the API, until interrupted.

        Options: `host`, `port`, `open_browser`, `store`, each as on the command line, which wins; `allowed_paths`:
        folders from which functions may give files, beside the working folder and temporary ones.

        Raises:
            EndpointError: a GradioNode's endpoint does not exist or does not take what it is given.
            ConfigError: an option cannot be used.
        """
        return runtime.current().launch(self, options)

    def run(self, inputs: Mapping[str, Any] | None = None, cache: CacheMode = "use") -> dict[str, dict[str, Any]]:
        """Run the workflow without a server and return `{node: {port: value}}` of its output nodes; files as paths.

        Args:
            inputs: Values by input id, `{"node__port": value}`; the others keep their default.
            cache: `use` known results; `refresh` executes all anew; `only` fails where a result is not known; `off`
                executes all anew and keeps nothing.

        Raises:
            UnknownInputError: an input id that the graph does not have.
            NodeFailedError, RemoteError: a node failed.
            NotCachedError: `only`, and a result is not known.
        """
        return runtime.current().run(self, inputs or {}, cache)

    async def arun(
        self, inputs: Mapping[str, Any] | None = None, cache: CacheMode = "use"
    ) -> dict[str, dict[str, Any]]:
        """What `run` does, without keeping the event loop waiting. Being cancelled stops what runs."""
        return await runtime.current().arun(self, inputs or {}, cache)

    def __repr__(self) -> str:
        return f"Graph({self.name!r}, {len(self._nodes)} nodes)"


def drawing_of(graph: Graph) -> Drawing:
    """The graph as the engine reads it: checked, ordered, unchanging."""
    return graph._draw()


def _check_port(port: Port, role: Literal["input", "output"], where: str | None) -> None:
    spec = spec_of(port.node)
    valid = list(spec.outputs if role == "output" else spec.inputs)
    if port.name not in valid:
        raise UnknownPortError(
            f"Node {port.node.name!r} has no {role} port {port.name!r}. Its {role} ports: "
            f"{', '.join(valid) or 'none'}. {did_you_mean(port.name, valid)}".rstrip(),
            where=where,
        )
    if role == "output":
        _check_variants(spec, port.name, where)


def _check_variants(spec: NodeSpec, port: str, where: str | None) -> None:
    """An output that another node uses must be there whichever variant is selected."""
    for variant, member in variants_of(spec).items():
        if port not in member.outputs:
            error = no_output(member, port, where, f"variant {variant!r} of the choice {spec.name!r}")
            error.hint = "What other nodes use must be an output of every variant."
            raise error


def _check_alone(specs: Sequence[NodeSpec]) -> None:
    """A variant runs in the place of its choice only; who takes its ports wants those of the choice."""
    choices = [spec for spec in specs if isinstance(spec, ChoiceSpec)]
    inside = {id(member): choice for choice in choices for member in choice.members}
    for spec in specs:
        if (choice := inside.get(id(spec))) is not None:
            raise GraphError(
                f"Node {spec.name!r} is a variant of the choice {choice.name!r}; it is no node of its own.",
                f"Give the graph and other nodes the choice, such as (a | b).{next(iter(choice.outputs))}; or make "
                "another node of the same function.",
                choice.where,
            )


def _two_of_one_name(one: NodeSpec, other: NodeSpec) -> DuplicateNodeError:
    return DuplicateNodeError(
        f"Two nodes are named {other.name!r}: at {one.where} and at {other.where}.",
        "Give one of them another name=….",
        other.where,
    )


def _slug(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_") or "graph"


def _with_ancestors(nodes: Sequence[PortOwner], known: Set[int], where: str | None) -> list[Node]:
    """The nodes that are not known, and those that they need through their ports."""
    found: dict[int, Node] = {}
    waiting = list(reversed(nodes))
    while waiting:
        node = waiting.pop()
        if not isinstance(node, Node):
            raise GraphError(f"A graph is made of nodes; given: {node!r}.", where=where)
        if id(node) in found or id(node) in known:
            continue
        found[id(node)] = node
        for member in variants_of(spec_of(node)).values():
            for source in member.inputs.values():
                if isinstance(source, EdgeSource):
                    above = spec_of(source.port.node)
                    if source.port.name not in above.outputs:
                        raise no_output(above, source.port.name, member.where)
                    _check_variants(above, source.port.name, member.where)
                    waiting.append(source.port.node)
    return list(found.values())
