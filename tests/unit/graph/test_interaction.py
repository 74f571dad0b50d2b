"""Interactions: steps that wait for a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daggr import Graph, InteractionNode, ops
from daggr.errors import GraphError, UnknownInputError
from daggr.graph.graph import drawing_of
from daggr.graph.nodes.base import spec_of
from daggr.graph.nodes.interaction import InteractionSpec
from tests.handmade import Field, node


@pytest.mark.parametrize(
    ("made", "name", "kind", "inputs", "outputs"),
    [
        (lambda: InteractionNode(), "interaction", "generic", ["input"], ["output"]),
        (lambda: InteractionNode("Look", "approve"), "Look", "approve", ["input"], ["output"]),
        (
            lambda: InteractionNode("Look", "choose_one", {"a": [1]}, {"b": None}),
            "Look",
            "choose_one",
            ["a"],
            ["b"],
        ),
        (lambda: ops.ChooseOne(), "choose_one", "choose_one", ["options"], ["selected"]),
        (lambda: ops.Approve(), "approve", "approve", ["input"], ["output"]),
        (lambda: ops.TextInput(), "text_input", "text_input", [], ["text"]),
        (lambda: ops.ImageInput("Photo", "Your photo"), "Photo", "image_input", [], ["image"]),
    ],
)
def test_what_is_asked_and_through_which_ports(
    made: Callable[[], InteractionNode], name: str, kind: str, inputs: list[str], outputs: list[str]
) -> None:
    node_ = made()
    spec = spec_of(node_)
    assert isinstance(spec, InteractionSpec)
    assert (node_.name, spec.interaction_type) == (name, kind)
    assert (list(spec.inputs), list(spec.outputs)) == (inputs, outputs)
    assert spec.kind == "interaction"
    assert (spec.where or "").startswith("test_interaction.py:")


def test_default_names_are_counted() -> None:
    nodes = [InteractionNode(), InteractionNode(), ops.Approve(), ops.Approve()]
    assert list(Graph("G", nodes=nodes).nodes) == ["interaction", "interaction_1", "approve", "approve_1"]


def test_the_widgets_of_an_answer_are_labelled_as_asked() -> None:
    text, image = spec_of(ops.TextInput(label="Title")).outputs["text"], spec_of(ops.ImageInput()).outputs["image"]
    assert text is not None
    assert image is not None
    assert (text.type, text.label, text.is_file) == ("textbox", "Title", False)
    assert (image.type, image.label, image.is_file) == ("image", "Image", True)


def test_it_stands_between_nodes_like_any_other() -> None:
    draw = node("draw")
    pick, look = ops.ChooseOne(inputs={"options": draw.output}), ops.Approve()
    graph = Graph("G", nodes=[node("frame", image=look.output)]).edge(pick.selected, look.input)
    assert graph.get_execution_order() == ["draw", "choose_one", "approve", "frame"]
    assert drawing_of(graph).nodes["choose_one"].kind == "interaction"
    assert [out["type"] for out in Graph("H", nodes=[ops.TextInput()]).get_api_schema()["subgraphs"][0]["outputs"]] == [
        "textbox"
    ]


def test_only_a_choice_of_nothing_needs_a_value() -> None:
    assert Graph("G", nodes=[InteractionNode(), ops.Approve(), ops.TextInput()]).get_execution_order()
    for made in (ops.ChooseOne(), InteractionNode(interaction_type="choose_one")):
        with pytest.raises(GraphError, match="has no value for"):
            Graph("G", nodes=[made]).get_execution_order()


def test_an_input_of_its_own_is_an_input_of_the_graph() -> None:
    made = InteractionNode("look", inputs={"note": Field("hi"), "size": 3})
    assert [field.id for field in drawing_of(Graph("G", nodes=[made])).fields] == ["look__note"]


@pytest.mark.parametrize("wrong", ["aprove", "", 3, None])
def test_an_unknown_type_is_told_with_those_there_are(wrong: Any) -> None:
    with pytest.raises(GraphError, match="Available types: generic, approve, choose_one") as caught:
        InteractionNode(interaction_type=wrong)
    assert ("Did you mean 'approve'?" in str(caught.value)) == (wrong == "aprove")


def test_a_wrong_input_of_a_ready_question_is_told() -> None:
    with pytest.raises(UnknownInputError) as caught:
        ops.ChooseOne(inputs={"option": [1, 2]})
    assert caught.value.message == (
        "Invalid input(s) {'option'} for ChooseOne. Did you mean: 'option' -> 'options'? Valid inputs: {'options'}"
    )
    assert (caught.value.where or "").startswith("test_interaction.py:")
