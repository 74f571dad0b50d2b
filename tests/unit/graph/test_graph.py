"""Graphs: putting nodes together, and reading the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from daggr import Graph, runtime
from daggr.errors import CycleError, DuplicateNodeError, GraphError, UnknownPortError
from daggr.graph.graph import drawing_of
from daggr.graph.nodes.base import spec_of
from tests.handmade import Chatbot, Field, Image, Number, node


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("My Cool App!", "my_cool_app"),
        ("Podcast Generator", "podcast_generator"),
        ("  --  v2.1 (beta)", "v2_1_beta"),
        ("a__b", "a_b"),
    ],
)
def test_results_are_kept_under_the_name_in_lower_case(name: str, key: str) -> None:
    assert Graph(name).persist_key == key


def test_a_key_can_be_given_or_refused() -> None:
    assert Graph("G", persist_key="Another Key").persist_key == "Another Key"
    assert Graph("G", persist_key=False).persist_key is None
    assert Graph("G", None, "third").persist_key == "third"


@pytest.mark.parametrize("name", ["", "   ", None, 3])
def test_a_graph_needs_a_name(name: Any) -> None:
    with pytest.raises(GraphError, match="needs a name"):
        Graph(name)


# ---------------------------------------------------------------- edges


def test_add_and_edge_return_the_graph_and_bring_what_is_needed() -> None:
    first = node("first", text=Field())
    second = node("second", text=first.output)
    third = node("third", text=None)
    graph = Graph("G")
    assert graph.add(second) is graph
    assert list(graph.nodes) == ["first", "second"]
    assert graph.add(second).nodes == {"first": first, "second": second}
    assert graph.edge(second.output, third.text) is graph
    assert graph.get_connections() == [("first", "output", "second", "text"), ("second", "output", "third", "text")]


def test_an_edge_takes_the_place_of_what_the_input_had_before() -> None:
    one, other = node("one"), node("other")
    fixed, shown, wired = node("fixed", x=3), node("shown", x=Field("typed")), node("wired", x=one.output)
    graph = Graph("G", nodes=[fixed, shown, wired])
    for target in (fixed, shown, wired):
        graph.edge(other.output, target.x)
    assert {edge[:1] + edge[2:] for edge in graph.get_connections()} == {
        ("other", name, "x") for name in ("fixed", "shown", "wired")
    }
    assert [part["inputs"] for part in graph.get_api_schema()["subgraphs"]] == [[], []]


def test_a_refused_circle_leaves_the_graph_as_it_was() -> None:
    first = node("first", text=Field())
    second = node("second", text=first.output)
    graph = Graph("G", nodes=[second])
    before = graph.get_connections(), graph.nodes, graph.get_api_schema()
    with pytest.raises(CycleError, match=r"in a circle: .*first → second|in a circle: .*second → first"):
        graph.edge(second.output, first.text)
    assert (graph.get_connections(), graph.nodes, graph.get_api_schema()) == before


def test_a_refused_circle_of_new_nodes_adds_none_of_them() -> None:
    graph = Graph("G", nodes=[node("here")])
    first = node("first", text=None)
    second = node("second", text=first.output)
    with pytest.raises(CycleError):
        graph.edge(second.output, first.text)
    assert list(graph.nodes) == ["here"]


def test_a_refused_name_adds_no_node() -> None:
    graph = Graph("G", nodes=[node("taken")])
    wanted = node("last", x=node("upstream").output, y=node("taken").output)
    with pytest.raises(DuplicateNodeError):
        graph.add(wanted)
    assert list(graph.nodes) == ["taken"]
    spec_of(wanted).inputs.pop("y")
    assert list(graph.add(wanted).nodes) == ["taken", "upstream", "last"], "what was refused can be mended"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("source", "Node 'a' has no output port 'text'. Its output ports: output."),
        ("target", "Node 'b' has no input port 'output'. Its input ports: text."),
    ],
)
def test_an_edge_goes_from_an_output_to_an_input(wrong: str, message: str) -> None:
    a, b = node("a", text=Field()), node("b", text=Field())
    with pytest.raises(UnknownPortError) as caught:
        Graph("G").edge(a.text if wrong == "source" else a.output, b.output if wrong == "target" else b.text)
    assert caught.value.message == message


def test_an_edge_belongs_to_the_graph_it_was_drawn_in() -> None:
    a, b = node("a"), node("b", x=None)
    with_edge, without = Graph("G", nodes=[a, b]).edge(a.output, b.x), Graph("H", nodes=[a, b])
    assert with_edge.get_subgraphs() == [{"a", "b"}]
    assert without.get_subgraphs() == [{"a"}, {"b"}]


# ---------------------------------------------------------------- reading


def test_the_graph_tells_its_beginnings_its_ends_and_its_parts() -> None:
    a = node("a", text=Field())
    b = node("b", x=a.output)
    c, alone = node("c", x=a.output, y=b.output), node("alone")
    graph = Graph("G", nodes=[c, alone])
    assert graph.get_entry_nodes() == [a, alone]
    assert graph.get_output_nodes() == ["c", "alone"]
    assert graph.get_execution_order() == ["a", "alone", "b", "c"]
    assert graph.get_subgraphs() == [{"a", "b", "c"}, {"alone"}]


def test_the_schema_is_what_clients_of_0_8_read() -> None:
    ask = node("Ask me-now", prompt=Field("hi"), steps=Number(3), chat=Chatbot(), seed=7)
    spec_of(ask).outputs.update({"image": None})
    assert Graph("G", nodes=[ask]).get_api_schema() == {
        "subgraphs": [
            {
                "id": "main",
                "inputs": [
                    {"node": "Ask me-now", "port": "prompt", "type": "field", "id": "Ask_me_now__prompt"},
                    {"node": "Ask me-now", "port": "steps", "type": "number", "id": "Ask_me_now__steps"},
                    {"node": "Ask me-now", "port": "chat", "type": "json", "id": "Ask_me_now__chat"},
                ],
                "outputs": [
                    {"node": "Ask me-now", "port": "output", "type": "text"},
                    {"node": "Ask me-now", "port": "image", "type": "text"},
                ],
            }
        ]
    }


def test_one_component_in_two_places_is_one_input_with_two_ids_and_joins_nothing() -> None:
    shared = Field("both")
    graph = Graph("G", nodes=[node("a", text=shared, own=Field()), node("b", x=shared)])
    drawing = drawing_of(graph)
    assert drawing.inputs["a__text"] is drawing.inputs["b__x"]
    assert drawing.inputs["a__text"].ids == ("a__text", "b__x")
    assert [field.id for field in drawing.fields] == ["a__text", "a__own"]
    assert graph.get_subgraphs() == [{"a"}, {"b"}]
    listed = [field["id"] for part in graph.get_api_schema()["subgraphs"] for field in part["inputs"]]
    assert listed == ["a__text", "a__own", "b__x"]


def test_one_component_in_two_places_of_one_id_is_one_input_of_that_id() -> None:
    shared = Field()
    drawing = drawing_of(Graph("G", nodes=[node("a b", x=shared), node("a-b", x=shared)]))
    assert [field.ids for field in drawing.fields] == [("a_b__x",)]
    assert drawing.fields[0].targets == (("a b", "x"), ("a-b", "x"))


def test_equal_components_are_two_inputs() -> None:
    drawing = drawing_of(Graph("G", nodes=[node("a", x=Field("same")), node("b", x=Field("same"))]))
    assert [field.ids for field in drawing.fields] == [("a__x",), ("b__x",)]


def test_two_inputs_of_one_id_are_refused_by_name() -> None:
    graph = Graph("G", nodes=[node("a b", x=Field()), node("a-b", x=Field())])
    with pytest.raises(GraphError, match=r"Two inputs have the id 'a_b__x': a b\.x and a-b\.x"):
        graph.get_api_schema()


def test_an_invisible_component_stays_in_the_schema() -> None:
    graph = Graph("G", nodes=[node("a", x=Field(visible=False))])
    assert [field["id"] for field in graph.get_api_schema()["subgraphs"][0]["inputs"]] == ["a__x"]
    assert not drawing_of(graph).inputs["a__x"].component.visible


def test_a_drawing_stays_as_it_was_when_the_graph_changes() -> None:
    a, b = node("a"), node("b", x=1)
    graph = Graph("G", nodes=[a, b])
    before = drawing_of(graph)
    assert drawing_of(graph) is before
    graph.edge(a.output, b.x)
    assert before.edges == ()
    assert len(drawing_of(graph).edges) == 1


# ---------------------------------------------------------------- components


@pytest.mark.parametrize(
    ("component", "given", "taken"),
    [
        (Number(), 5.0, 5),
        (Number(), 5.5, 5.5),
        (Number(), 5, 5),
        (Number(), 1e300, 1e300),
        (Number(), float("inf"), float("inf")),
        (Number(precision=0), 5.4, 5),
        (Number(), None, None),
        (Number(), True, True),
        (Field(), 5.0, 5.0),
        (Field(), "5", "5"),
    ],
)
def test_a_number_that_is_whole_is_an_int_however_it_came(component: Field, given: Any, taken: Any) -> None:
    normalised = drawing_of(Graph("G", nodes=[node("a", x=component)])).inputs["a__x"].component.normalise(given)
    assert (type(normalised), normalised) == (type(taken), taken)


def test_file_components_are_known_by_their_kind() -> None:
    drawing = drawing_of(Graph("G", nodes=[node("a", x=Image(), y=Field())]))
    assert drawing.inputs["a__x"].component.is_file
    assert not drawing.inputs["a__y"].component.is_file


# ---------------------------------------------------------------- what graphs ask of the floors above


class Fake:
    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def launch(self, graph: Any, options: Mapping[str, Any]) -> str:
        self.asked.append(("launch", graph, options))
        return "launched"

    def run(self, graph: Any, inputs: Mapping[str, Any], cache: str) -> dict[str, dict[str, Any]]:
        self.asked.append(("run", graph, inputs, cache))
        return {"a": {"output": 1}}

    def test(self, node: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(("test", node, inputs))
        return {"output": 2}


def test_graphs_and_nodes_ask_the_runtime_that_was_installed_last() -> None:
    a = node("a", x=1)
    graph, outer, inner = Graph("G", nodes=[a]), Fake(), Fake()
    with runtime.installed(outer):
        with runtime.installed(inner):
            assert graph.run({"a__x": 2}, cache="only") == {"a": {"output": 1}}
        assert graph.launch(port=0) == "launched"
        assert a.test(x=5) == {"output": 2}
    assert inner.asked == [("run", graph, {"a__x": 2}, "only")]
    assert outer.asked == [("launch", graph, {"port": 0}), ("test", a, {"x": 5})]
