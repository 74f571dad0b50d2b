"""The part of the canvas that stays until the script changes: cards, ports and wires. Pure: a program in, messages out.

It shows all variants of every choice. Which of them is selected is a matter of each sheet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from daggr.engine.bindings import input_edge
from daggr.engine.program import Program
from daggr.graph.component import ITEM_LIST, Component
from daggr.graph.drawing import Drawing, UiInput, Wire, input_id
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.choice import ChoiceSpec
from daggr.graph.nodes.interaction import InteractionSpec
from daggr.graph.port import EdgeSource, FixedSource, SampledSource, UiSource, UnboundSource
from daggr.server.messages import (
    ComponentView,
    EdgeView,
    GraphView,
    InputCard,
    InputField,
    InputPortView,
    NodeCard,
    OutputPortView,
    Question,
    VariantView,
)

_TEXT_LIMIT = 80


def base_of(program: Program) -> Program:
    """The program with no variant selected: that of the canvas and the API, which offer them all."""
    return program.base or program


def graph_view(program: Program) -> GraphView:
    """The canvas of a program."""
    drawing = base_of(program).drawing
    cards = list(_input_cards(drawing))
    return GraphView(
        name=drawing.name,
        epoch=program.epoch,
        persistent=drawing.persist_key is not None,
        nodes=[_card(drawing, spec) for spec in drawing.nodes.values()],
        inputs=cards,
        edges=_edges(drawing, {field.id: card.id for card in cards for field in card.fields}),
    )


def edge_id(drawing: Drawing, wire: Wire) -> str:
    """The id by which freshness knows a wire."""
    if wire.edge is not None:
        return wire.edge.id
    return input_edge(drawing.inputs[wire.input].id, wire.target, wire.port)


# ---------------------------------------------------------------- inputs and wires


def _input_cards(drawing: Drawing) -> Iterator[InputCard]:
    """A card for each InputNode, and one for each input that stands alone."""
    cards: dict[str, InputCard] = {}
    for field in drawing.fields:
        if field.component.visible and not _on_its_choice(field):
            port = _port_of(drawing, field)
            card, title = f"inputs:{field.group}", field.group
            if not field.group:
                card, title = f"input:{field.id}", field.component.label or port
            shown = InputField(field.id, port, component_view(field.component))
            cards.setdefault(card, InputCard(card, title, [])).fields.append(shown)
    yield from cards.values()


def _on_its_choice(field: UiInput) -> bool:
    """Whether the card of a choice shows this input, being that of one variant alone."""
    return bool(field.variant) and not field.group


def _port_of(drawing: Drawing, field: UiInput) -> str:
    """The port that an input is called after."""
    if field.group:
        return next(port for port in drawing.groups[field.group].outputs if input_id(field.group, port) in field.ids)
    return field.targets[0][1] if field.targets else field.id


def _edges(drawing: Drawing, cards: dict[str, str]) -> list[EdgeView]:
    """The wires between cards, each once, whichever variants it feeds. `cards` has the card of each input."""
    wires: dict[str, list[Wire]] = {}
    for wire in drawing.wires:
        if wire.edge is not None or drawing.inputs[wire.input].id in cards:
            wires.setdefault(edge_id(drawing, wire), []).append(wire)
    return [_edge(drawing, cards, given, alike) for given, alike in wires.items()]


def _edge(drawing: Drawing, cards: dict[str, str], given: str, alike: list[Wire]) -> EdgeView:
    first = alike[0]
    if first.edge is not None:
        source, port = first.edge.source, first.edge.source_port
    else:
        field = drawing.inputs[first.input]
        source, port = cards[field.id], _port_of(drawing, field)
    gathers = first.take.mode == "all" and source in drawing.scattered
    mode = first.take.mode if first.take.mode != "all" or gathers else "whole"
    variants = list(dict.fromkeys(wire.variant for wire in alike if wire.variant))
    return EdgeView(given, source, port, first.target, first.port, mode, variants)


# ---------------------------------------------------------------- cards of nodes


def _card(drawing: Drawing, spec: NodeSpec) -> NodeCard:
    wired = {wire.port for wire in drawing.wires if wire.target == spec.name and wire.edge is not None}
    return NodeCard(
        name=spec.name,
        kind=spec.kind,  # type: ignore[arg-type]  # an InputNode is no node of a drawing
        inputs=list(_input_ports(spec, wired)),
        outputs=[
            OutputPortView(port, component_view(component) if component is not None and component.visible else None)
            for port, component in spec.outputs.items()
        ],
        subtitle=spec.subtitle,
        link=spec.link,
        where=spec.where,
        question=_question(spec),
        variants=list(_variants(drawing, spec)) if isinstance(spec, ChoiceSpec) else [],
        selects=drawing.choices[spec.name].id if spec.name in drawing.choices else "",
    )


def _variants(drawing: Drawing, choice: ChoiceSpec) -> Iterator[VariantView]:
    own = [wire for wire in drawing.wires if wire.target == choice.name]
    for name, spec in choice.variants.items():
        mine = [wire for wire in own if wire.variant == name]
        fields = {drawing.inputs[wire.input].id: wire.port for wire in mine if wire.input}
        yield VariantView(
            name=name,
            kind=spec.kind,  # type: ignore[arg-type]
            inputs=list(_input_ports(spec, {wire.port for wire in mine if wire.edge is not None})),
            fields=[
                InputField(given, port, component_view(field.component))
                for given, port in fields.items()
                if (field := drawing.inputs[given]).component.visible and _on_its_choice(field)
            ],
            subtitle=spec.subtitle,
            link=spec.link,
            question=_question(spec),
        )


def _question(spec: NodeSpec) -> Question:
    return spec.interaction_type if isinstance(spec, InteractionSpec) else ""


def _input_ports(spec: NodeSpec, wired: Collection[str]) -> Iterable[InputPortView]:
    """The ports of a node; `wired` are those that an edge reaches."""
    for port, source in spec.inputs.items():
        match source:
            case _ if port in wired:
                yield InputPortView(port, "edge")
            case UiSource():
                yield InputPortView(port, "ui")
            case FixedSource(value):
                text = value if isinstance(value, str) else repr(value)
                yield InputPortView(port, "fixed", text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}…")
            case SampledSource():
                yield InputPortView(port, "sampled", source.name)
            case UnboundSource(optional):
                yield InputPortView(port, "default", optional=optional)
            case EdgeSource():
                yield InputPortView(port, "edge")


def component_view(component: Component) -> ComponentView:
    """A component as the page gets it, without what has no JSON form."""
    config = dict(component.config)
    if component.type == ITEM_LIST:
        config["schema"] = {
            name: {**field, "config": _json_only(field["config"])} for name, field in config["schema"].items()
        }
    return ComponentView(component.type, _json_only(config))


def _json_only(config: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in config.items() if _is_json(value)}


def _is_json(value: object) -> bool:
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError):
        return False
    return True
