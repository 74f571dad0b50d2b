"""What the inputs of a node are bound to at some moment. Pure; the one place that knows where each value comes from.

What comes through a wire is named by a digest. Where a value is split into items the wire of the whole node carries the
digest of that value marked as split: a group of runs over the items of a list is something else than one run that is
given the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from daggr.digest import digest, encode
from daggr.engine.program import ANSWER, Program
from daggr.graph.edge import Take
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
        split: For each port whose value is split into items the digest of that value.
    """

    bindings: list[Binding] = field(default_factory=list)
    wires: dict[str, tuple[str, bytes | None]] = field(default_factory=dict)
    parents: dict[str, bytes] = field(default_factory=dict)
    missing: list[tuple[str, str]] = field(default_factory=list)
    split: dict[str, bytes] = field(default_factory=dict)


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
            given = come_through(program, name, port, run, edge.source_port) if run is not None else None
            bound.wires[port] = (edge.id, given)
            if run is None or given is None:
                bound.missing.append((edge.source, edge.source_port))
            else:
                bound.parents[edge.id] = run.id
                bound.bindings.append(Binding(port, given, "edge", run.id, edge.source_port))
                if (whole := run.output(edge.source_port)) is not None and drawing.splits(name, port):
                    bound.split[port] = whole
        elif (field_ := drawing.input_of.get((name, port))) is not None:
            given, whole = inputs[field_.id], b""
            if drawing.splits(name, port):
                whole = bound.split[port] = given
                given = _marked("daggr/each", drawing.takes[name, port].key, given)
            bound.wires[port] = (input_edge(field_.id, name, port), given)
            bound.bindings.append(Binding(port, given, "ui", whole=whole))
        elif port in definition.fixed:
            bound.bindings.append(Binding(port, definition.fixed[port].digest, "fixed"))
        elif port in definition.sampled:
            bound.bindings.append(_sampled(port, definition.sampled[port], samples.get((name, port), b"")))
    if ANSWER in definition.sampled:
        bound.bindings.append(_sampled(ANSWER, definition.sampled[ANSWER], samples.get((name, ANSWER), b"")))
    return bound


def come_through(program: Program, name: str, port: str, run: Run, source_port: str) -> bytes | None:
    """What a run gives to a port; None if it does not give it. A gather needs all items, unless it skips."""
    given = run.output(source_port)
    if given is None:
        return None
    drawing = program.drawing
    take = drawing.takes.get((name, port))
    if take is None:
        return given if not drawing.splits(name, port) else _marked("daggr/each", None, given)
    if drawing.splits(name, port):
        return _marked("daggr/each", take.key, given)
    if run.status != "done":
        return _marked("daggr/present", None, given) if is_lenient(take) and run.status == "failed" else None
    return given


def is_lenient(take: Take | None) -> bool:
    """Whether a gather leaves out the items that failed."""
    return take is not None and take.mode == "all" and take.on_item_error == "skip"


def _sampled(port: str, provider: bytes, sample: bytes) -> Binding:
    return Binding(port, sample, "sampled", provider=provider)


@lru_cache(4096)
def _marked(mark: str, key: str | int | None, given: bytes) -> bytes:
    return digest(mark, encode(key), given)


def changed_ports(run: Run, bindings: Iterable[Binding]) -> list[str]:
    """The ports on which a run was given something else than there is now; of sampled values their providers count."""
    then = {given.port: asked_for(given) for given in run.inputs}
    now = {given.port: asked_for(given) for given in bindings}
    return [] if then == now else [port for port in {**now, **then} if then.get(port) != now.get(port)]


def asked_for(given: Binding) -> tuple[bool, bytes]:
    """What a binding stands for in a lookup key: never is a provider taken for a value."""
    return (True, given.provider) if given.source == "sampled" else (False, given.digest)
