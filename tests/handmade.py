"""Parts made by hand for the tests of pure code: components, graphs, programs and runs, without Gradio and a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from daggr.digest import Digest, digest, encode
from daggr.engine.keys import Identity, identity_of, same_action
from daggr.engine.program import Program, default_value, define
from daggr.graph.drawing import UiInput
from daggr.graph.graph import Graph, drawing_of
from daggr.graph.nodes.fn import FnNode
from daggr.store.artifacts import identify
from daggr.store.records import Binding, Output, Run, RunStatus, new_id


class Field:
    """The least that daggr takes for a Gradio component."""

    block = "textbox"

    def __init__(self, value: Any = None, **config: Any) -> None:
        self.value = value
        self.config = config

    def get_block_name(self) -> str:
        return self.block

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value, "visible": True, **self.config}


class Number(Field):
    block = "number"


class Image(Field):
    block = "image"


class Chatbot(Field):
    block = "chatbot"


# ---------------------------------------------------------------- programs


def value(of: Any) -> Digest:
    """The digest that the store gives a value."""
    return identify(of)


def program_of(graph: Graph) -> Program:
    """A graph's program; default values are named, and kept nowhere."""

    def stage(field: UiInput) -> Digest:
        return value(default_value(field))

    return define(drawing_of(graph), stage)


def step(number: int) -> Callable[..., Any]:
    """A function that takes anything, and whose definition differs for every number."""

    def work(**inputs: Any) -> int:
        return number

    return work


def node(name: str, **inputs: Any) -> FnNode:
    """A node with an output `output`, and a definition of its own for every name."""
    return FnNode(step(int.from_bytes(name.encode(), "big")), name=name, inputs=inputs)


# ---------------------------------------------------------------- runs


def run(
    program: Program,
    name: str,
    bindings: Iterable[Binding],
    outputs: Mapping[str, bytes],
    *,
    status: RunStatus = "done",
    uncached: str = "",
) -> Run:
    """A recorded run of a node's present definition."""
    bindings = tuple(bindings)
    identity = identity_of(program.definitions[name].fingerprint.digest, bindings)
    return Run(
        id=new_id(),
        graph=program.graph,
        node=name,
        kind="fn",
        owner="local",
        scope="",
        fingerprint=identity.fingerprint,
        key=identity.action,
        lookup=identity.lookup,
        inputs=bindings,
        outputs=tuple(Output(port, output) for port, output in outputs.items()),
        status=status,
        started=0.0,
        seconds=0.0,
        uncached=uncached,
    )


def result(program: Program, name: str, bindings: Iterable[Binding]) -> Run:
    """A run whose outputs follow from its definition and inputs, as those of a deterministic function do."""
    bindings = tuple(bindings)
    seen = encode(sorted((binding.port, binding.digest) for binding in bindings))
    fingerprint = program.definitions[name].fingerprint.digest
    ports = program.drawing.nodes[name].outputs
    return run(program, name, bindings, {port: digest("made", fingerprint, port.encode(), seen) for port in ports})


class Memory:
    """Known runs, newest last, found as the store finds them."""

    def __init__(self) -> None:
        self.runs: list[Run] = []

    def find(self, node: str, identity: Identity, drawn: bool) -> Run | None:
        """The newest run of exactly these inputs."""
        if not drawn:
            return None
        return next((run for run in reversed(self.runs) if same_action(run, identity)), None)
