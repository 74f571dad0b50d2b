"""What holds for every drawing with choices, grouped inputs, interactions, shared components, scatter and gather.

The model is told in the plainest way: for every selection, which nodes run once for every item.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import assume, given
from hypothesis import strategies as st

from daggr import ChoiceNode, FnNode, Graph, InputNode, InteractionNode, Node
from daggr.errors import ScatterError
from daggr.graph.drawing import Drawing
from daggr.graph.graph import drawing_of
from tests.handmade import Field, step

Mode = Literal["whole", "each", "all"]


@dataclass(frozen=True)
class Given:
    """What a port is given: a component, or what a node before gives."""

    component: int = -1
    node: int = -1
    mode: Mode = "whole"


@dataclass(frozen=True)
class Made:
    """A node: its kind, and of each of its variants what the ports `p0`, `p1`, … are given."""

    kind: Literal["fn", "interaction", "choice", "input"]
    variants: tuple[tuple[Given, ...], ...]

    def __len__(self) -> int:
        return len(self.variants)


Selection = Mapping[str, str]


@st.composite
def givens(draw: st.DrawFn, before: int, *, components_only: bool = False) -> Given:
    if components_only or before == 0 or draw(st.booleans()):
        return Given(component=draw(st.integers(0, 4)))
    mode = draw(st.sampled_from(["whole", "whole", "each", "all"]))
    return Given(node=draw(st.integers(0, before - 1)), mode=mode)


@st.composite
def models(draw: st.DrawFn) -> list[Made]:
    made: list[Made] = []
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["fn", "fn", "choice", "interaction", "input"]))
        count = draw(st.integers(1, 3)) if kind == "choice" else 1
        ports = st.lists(givens(number, components_only=kind == "input"), min_size=kind == "input", max_size=3)
        made.append(Made(kind, tuple(tuple(draw(ports)) for _ in range(count))))
    return made


def build(model: list[Made]) -> Graph:
    components = [Field(number) for number in range(5)]
    nodes: list[Node] = []

    def source(given: Given) -> Any:
        if given.node < 0:
            return components[given.component]
        port = nodes[given.node].ports["p0" if model[given.node].kind == "input" else "out"]
        return {"whole": port, "each": port.each, "all": port.all()}[given.mode]

    for number, made in enumerate(model):
        ports = [{f"p{index}": source(given) for index, given in enumerate(variant)} for variant in made.variants]
        name = f"n{number}"
        if made.kind == "input":
            nodes.append(InputNode(name, ports[0]))
        elif made.kind == "interaction":
            nodes.append(InteractionNode(name, inputs=ports[0], outputs={"out": None}))
        elif made.kind == "fn":
            nodes.append(FnNode(step(number), name, ports[0], {"out": None}))
        else:
            variants = [FnNode(step(i), f"v{i}", inputs, {"out": None}) for i, inputs in enumerate(ports)]
            nodes.append(ChoiceNode(variants, name))
    return Graph("Any", nodes=nodes)


def selections(model: list[Made]) -> Iterator[Selection]:
    choices = [(f"n{number}", len(made)) for number, made in enumerate(model) if made.kind == "choice"]
    for picked in itertools.product(*(range(count) for _, count in choices)):
        yield {name: f"v{pick}" for (name, _), pick in zip(choices, picked, strict=True)}


def ports_of(model: list[Made], number: int, selection: Selection) -> tuple[Given, ...]:
    return model[number].variants[int(selection.get(f"n{number}", "v0")[1:])]


def scattered(model: list[Made], selection: Selection) -> set[int] | None:
    """The nodes that run once for every item; None if one of them is asked for items once more, or asks a person."""
    found: set[int] = set()
    for number, made in enumerate(model):
        if made.kind == "input":
            continue
        for given_ in ports_of(model, number, selection):
            if given_.mode == "each" and given_.node in found:
                return None
            if given_.mode == "each" or (given_.mode == "whole" and given_.node in found):
                if made.kind == "interaction":
                    return None
                found.add(number)
    return found


def drawable(model: list[Made]) -> Drawing:
    assume(all(scattered(model, selection) is not None for selection in selections(model)))
    return drawing_of(build(model))


@given(models())
def test_a_graph_is_refused_exactly_if_some_selection_asks_for_items_of_items(model: list[Made]) -> None:
    refused = any(scattered(model, selection) is None for selection in selections(model))
    try:
        drawing_of(build(model))
    except ScatterError:
        assert refused
    else:
        assert not refused


@given(models())
def test_what_runs_for_every_item_follows_the_wires_of_the_selection(model: list[Made]) -> None:
    drawing = drawable(model)
    for selection in selections(model):
        expected = scattered(model, selection) or set()
        chosen = drawing.choose(selection)
        assert chosen.scattered == {f"n{number}" for number in expected} <= drawing.scattered
        for number, made in enumerate(model):
            for index, given_ in enumerate(ports_of(model, number, selection) if made.kind != "input" else ()):
                whole = given_.mode == "whole" and given_.node in expected
                assert chosen.splits(f"n{number}", f"p{index}") == (given_.mode == "each" or whole)
                taken = chosen.takes.get((f"n{number}", f"p{index}"))
                gathers = given_.mode == "all" and given_.node in expected
                assert (taken.mode if taken else "whole") == (
                    given_.mode if given_.mode == "each" or gathers else "whole"
                )


@given(models())
def test_choosing_moves_nothing(model: list[Made]) -> None:
    drawing = drawable(model)
    for selection in selections(model):
        chosen = drawing.choose(selection)
        assert chosen is drawing.choose(selection) is chosen.choose(selection)
        assert list(chosen.nodes) == list(drawing.nodes)
        assert list(chosen.inputs) == list(drawing.inputs)
        assert [field.ids for field in chosen.fields] == [field.ids for field in drawing.fields]
        assert (chosen.subgraphs, chosen.choices) == (drawing.subgraphs, drawing.choices)
        assert {spec.kind for spec in chosen.nodes.values()} <= {"fn", "interaction"}
        assert all(name == spec.name for name, spec in chosen.nodes.items())
        assert set(chosen.edges) <= set(drawing.edges)


@given(models())
def test_every_port_of_a_selection_is_fed_by_what_it_was_given(model: list[Made]) -> None:
    drawing = drawable(model)
    for selection in selections(model):
        chosen = drawing.choose(selection)
        ports = [
            (f"n{number}", f"p{index}", given_)
            for number, made in enumerate(model)
            if made.kind != "input"
            for index, given_ in enumerate(ports_of(model, number, selection))
        ]
        for node, port, given_ in ports:
            edge, field = chosen.edge_into.get((node, port)), chosen.input_of.get((node, port))
            if given_.node >= 0 and model[given_.node].kind != "input":
                assert field is None
                assert edge is not None
                assert (edge.source, edge.source_port, edge.take.mode) == (f"n{given_.node}", "out", given_.mode)
            else:
                asked = given_ if given_.node < 0 else model[given_.node].variants[0][0]
                assert edge is None
                assert field is not None
                assert field.component.value == asked.component
        fed = {(edge.target, edge.target_port) for edge in chosen.edges} | set(chosen.input_of)
        assert fed == {(node, port) for node, port, _ in ports}
        assert len(chosen.edges) + sum(len(field.targets) for field in chosen.fields) == len(ports)


@given(models())
def test_every_id_is_one_inputs_and_every_component_one_input(model: list[Made]) -> None:
    drawing = drawable(model)
    ids = [given_ for field in drawing.fields for given_ in field.ids]
    assert len(ids) == len(set(ids)) == len(drawing.inputs)
    assert all(drawing.inputs[given_] is field for field in drawing.fields for given_ in field.ids)
    values = [field.component.value for field in drawing.fields if field.component.type != "choice"]
    assert len(values) == len(set(values))
    assert {field.id for field in drawing.choices.values()} == {f"{name}__variant" for name in drawing.choices}


@given(models())
def test_every_input_but_the_selections_is_in_the_schema_of_one_subgraph(model: list[Made]) -> None:
    drawing = drawable(model)
    listed = [field["id"] for part in build(model).get_api_schema()["subgraphs"] for field in part["inputs"]]
    feeding = {group for part in drawing.subgraphs for group in part.groups}
    idle = {f"{group}__{port}" for group in set(drawing.groups) - feeding for port in drawing.groups[group].outputs}
    selecting = {given_ for field in drawing.choices.values() for given_ in field.ids}
    assert len(listed) == len(set(listed))
    assert set(listed) == set(drawing.inputs) - selecting - idle
    assert all(not field.targets for given_ in idle for field in [drawing.inputs[given_]])


@given(models())
def test_subgraphs_are_what_is_connected_whichever_variant_is_selected(model: list[Made]) -> None:
    graph = build(model)
    if any(scattered(model, selection) is None for selection in selections(model)):
        return
    parts = graph.get_subgraphs()
    assert sorted(name for part in parts for name in part) == sorted(graph.nodes)
    order = graph.get_execution_order()
    for source, _, target, _ in graph.get_connections():
        assert order.index(source) < order.index(target)
        assert any({source, target} <= part for part in parts)
