"""What the canvas shows of a sheet. Pure: records in, messages out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from daggr.engine.bindings import bind
from daggr.engine.live import LiveNode
from daggr.engine.program import ANSWER, Program
from daggr.engine.sheet import NodeResult, SheetState
from daggr.errors import DaggrError
from daggr.graph.component import Component
from daggr.server.canvas import base_of, edge_id
from daggr.server.messages import (
    Changed,
    HistoryPosition,
    ItemCount,
    JsonValue,
    NodeError,
    NodeState,
    NodeStatus,
    SheetView,
    Value,
)
from daggr.server.partials import partial_value
from daggr.store.records import Run

ReadValue = Callable[[bytes], Value]
CountItems = Callable[[Run], ItemCount | None]

SHORT = 7
"""Characters of a commit that people read."""

_UNDER_WAY = ("queued", "running")
_ENDED_BADLY = ("failed", "stopped")
_AFTER: Mapping[str, NodeStatus] = {"done": "done", "failed": "failed", "cancelled": "stopped"}
"""How a node stands whose run is shown and that does nothing now."""


@dataclass(frozen=True)
class Look:
    """A sheet at one moment, and how to read what its records name.

    Attributes:
        program: What the sheet is over.
        state: What it says.
        live: What runs, by node.
        read: Gives the wire form of a digest.
        count: Says how the items of a group ended.
        observed: The commits that Spaces and models are at now, as far as they were seen, by `str(Repo)`.
    """

    program: Program
    state: SheetState
    live: Mapping[str, LiveNode]
    read: ReadValue
    count: CountItems
    observed: Mapping[str, str]


def sheet_view(look: Look) -> SheetView:
    """A sheet as it is."""
    state, sheet, drawing = look.state, look.state.sheet, base_of(look.program).drawing
    fresh = state.freshness.edges  # a wire of a variant that is not selected is not among them
    return SheetView(
        sheet_id=sheet.id.hex(),
        name=sheet.name,
        created_at=sheet.created,
        updated_at=sheet.updated,
        version=sheet.version,
        inputs={name: look.read(digest) for name, digest in state.inputs.items()},
        nodes=_nodes(look, look.program.at(state.inputs)),
        edges={given: fresh.get(given, False) for given in (edge_id(drawing, wire) for wire in drawing.wires)},
    )


def difference(seq: int, old: SheetView, new: SheetView, by: str) -> Changed | None:
    """What changed from one view of a sheet to the next; None if nothing did."""
    inputs = {name: value for name, value in new.inputs.items() if old.inputs.get(name) != value}
    nodes = {name: node for name, node in new.nodes.items() if old.nodes.get(name) != node}
    edges = {name: fresh for name, fresh in new.edges.items() if old.edges.get(name) != fresh}
    if not (inputs or nodes or edges or new.version != old.version):
        return None
    return Changed(seq, new.version, by, inputs, nodes, edges)


def given_so_far(program: Program, name: str, live: LiveNode) -> dict[str, Value]:
    """What a running node has given until now, by port."""
    if live.status != "running":
        return {}
    shown = _shown(program, name)
    return {port: partial_value(shown[port], value) for port, value in live.gave.items() if port in shown}


def asked(chosen: Program, state: SheetState, name: str) -> bytes | None:
    """What an interaction asks about: the digest of its first input, empty if it has none.

    None while that is not there, or for a node that asks nothing. `chosen` has the sheet's variants.
    """
    definition = chosen.definitions[name]
    if ANSWER not in definition.sampled:
        return None
    bound = bind(chosen, name, state.inputs, state.heads.get)
    if bound.missing:
        return None
    port = next(iter(definition.spec.inputs), "")
    if (edge := chosen.drawing.edge_into.get((name, port))) is not None:  # the list itself, where it is split
        return state.heads[edge.source].output(edge.source_port)
    return bound.split.get(port) or next((given.digest for given in bound.bindings if given.port == port), b"")


def _nodes(look: Look, chosen: Program) -> dict[str, NodeState]:
    return {name: _node(look, chosen, name, look.live.get(name, LiveNode())) for name in chosen.drawing.nodes}


def _node(look: Look, chosen: Program, name: str, live: LiveNode) -> NodeState:
    result, fresh = look.state.results.get(name), look.state.freshness.nodes[name]
    if live.status in _ENDED_BADLY and fresh.fresh:
        live = LiveNode()  # what failed was something else than what is shown now
    under_way = live.status in _UNDER_WAY
    return NodeState(
        status=_status(live, result),
        fresh=fresh.fresh,
        reason=fresh.reason,
        outputs={**_outputs(look, name, result), **given_so_far(look.program, name, live)},
        history=HistoryPosition(result.index, result.total) if result is not None and result.total else None,
        started_at=live.started_at if live.status == "running" else None,
        seconds=result.run.seconds if result is not None else None,
        predicted_seconds=result.run.seconds if result is not None else None,
        error=_error(live, result),
        notes=_notes(look, chosen, name, result),
        revision=_revision(chosen, name, result)[:SHORT],
        log=live.log or (result.run.log if result is not None and live.status == "idle" else ""),
        run=live.job if under_way else "",
        items=_items(look, live, result),
        asks=None if under_way or fresh.fresh else _asks(look, chosen, name),
    )


def _status(live: LiveNode, result: NodeResult | None) -> NodeStatus:
    if live.status != "idle" or result is None:
        return live.status
    return _AFTER.get(result.run.status, "done")


def _shown(program: Program, name: str) -> dict[str, Component]:
    """The output ports that the card shows, and how."""
    outputs = base_of(program).drawing.nodes[name].outputs.items()
    return {port: component for port, component in outputs if component is not None and component.visible}


def _outputs(look: Look, name: str, result: NodeResult | None) -> dict[str, Value]:
    if result is None:
        return {}
    shown = _shown(look.program, name)
    return {output.port: look.read(output.digest) for output in result.run.outputs if output.port in shown}


def _items(look: Look, live: LiveNode, result: NodeResult | None) -> ItemCount | None:
    if live.status == "running":
        return ItemCount(*live.items) if live.items is not None else None
    return look.count(result.run) if result is not None else None


def _asks(look: Look, chosen: Program, name: str) -> Value | None:
    digest = asked(chosen, look.state, name)
    return None if digest is None else look.read(digest) if digest else JsonValue(None)


def _notes(look: Look, chosen: Program, name: str, result: NodeResult | None) -> list[str]:
    definition = chosen.definitions[name]
    if result is None:
        return [note for note in [definition.fingerprint.uncached] if note]
    edited = ["edited"] if result.run.kind == "edit" else []
    notes = [*edited, *result.run.notes, result.run.uncached, _moved(look, chosen, name, result)]
    return [note for note in notes if note]


def _repo(chosen: Program, name: str) -> str:
    """What a node calls on the Hub, as records name it; empty if nothing."""
    return str(chosen.definitions[name].spec.repo or "")


def _revision(chosen: Program, name: str, result: NodeResult | None) -> str:
    """The commit of what made a result."""
    return result.run.soft.get(_repo(chosen, name), "") if result is not None else ""


def _moved(look: Look, chosen: Program, name: str, result: NodeResult | None) -> str:
    """That what made the result has another commit now, in words."""
    then, now = _revision(chosen, name, result), look.observed.get(_repo(chosen, name), "")
    if not then or not now or then == now:
        return ""
    return f"the {_repo(chosen, name)} has changed since: {then[:SHORT]} → {now[:SHORT]}"


def _error(live: LiveNode, result: NodeResult | None) -> NodeError | None:
    if live.error is not None:
        return _worded(live.error)
    if live.status == "idle" and result is not None and result.run.error:
        return _worded(DaggrError(result.run.error))
    return None


def _worded(error: DaggrError) -> NodeError:
    title, _, detail = error.message.partition(": ")
    where = f"{error.hint} The node is made at {error.where}." if error.where else error.hint
    return NodeError(title, detail, where.strip())
