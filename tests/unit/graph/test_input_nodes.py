"""InputNode: inputs grouped on one card."""

from __future__ import annotations

from typing import Any

import pytest

from daggr import Graph, InputNode
from daggr.errors import GraphError, UnknownPortError
from daggr.graph.graph import drawing_of
from tests.handmade import Field, Image, Number, node


def test_each_port_is_an_input_that_feeds_what_takes_it() -> None:
    asked = InputNode("About you", ports={"name": Field("Ada"), "age": Number(36), "spare": Field()})
    greet, card = node("greet", who=asked.ports["name"], age=asked.age), node("card", who=asked.ports["name"])
    drawing = drawing_of(Graph("G", nodes=[greet, card]))
    assert list(drawing.nodes) == ["greet", "card"]
    assert list(drawing.groups) == ["About you"]
    assert {field.id: field.targets for field in drawing.fields} == {
        "About_you__name": (("greet", "who"), ("card", "who")),
        "About_you__age": (("greet", "age"),),
        "About_you__spare": (),
    }
    assert {field.group for field in drawing.fields} == {"About you"}
    assert drawing.edges == ()
    assert drawing.input_of["card", "who"].component.value == "Ada"


def test_a_graph_finds_it_like_any_node() -> None:
    asked = InputNode(ports={"topic": Field()})
    greet = node("greet", who=asked.topic)
    graph = Graph("G", nodes=[greet])
    assert graph.nodes == {"Inputs": asked, "greet": greet}
    assert graph.get_execution_order() == ["Inputs", "greet"]
    assert graph.get_connections() == [("Inputs", "topic", "greet", "who")]
    assert graph.get_entry_nodes() == [asked]
    assert graph.get_output_nodes() == ["greet"]
    assert graph.get_subgraphs() == [{"Inputs", "greet"}]


def test_it_is_named_inputs_and_counted() -> None:
    first, second = InputNode(ports={"a": Field()}), InputNode(ports={"a": Field()})
    graph = Graph("G", nodes=[node("n", x=second.a, y=first.a)])
    assert list(graph.nodes) == ["Inputs", "Inputs_1", "n"]
    assert graph.nodes["Inputs_1"] is second
    assert [field.id for field in drawing_of(graph).fields] == ["Inputs__a", "Inputs_1__a"]


def test_what_it_feeds_is_one_subgraph_as_in_0_8() -> None:
    asked = InputNode(ports={"a": Field(), "b": Field()})
    graph = Graph("G", nodes=[node("x", a=asked.a), node("y", b=asked.b)])
    schema = graph.get_api_schema()["subgraphs"]
    assert [part["id"] for part in schema] == ["main"]
    assert schema[0]["inputs"] == [
        {"node": "Inputs", "port": "a", "type": "field", "id": "Inputs__a"},
        {"node": "Inputs", "port": "b", "type": "field", "id": "Inputs__b"},
    ]
    assert [out["node"] for out in schema[0]["outputs"]] == ["x", "y"]


def test_one_that_feeds_nothing_is_kept_and_is_no_subgraph_of_the_api() -> None:
    graph = Graph("G", nodes=[node("n", x=Field()), InputNode("alone", {"a": Field()})])
    assert "alone" in graph.nodes
    assert [part["id"] for part in graph.get_api_schema()["subgraphs"]] == ["main"]
    assert graph.get_subgraphs() == [{"n"}, {"alone"}]
    assert drawing_of(graph).inputs["alone__a"].targets == ()


def test_a_component_that_is_shared_with_a_node_is_one_input_listed_under_every_id() -> None:
    text = Field("both")
    asked = InputNode("asked", {"text": text})
    graph = Graph("G", nodes=[node("n", x=text), asked])
    field = drawing_of(graph).inputs["asked__text"]
    assert field is drawing_of(graph).inputs["n__x"]
    assert (field.targets, field.group) == ((("n", "x"),), "asked")
    assert {given["id"] for given in graph.get_api_schema()["subgraphs"][0]["inputs"]} == {"asked__text", "n__x"}


def test_an_edge_from_an_input_node_takes_the_place_of_what_the_input_had_before() -> None:
    asked, target = InputNode(ports={"a": Field("asked")}), node("n", x=Field("own"))
    graph = Graph("G", nodes=[target]).edge(asked.a, target.x)
    assert [field.id for field in drawing_of(graph).fields] == ["Inputs__a"]
    with pytest.raises(UnknownPortError, match="Node 'Inputs' has no input port 'a'"):
        graph.edge(target.output, asked.a)


def test_an_id_that_two_inputs_have_is_refused() -> None:
    with pytest.raises(GraphError, match=r"Two inputs have the id 'a_x__b': a-x\.b and a x\.b"):
        drawing_of(Graph("G", nodes=[node("a-x", b=Field()), InputNode("a x", {"b": Field()})]))


@pytest.mark.parametrize("ports", [["a"], "a", Field(), 3])
def test_its_ports_are_given_by_name(ports: Any) -> None:
    with pytest.raises(GraphError, match="components by port name"):
        InputNode(ports=ports)


def test_all_ports_that_are_no_components_are_told_at_once() -> None:
    with pytest.raises(GraphError, match=r"These are not: a \(int\), b \(NoneType\)"):
        InputNode(ports={"a": 3, "b": None, "c": Field()})  # type: ignore[dict-item]


def test_a_file_it_asks_for_comes_as_a_path_whatever_its_type_says() -> None:
    image = Image()
    image._constructor_args = [{"type": "numpy"}]  # type: ignore[attr-defined]
    with pytest.warns(UserWarning, match=r"photo: type='numpy'"):
        InputNode(ports={"photo": image})
