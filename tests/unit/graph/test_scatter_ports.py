"""Scatter and gather, as scripts write them: `.each`, `.each["key"]`, `.all()`, and the fields of an `ItemList`."""

from __future__ import annotations

from typing import Any

import pytest

from daggr import FnNode, Graph, InputNode, ItemList, Port
from daggr.errors import GraphError, ScatterError, UnknownPortError
from daggr.graph.drawing import Drawing
from daggr.graph.edge import WHOLE, Take
from daggr.graph.graph import drawing_of
from daggr.graph.nodes.base import spec_of
from tests.handmade import Field, Number, node


def lines_of(topic: str = "") -> list[dict[str, str]]:
    return []


def script() -> FnNode:
    """A node that gives a list of items with the fields `speaker` and `text`."""
    return FnNode(
        lines_of, name="script", outputs={"items": ItemList(speaker=Field(), text=Field(lines=2)), "raw": Field()}
    )


def drawn(*nodes: Any) -> Drawing:
    return drawing_of(Graph("G", nodes=nodes))


# ---------------------------------------------------------------- what is taken


def test_an_input_takes_items_a_field_of_them_or_all_results() -> None:
    lines = node("lines")
    speech = node("speech", text=lines.output.each["text"], line=lines.output.each, first=lines.output.each[0])
    final = node("final", audio=speech.output.all(), kept=speech.output.all(on_item_error="skip"))
    drawing = drawn(final)
    assert drawing.takes == {
        ("speech", "text"): Take("each", "text"),
        ("speech", "line"): Take("each"),
        ("speech", "first"): Take("each", 0),
        ("final", "audio"): Take("all"),
        ("final", "kept"): Take("all", on_item_error="skip"),
    }
    assert drawing.scattered == {"speech"}
    assert drawing.edge_into["speech", "text"].id == "lines.output->speech.text"


def test_graph_edge_takes_items_and_results_too() -> None:
    lines, speech, final = node("lines"), node("speech", text=None), node("final", audio=None)
    graph = Graph("G").edge(lines.output.each["text"], speech.text).edge(speech.output.all(), final.audio)
    assert drawing_of(graph).takes == {("speech", "text"): Take("each", "text"), ("final", "audio"): Take("all")}
    graph.edge(lines.output, speech.text)
    assert drawing_of(graph).takes == {}, "the new edge takes the place of the old one, and what it took"


def test_a_plain_edge_from_a_scattered_node_goes_on_item_by_item_until_it_is_gathered() -> None:
    lines = node("lines")
    speech = node("speech", text=lines.output.each)
    louder = node("louder", audio=speech.output, level=1)
    final = node("final", audio=louder.output.all())
    after = node("after", audio=final.output, lines=lines.output)
    drawing = drawn(after)
    assert drawing.scattered == {"speech", "louder"}
    splits = {
        (edge.target, edge.target_port) for edge in drawing.edges if drawing.splits(edge.target, edge.target_port)
    }
    assert splits == {("speech", "text"), ("louder", "audio")}
    assert not drawing.splits("louder", "level")


def test_to_gather_what_is_not_scattered_is_a_plain_edge() -> None:
    one = node("one")
    drawing = drawn(node("other", x=one.output.all()))
    assert drawing.takes == {}
    assert drawing.takes.get(("other", "x"), WHOLE) == WHOLE
    assert not drawing.splits("other", "x")


def test_a_list_that_a_person_gives_is_scattered_as_well() -> None:
    asked = InputNode(ports={"names": Field()})
    drawing = drawn(node("greet", who=asked.names.each))
    assert drawing.scattered == {"greet"}
    assert drawing.splits("greet", "who")
    assert drawing.takes["greet", "who"] == Take("each")


@pytest.mark.parametrize("wrong", [True, 1.5, None, slice(0, 2), ("a", "b")])
def test_a_key_is_a_text_or_a_whole_number(wrong: Any) -> None:
    with pytest.raises(ScatterError, match=r"a text or a whole number") as caught:
        node("lines").output.each[wrong]
    assert (caught.value.where or "").startswith("test_scatter_ports.py:")


def test_one_key_is_taken_not_two() -> None:
    with pytest.raises(ScatterError, match=r"takes one key"):
        node("lines").output.each["a"]["b"]


def test_items_are_known_when_the_workflow_runs_so_nobody_iterates_over_them_before() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        iter(node("lines").output.each)  # type: ignore[call-overload]


def test_what_to_do_with_failed_items_is_one_of_two_words() -> None:
    with pytest.raises(ScatterError, match=r"on_item_error is 'fail' or 'skip'; given: 'ignore'"):
        node("lines").output.all(on_item_error="ignore")  # type: ignore[arg-type]


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize("through", ["each", "plain"])
def test_items_of_a_node_that_runs_for_every_item_are_refused_with_what_to_do(through: str) -> None:
    lines = node("lines")
    speech = node("speech", text=lines.output.each)
    between = speech if through == "each" else node("between", audio=speech.output)
    again = node("again", word=between.output.each)
    with pytest.raises(ScatterError, match=r"Gather it with \.all\(\) first") as caught:
        Graph("G", nodes=[again]).get_execution_order()
    assert f"again.word takes {between.name}.output.each, but {between.name!r} runs once for every item" in str(
        caught.value
    )
    assert caught.value.where == spec_of(again).where
    assert isinstance(caught.value, ValueError)


def test_forgotten_brackets_are_told() -> None:
    with pytest.raises(GraphError, match=r"speech\.output\.all is a method: write \.all\(\)"):
        node("final", audio=node("speech").output.all)


def test_a_field_without_brackets_is_told_how_to_write_it() -> None:
    with pytest.raises(UnknownPortError, match=r"write lines\.output\.each\['text'\]"):
        _ = node("lines").output.text
    with pytest.raises(UnknownPortError, match=r"Write \.each\['text'\]"):
        _ = node("lines").output.each.text
    with pytest.raises(UnknownPortError, match=r"Did you mean 'each'\?"):
        _ = node("lines").output.eahc


def test_items_of_a_port_that_is_not_there_are_told_like_the_port() -> None:
    lines = node("lines")
    with pytest.raises(UnknownPortError, match="not found on node 'lines'"):
        _ = lines.outptu.each
    with pytest.raises(UnknownPortError, match="has no output port 'x'"):
        Graph("G").edge(Port(lines, "x").each, node("n", x=None).x)


# ---------------------------------------------------------------- lists of items with fields


def test_a_field_of_an_item_list_scatters() -> None:
    dialogue = script()
    assert dialogue.items.text == dialogue.items.each["text"]
    assert {"speaker", "text"} <= set(dir(dialogue.items))
    assert drawn(node("speech", text=dialogue.items.text)).takes == {("speech", "text"): Take("each", "text")}


def test_an_item_list_reads_as_a_component_with_a_schema() -> None:
    component = spec_of(script()).outputs["items"]
    assert component is not None
    assert (component.type, component.fields) == ("itemlist", ("speaker", "text"))
    assert component.config["schema"]["text"] == {"type": "textbox", "config": {"visible": True, "lines": 2}}
    raw = spec_of(script()).outputs["raw"]
    assert raw is not None
    assert raw.fields == ()


def test_an_unknown_field_is_told_with_the_closest_one() -> None:
    with pytest.raises(UnknownPortError) as caught:
        _ = script().items.spaeker
    assert (
        caught.value.message
        == "script.items has no field 'spaeker'. Its fields: speaker, text. Did you mean 'speaker'?"
    )
    assert isinstance(caught.value, AttributeError)


def test_items_may_have_more_than_their_list_shows() -> None:
    assert script().items.each["id"].take == Take("each", "id")


@pytest.mark.parametrize("wrong", [{}, {"text": None}, {"text": "Textbox"}, {"text": Field}])
def test_an_item_list_is_made_of_components(wrong: dict[str, Any]) -> None:
    with pytest.raises(GraphError, match="one Gradio component for each field"):
        ItemList(**wrong)


def test_a_field_that_a_port_has_of_its_own_is_reached_with_brackets_and_says_so() -> None:
    with pytest.warns(UserWarning, match=r"write port\.each\['name'\]"):
        people = ItemList(name=Field(), age=Number())
    made = FnNode(lines_of, outputs={"people": people})
    assert made.people.name == "people"
    assert made.people.each["name"].take == Take("each", "name")


def test_an_item_list_shows_an_output_and_is_no_input() -> None:
    with pytest.raises(GraphError, match="it shows an output"):
        FnNode(lines_of, inputs={"topic": ItemList(text=Field())})
