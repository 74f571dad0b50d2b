"""Choices between nodes: `a | b | c`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daggr import ChoiceNode, FnNode, GradioNode, Graph, InputNode, InteractionNode, Node
from daggr.errors import CycleError, GraphError, UnknownInputError, UnknownPortError
from daggr.graph.component import CHOICE
from daggr.graph.edge import Take
from daggr.graph.graph import drawing_of
from daggr.graph.nodes.base import spec_of
from daggr.graph.nodes.choice import ChoiceSpec
from daggr.graph.port import FixedSource
from tests.handmade import Field, Image, node


def voice(text: str) -> str:
    return text


def variants(made: Node) -> list[str]:
    spec = spec_of(made)
    assert isinstance(spec, ChoiceSpec)
    return list(spec.variants)


def spoken(name: str, *ports: str, **inputs: Any) -> FnNode:
    """A node that gives `ports`."""
    return FnNode(
        lambda **inputs: None, name=name, inputs=inputs, outputs={port: Field() for port in ports or ("audio",)}
    )


# ---------------------------------------------------------------- making one


@pytest.mark.parametrize(
    ("join", "names"),
    [
        (lambda a, b, c: a | b | c, ["a", "b", "c"]),
        (lambda a, b, c: a | (b | c), ["a", "b", "c"]),
        (lambda a, b, c: (c | b) | (a | b), ["c", "b", "a", "b_1"]),
        (lambda a, b, c: ChoiceNode([a, b | c]), ["a", "b", "c"]),
        (lambda a, b, c: ChoiceNode([b]), ["b"]),
    ],
)
def test_choices_are_joined_in_order(join: Callable[..., Node], names: list[str]) -> None:
    made = join(spoken("a"), spoken("b"), spoken("c"))
    assert isinstance(made, ChoiceNode)
    assert variants(made) == names
    assert made.name == names[0]


def test_a_choice_can_be_named_and_keeps_its_name_when_it_grows() -> None:
    made = spoken("a") | spoken("b")
    made.name = "Voice"
    assert (made | spoken("c")).name == "Voice"
    assert (spoken("z") | made).name == "z"
    assert ChoiceNode([spoken("a")], "Given").name == "Given"


def test_variants_of_one_name_are_counted_around_names_that_are_taken() -> None:
    assert variants(spoken("a") | spoken("a") | spoken("a_1")) == ["a", "a_2", "a_1"]


def test_a_renamed_variant_is_known_by_its_new_name() -> None:
    slow = spoken("slow")
    graph = Graph("G", nodes=[spoken("fast") | slow])
    assert drawing_of(graph).choices["fast"].component.config["choices"] == ["fast", "slow"]
    slow.name = "thorough"
    assert drawing_of(graph).choices["fast"].component.config["choices"] == ["fast", "thorough"]


@pytest.mark.parametrize(
    "wrong", [lambda a: a | 3, lambda a: a | InputNode(), lambda a: ChoiceNode([]), lambda a: a | None]
)
def test_a_choice_is_made_of_nodes_that_run(wrong: Callable[[Node], Any]) -> None:
    with pytest.raises(GraphError) as caught:
        wrong(spoken("a"))
    assert (caught.value.where or "").startswith("test_choice.py:")


def test_any_kind_of_node_that_runs_can_be_a_variant() -> None:
    made = FnNode(voice) | GradioNode("me/tts", outputs={"output": None}) | InteractionNode("ask")
    assert variants(made) == ["voice", "tts", "ask"]


# ---------------------------------------------------------------- in a graph


def test_a_graph_has_the_choice_and_what_its_variants_need_but_not_them() -> None:
    above, beside = node("above"), node("beside")
    made = spoken("a", text=above.output) | spoken("b", words=beside.output)
    below = node("below", audio=made.audio)
    graph = Graph("G", nodes=[below])
    assert graph.nodes == {"above": above, "beside": beside, "a": made, "below": below}
    assert graph.get_connections() == [
        ("above", "output", "a", "text"),
        ("beside", "output", "a", "words"),
        ("a", "audio", "below", "audio"),
    ]
    assert graph.get_execution_order() == ["above", "beside", "a", "below"]
    assert graph.get_subgraphs() == [{"above", "beside", "a", "below"}]
    assert graph.get_entry_nodes() == [above, beside]
    assert graph.get_output_nodes() == ["below"]


def test_repeats_of_a_choices_default_name_are_counted() -> None:
    first, second = spoken("a") | spoken("b"), spoken("a") | spoken("c")
    assert Graph("G", nodes=[first, second]).nodes == {"a": first, "a_1": second}


def test_its_ports_are_those_of_all_variants() -> None:
    made = spoken("a", "audio", text=1) | spoken("b", "audio", "seconds", words=2)
    assert list(made.ports) == ["audio", "seconds", "text", "words"]
    assert spec_of(spoken("a", text=1) | spoken("b", text=2)).inputs == {"text": FixedSource(1)}
    assert {"audio", "seconds", "text", "words"} <= set(dir(made))


def test_the_first_component_shows_an_output() -> None:
    first, second = Image(), Field()
    made = (
        FnNode(voice, outputs={"audio": None})
        | FnNode(voice, outputs={"audio": first})
        | FnNode(voice, outputs={"audio": second})
    )
    shown = spec_of(made).outputs["audio"]
    assert shown is not None
    assert shown.source is first


def test_an_output_that_others_use_must_be_in_every_variant() -> None:
    made = spoken("a", "audio", "seconds", text=1) | spoken("b", "audio", text=2)
    for draw in (
        lambda: Graph("G", nodes=[node("below", x=made.seconds)]),
        lambda: Graph("G").edge(made.seconds, node("below", x=None).x),
    ):
        with pytest.raises(UnknownPortError) as caught:
            draw()
        assert caught.value.message == (
            "Output port 'seconds' not found on variant 'b' of the choice 'a'. Available outputs: audio."
        )
        assert caught.value.where
    assert Graph("G", nodes=[node("below", x=made.audio)]).get_output_nodes() == ["below"], "unused ports may differ"


def test_a_variant_is_no_node_of_its_own() -> None:
    one = spoken("a", text=1)
    made = one | spoken("b", text=2)
    with pytest.raises(GraphError, match="Node 'a' is a variant of the choice 'a'") as caught:
        Graph("G", nodes=[made, node("below", x=one.audio)])
    assert "(a | b).audio" in caught.value.hint
    assert made.name == "a"


def test_a_missing_value_names_the_variant() -> None:
    made = FnNode(voice, name="a", inputs={"text": "hi"}) | FnNode(voice, name="b")
    with pytest.raises(GraphError, match="Node 'a', variant 'b', has no value for 'text'"):
        Graph("G", nodes=[made]).get_api_schema()


def test_a_circle_through_a_variant_is_a_circle() -> None:
    made = spoken("a", text=1) | spoken("b", text=None)
    below = node("below", x=made.audio)
    graph = Graph("G", nodes=[below])
    with pytest.raises(CycleError, match="in a circle"):
        graph.edge(below.output, made.text)
    assert graph.get_connections() == [("a", "audio", "below", "x")]


def test_a_circle_drawn_into_a_variant_is_a_circle() -> None:
    one, other = spoken("a", text=1), spoken("b", text=None)
    below = node("below", x=(one | other).audio)
    with pytest.raises(CycleError, match="in a circle"):
        Graph("G", nodes=[below]).edge(below.output, other.text)


def test_an_edge_gives_a_variant_the_value_it_misses() -> None:
    made = FnNode(voice, name="a") | FnNode(voice, name="b")
    graph = Graph("G", nodes=[made]).edge(node("above").output, made.text)
    assert graph.get_execution_order() == ["above", "a"]


def test_what_variants_take_in_different_ways_is_one_connection() -> None:
    above = node("above")
    graph = Graph("G", nodes=[spoken("a", text=above.output) | spoken("b", text=above.output.each)])
    assert graph.get_connections() == [("above", "output", "a", "text")]
    assert [edge.take.mode for edge in drawing_of(graph).edges] == ["whole", "each"]


def test_an_edge_into_a_choice_feeds_all_variants_that_have_the_port_and_one_into_a_variant_it_alone() -> None:
    one, other = spoken("a", text=1), spoken("b", text=2, speed=3)
    made, above, beside = one | other, node("above"), node("beside")
    drawing = drawing_of(Graph("G", nodes=[made]).edge(above.output, made.text).edge(beside.output, other.speed))
    edges = {name: {edge.id for edge in drawing.choose({"a": name}).edges} for name in ("a", "b")}
    assert edges == {"a": {"above.output->a.text"}, "b": {"above.output->a.text", "beside.output->a.speed"}}
    again = drawing_of(Graph("G", nodes=[made]).edge(above.output, one.text).edge(beside.output, made.text))
    assert {edge.source for name in "ab" for edge in again.choose({"a": name}).edges} == {"beside"}


# ---------------------------------------------------------------- inputs and the selection


def test_the_selection_is_an_input_under_the_new_and_the_old_id() -> None:
    drawing = drawing_of(Graph("G", nodes=[FnNode(voice, name="my voice", inputs={"text": "a"}) | spoken("b")]))
    selection = drawing.choices["my voice"]
    assert selection.ids == ("my_voice__variant", "my_voice___selected_variant")
    assert drawing.inputs["my_voice__variant"] is drawing.inputs["my_voice___selected_variant"] is selection
    assert selection in drawing.fields
    assert (selection.targets, selection.component.value, selection.component.type) == ((), "my voice", CHOICE)
    assert not selection.component.visible


@pytest.mark.parametrize(("given", "meant"), [(1, "b"), (0, "a"), ("b", "b"), (2, 2), (-1, -1), (True, True)])
def test_clients_of_0_8_select_by_number(given: Any, meant: Any) -> None:
    component = drawing_of(Graph("G", nodes=[spoken("a") | spoken("b")])).choices["a"].component
    taken = component.normalise(given)
    assert (type(taken), taken) == (type(meant), meant)


def test_the_inputs_of_variants_have_ids_of_their_own() -> None:
    made = spoken("a", text=Field("1")) | spoken("b", text=Field("2"), more=Field("3")) | spoken("c d", text=Field("4"))
    made.name = "Voice-1"
    drawing = drawing_of(Graph("G", nodes=[made]))
    shown = {field.id: (field.component.value, field.variant) for field in drawing.fields if field.targets}
    assert shown == {
        "Voice_1__text": ("1", "a"),
        "Voice_1__b__text": ("2", "b"),
        "Voice_1__more": ("3", "b"),
        "Voice_1__c_d__text": ("4", "c d"),
    }
    assert {field.targets for field in drawing.fields} == {(), (("Voice-1", "text"),), (("Voice-1", "more"),)}


def test_a_port_named_like_the_selection_gives_way_to_it() -> None:
    drawing = drawing_of(Graph("G", nodes=[spoken("a", variant=Field("mine")) | spoken("b")]))
    assert drawing.inputs["a__variant"] is drawing.choices["a"]
    assert drawing.inputs["a__a__variant"].component.value == "mine"


def test_variants_whose_inputs_would_have_one_id_are_refused_by_name() -> None:
    made = spoken("x", text=Field()) | spoken("a b", text=Field()) | spoken("a-b", text=Field())
    with pytest.raises(GraphError, match=r"Two inputs have the id 'x__a_b__text': a b\.text and a-b\.text"):
        Graph("G", nodes=[made]).get_api_schema()


def test_a_component_given_to_two_variants_is_one_input_of_both() -> None:
    text = Field("both")
    made = spoken("a", text=text) | spoken("b", text=text) | spoken("c", words=text)
    drawing = drawing_of(Graph("G", nodes=[made, node("n", x=text)]))
    field = drawing.inputs["a__text"]
    assert field.ids == ("a__text", "a__words", "n__x")
    assert field.targets == (("a", "text"), ("a", "words"), ("n", "x"))
    assert field.variant == ""
    assert {name: drawing.choose({"a": name}).inputs["n__x"].targets for name in "abc"} == {
        "a": (("a", "text"), ("n", "x")),
        "b": (("a", "text"), ("n", "x")),
        "c": (("a", "words"), ("n", "x")),
    }


def test_the_schema_lists_the_inputs_of_all_variants_and_not_the_selection() -> None:
    made = spoken("a", text=Field()) | spoken("b", text=Field(), ref=Image())
    schema = Graph("G", nodes=[made]).get_api_schema()["subgraphs"][0]
    assert schema["inputs"] == [
        {"node": "a", "port": "text", "type": "field", "id": "a__text"},
        {"node": "a", "port": "text", "type": "field", "id": "a__b__text"},
        {"node": "a", "port": "ref", "type": "image", "id": "a__ref"},
    ]
    assert schema["outputs"] == [{"node": "a", "port": "audio", "type": "field"}]


# ---------------------------------------------------------------- choosing


def choice_graph() -> Graph:
    """Variant `a` takes a person's text, `b` the items of `above`."""
    made = spoken("a", "audio", "a only", text=Field()) | spoken("b", "b only", "audio", text=node("above").output.each)
    return Graph("G", nodes=[node("below", x=made.audio), made])


def test_the_first_variant_is_chosen_where_none_is_selected() -> None:
    drawing = drawing_of(choice_graph())
    assert drawing.choose({}) is drawing.choose({"a": "a"})
    assert drawing.choose({}).selected == {"a": "a"}


def test_a_chosen_drawing_has_the_variant_in_the_place_of_its_choice() -> None:
    drawing = drawing_of(choice_graph())
    first, second = drawing.choose({"a": "a"}), drawing.choose({"a": "b"})
    assert drawing.nodes["a"].kind == "choice"
    for chosen, ports in ((first, ["audio", "a only"]), (second, ["b only", "audio"])):
        spec = chosen.nodes["a"]
        assert (spec.kind, spec.name, list(spec.outputs)) == ("fn", "a", ports)
        assert list(chosen.nodes) == list(drawing.nodes)
        assert chosen.subgraphs == drawing.subgraphs
        assert list(chosen.inputs) == list(drawing.inputs)
        assert chosen.nodes["below"] is drawing.nodes["below"]
    assert [edge.id for edge in first.edges] == ["a.audio->below.x"]
    assert sorted(edge.id for edge in second.edges) == ["a.audio->below.x", "above.output->a.text"]
    assert (first.input_of.get(("a", "text")), second.input_of.get(("a", "text"))) == (first.inputs["a__text"], None)
    assert (first.ancestors("below"), second.ancestors("below")) == ({"a", "below"}, {"above", "a", "below"})


def test_what_is_scattered_depends_on_the_variant() -> None:
    drawing = drawing_of(choice_graph())
    assert drawing.choose({"a": "a"}).scattered == frozenset()
    assert drawing.choose({"a": "b"}).scattered == {"a", "below"}
    assert drawing.choose({"a": "b"}).takes == {("a", "text"): Take("each")}
    assert not drawing.choose({"a": "a"}).splits("below", "x")


def test_choosing_again_gives_the_same_drawing_and_from_any_of_them() -> None:
    drawing = drawing_of(choice_graph())
    second = drawing.choose({"a": "b"})
    assert drawing.choose({"a": "b"}) is second is second.choose({"a": "b"}) is drawing.choose({}).choose({"a": "b"})
    assert second.choose({}) is drawing.choose({})
    assert second.nodes["a"] is drawing.choose({"a": "b"}).nodes["a"]


def test_a_drawing_without_choices_is_its_own() -> None:
    drawing = drawing_of(Graph("G", nodes=[node("n")]))
    assert drawing.choose({}) is drawing


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"a": "bb"}, "Choice 'a' has no variant 'bb'. Variants: a, b."),
        ({"b": "a"}, "There is no choice 'b'. Choices: a."),
        ({"a": 1}, "Choice 'a' has no variant 1. Variants: a, b."),
    ],
)
def test_a_wrong_selection_is_told(selection: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownInputError) as caught:
        drawing_of(choice_graph()).choose(selection)
    assert caught.value.message.startswith(message)


def test_many_selections_do_not_fill_the_memory() -> None:
    nodes = [spoken(f"a{number}") | spoken(f"b{number}") for number in range(8)]
    drawing = drawing_of(Graph("G", nodes=nodes))
    for number in range(256):
        drawing.choose({f"a{bit}": f"b{bit}" for bit in range(8) if number >> bit & 1})
    assert drawing._chosen.cache_info().currsize <= 64  # type: ignore[attr-defined]


def test_groups_of_variants_agree_on_their_limit() -> None:
    made = FnNode(voice, "a", {"text": ""}, concurrency_group="gpu") | FnNode(
        voice, "b", {"text": ""}, concurrency_group="gpu", max_concurrent=2
    )
    with pytest.raises(GraphError, match="'a' and 'b' give the group 'gpu' different limits: 1 and 2"):
        Graph("G", nodes=[made]).get_execution_order()
