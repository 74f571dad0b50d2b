"""What the inputs of a node are bound to at some moment. Pure; the one place that knows where each value comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from daggr.engine.program import Program
from daggr.store.records import Binding, Run

NO_SAMPLES: Mapping[tuple[str, str], bytes] = {}


@dataclass
class Bound:
    """The bindings of a node's ports.

    Attributes:
        bindings: One for each port that has a value.
        wires: For each port fed by a wire its id, and the digest that comes through it; None if nothing is there yet.
        parents: The runs that feed it, by edge id.
        missing: The nodes that must give something first, and their ports.
    """

    bindings: list[Binding] = field(default_factory=list)
    wires: dict[str, tuple[str, bytes | None]] = field(default_factory=dict)
    parents: dict[str, bytes] = field(default_factory=dict)
    missing: list[tuple[str, str]] = field(default_factory=list)


def input_edge(input_id: str, node: str, port: str) -> str:
    """The id of the wire from an input to a port it feeds."""
    return f"input:{input_id}->{node}.{port}"


def bind(
    program: Program,
    name: str,
    inputs: Mapping[str, bytes],
    run_of: Callable[[str], Run | None],
    samples: Mapping[tuple[str, str], bytes] = NO_SAMPLES,
) -> Bound:
    """Bind a node's ports to the inputs, the runs of the nodes before it, its constants and its samples.

    A sampled port without a sample is bound to an empty digest: that is enough for a lookup key.
    """
    drawing, definition = program.drawing, program.definitions[name]
    bound = Bound()
    for port in definition.spec.inputs:
        if (edge := drawing.edge_into.get((name, port))) is not None:
            run = run_of(edge.source)
            digest = run.output(edge.source_port) if run is not None else None
            bound.wires[port] = (edge.id, digest)
            if run is None or digest is None:
                bound.missing.append((edge.source, edge.source_port))
            else:
                bound.parents[edge.id] = run.id
                bound.bindings.append(Binding(port, digest, "edge", run.id, edge.source_port))
        elif (field_ := drawing.input_of.get((name, port))) is not None:
            bound.wires[port] = (input_edge(field_.id, name, port), inputs[field_.id])
            bound.bindings.append(Binding(port, inputs[field_.id], "ui"))
        elif port in definition.fixed:
            bound.bindings.append(Binding(port, definition.fixed[port].digest, "fixed"))
        elif port in definition.sampled:
            sample = samples.get((name, port), b"")
            bound.bindings.append(Binding(port, sample, "sampled", provider=definition.sampled[port]))
    return bound


def changed_ports(run: Run, bindings: Iterable[Binding]) -> list[str]:
    """The ports on which a run was given something else than there is now; of sampled values their providers count."""
    then = {given.port: asked_for(given) for given in run.inputs}
    now = {given.port: asked_for(given) for given in bindings}
    return [] if then == now else [port for port in {**now, **then} if then.get(port) != now.get(port)]


def asked_for(given: Binding) -> tuple[bool, bytes]:
    """What a binding stands for in a lookup key: never is a provider taken for a value."""
    return (True, given.provider) if given.source == "sampled" else (False, given.digest)
