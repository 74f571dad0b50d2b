"""What the canvas shows of a program and of a sheet. Pure: records in, messages out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from daggr.engine.bindings import input_edge
from daggr.engine.live import LiveNode
from daggr.engine.program import Program
from daggr.engine.sheet import NodeResult, SheetState
from daggr.errors import DaggrError
from daggr.graph.component import Component
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.port import EdgeSource, FixedSource, SampledSource, UiSource, UnboundSource
from daggr.server.messages import (
    Changed,
    ComponentView,
    EdgeView,
    GraphView,
    HistoryPosition,
    InputCard,
    InputField,
    InputPortView,
    NodeCard,
    NodeError,
    NodeState,
    OutputPortView,
    SheetView,
    Value,
)

ReadValue = Callable[[bytes], Value]
_TEXT_LIMIT = 80


def graph_view(program: Program) -> GraphView:
    """The part of the canvas that stays until the script changes."""
    drawing = program.drawing
    edges = [EdgeView(e.id, e.source, e.source_port, e.target, e.target_port) for e in drawing.edges]
    cards = []
    for field in drawing.fields:
        card = f"input:{field.id}"
        port = field.targets[0][1]
        if field.component.visible:
            title = field.component.label or port
            cards.append(InputCard(card, title, [InputField(field.id, port, _component(field.component))]))
            edges += [EdgeView(input_edge(field.id, node, p), card, port, node, p) for node, p in field.targets]
    return GraphView(
        name=drawing.name,
        epoch=program.epoch,
        persistent=drawing.persist_key is not None,
        nodes=[_card(program, spec) for spec in drawing.nodes.values()],
        inputs=cards,
        edges=edges,
    )


def sheet_view(program: Program, state: SheetState, live: Mapping[str, LiveNode], read: ReadValue) -> SheetView:
    """A sheet as it is now. `read` gives the wire form of a digest."""
    sheet = state.sheet
    return SheetView(
        sheet_id=sheet.id.hex(),
        name=sheet.name,
        created_at=sheet.created,
        updated_at=sheet.updated,
        version=sheet.version,
        inputs={name: read(digest) for name, digest in state.inputs.items()},
        nodes={name: _node(program, name, state, live.get(name, LiveNode()), read) for name in program.drawing.nodes},
        edges=dict(state.freshness.edges),
    )


def difference(seq: int, old: SheetView, new: SheetView, by: str) -> Changed | None:
    """What changed from one view of a sheet to the next; None if nothing did."""
    inputs = {name: value for name, value in new.inputs.items() if old.inputs.get(name) != value}
    nodes = {name: node for name, node in new.nodes.items() if old.nodes.get(name) != node}
    edges = {name: fresh for name, fresh in new.edges.items() if old.edges.get(name) != fresh}
    if not (inputs or nodes or edges or new.version != old.version):
        return None
    return Changed(seq, new.version, by, inputs, nodes, edges)


def _card(program: Program, spec: NodeSpec) -> NodeCard:
    return NodeCard(
        name=spec.name,
        kind=spec.kind,
        inputs=[_input_port(program, spec, port) for port in spec.inputs],
        outputs=[
            OutputPortView(port, _component(component) if component is not None and component.visible else None)
            for port, component in spec.outputs.items()
        ],
        subtitle=spec.subtitle,
        link=spec.link,
        where=spec.where,
    )


def _input_port(program: Program, spec: NodeSpec, port: str) -> InputPortView:
    if (spec.name, port) in program.drawing.edge_into:
        return InputPortView(port, "edge")
    match spec.inputs[port]:
        case UiSource():
            return InputPortView(port, "ui")
        case FixedSource(value):
            text = value if isinstance(value, str) else repr(value)
            return InputPortView(port, "fixed", text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}…")
        case SampledSource() as source:
            return InputPortView(port, "sampled", source.name)
        case UnboundSource(optional):
            return InputPortView(port, "default", optional=optional)
        case EdgeSource():
            return InputPortView(port, "edge")


def _component(component: Component) -> ComponentView:
    config = {name: value for name, value in component.config.items() if _is_json(value)}
    return ComponentView(component.type, config)


def _is_json(value: object) -> bool:
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError):
        return False
    return True


def _node(program: Program, name: str, state: SheetState, live: LiveNode, read: ReadValue) -> NodeState:
    result, fresh = state.results.get(name), state.freshness.nodes[name]
    if live.status == "failed" and fresh.fresh:
        live = LiveNode()  # what failed was something else than what is shown now
    return NodeState(
        status="done" if live.status == "idle" and result is not None else live.status,
        fresh=fresh.fresh,
        reason=fresh.reason,
        outputs=_outputs(program, name, result, read),
        history=HistoryPosition(result.index, result.total) if result is not None and result.total else None,
        started_at=live.started_at if live.status == "running" else None,
        seconds=result.run.seconds if result is not None else None,
        predicted_seconds=result.run.seconds if result is not None else None,
        error=_error(live.error) if live.error is not None else None,
        notes=_notes(program, name, result),
        log=live.log or (result.run.log if result is not None and live.status == "idle" else ""),
    )


def _outputs(program: Program, name: str, result: NodeResult | None, read: ReadValue) -> dict[str, Value]:
    """The outputs that the card shows; hidden ones stay where they are."""
    shown = program.drawing.nodes[name].outputs
    return {
        output.port: read(output.digest)
        for output in (result.run.outputs if result is not None else ())
        if (component := shown.get(output.port)) is not None and component.visible
    }


def _notes(program: Program, name: str, result: NodeResult | None) -> list[str]:
    definition = program.definitions[name]
    notes = [*result.run.notes, result.run.uncached] if result is not None else [definition.fingerprint.uncached]
    return [note for note in notes if note]


def _error(error: DaggrError) -> NodeError:
    title, _, detail = error.message.partition(": ")
    where = f"{error.hint} The node is made at {error.where}." if error.where else error.hint
    return NodeError(title, detail or error.message, where.strip())
