"""InferenceNode as a script makes it: names, ports, and what is wrong with it at once."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from daggr import FnNode, Graph, GraphError, InferenceNode, Port
from daggr.graph.nodes.base import spec_of
from daggr.graph.nodes.inference import InferenceSpec


def spec(node: InferenceNode) -> InferenceSpec:
    found = spec_of(node)
    assert isinstance(found, InferenceSpec)
    return found


@pytest.mark.parametrize(
    ("given", "name", "model", "provider", "subtitle"),
    [
        ("meta-llama/Llama-3.1-8B", "Llama-3.1-8B", "meta-llama/Llama-3.1-8B", "", "meta-llama/Llama-3.1-8B"),
        ("a/b:novita", "b", "a/b", "novita", "a/b · novita"),
        ("a/b:Fal-AI", "b", "a/b", "fal-ai", "a/b · fal-ai"),
        ("a/b:cheapest", "b", "a/b", "cheapest", "a/b · cheapest"),
        ("gpt2", "gpt2", "gpt2", "", "gpt2"),
        ("https://huggingface.co/a/b", "b", "a/b", "", "a/b"),
        ("https://huggingface.co/a/b/tree/main?x=1", "b", "a/b", "", "a/b"),
    ],
)
def test_a_model_has_an_owner_a_name_and_maybe_a_provider(
    given: str, name: str, model: str, provider: str, subtitle: str
) -> None:
    node = InferenceNode(given)
    assert node.name == name
    assert (spec(node).model, spec(node).provider) == (model, provider)
    assert spec(node).subtitle == subtitle
    assert spec(node).link == f"https://huggingface.co/{model}"
    assert str(spec(node).repo) == f"model {model}"


@pytest.mark.parametrize("given", ["", "a/b/c", "a b/c", "a/b:", ":novita", "a/../b", "-a/b", None, 7, "a/b:x:y"])
def test_what_can_be_no_model_is_told_with_the_line(given: Any) -> None:
    with pytest.raises(GraphError, match="needs a model's id such as 'owner/name'") as caught:
        InferenceNode(given)
    assert caught.value.where is not None
    assert caught.value.where.startswith("test_inference.py:")


def test_an_address_is_for_a_gradio_node() -> None:
    with pytest.raises(GraphError, match="use GradioNode"):
        InferenceNode("http://localhost:7861")


@pytest.mark.parametrize(
    ("given", "task"),
    [
        ("text-to-image", "text-to-image"),
        ("text_to_image", "text-to-image"),
        ("Chat-Completion", "conversational"),
        ("image-text-to-text", "conversational"),
        ("text2text-generation", "text-generation"),
        ("text-to-audio", "text-to-speech"),
        (None, ""),
    ],
)
def test_a_task_goes_by_several_names(given: str | None, task: str) -> None:
    assert spec(InferenceNode("a/b", task=given)).task == task


@pytest.mark.parametrize("given", ["text-to-imag", 3, ""])
def test_a_task_that_there_is_none_of(given: Any) -> None:
    with pytest.raises(GraphError, match="There is no task") as caught:
        InferenceNode("a/b", task=given)
    assert "automatic-speech-recognition" in caught.value.hint
    if given == "text-to-imag":
        assert "Did you mean 'text-to-image'?" in caught.value.message


def test_without_ports_it_has_one_in_and_one_out() -> None:
    node = InferenceNode("a/b")
    assert list(node.ports) == ["output", "input"]
    for name in ("text", "image", "audio", "video", "output"):
        assert getattr(node, name) == Port(node, "output")
    with pytest.raises(AttributeError, match="Available outputs: output"):
        node.sound  # noqa: B018


def test_named_outputs_have_no_other_names() -> None:
    node = InferenceNode("a/b", outputs={"response": None})
    assert node.response == Port(node, "response")
    with pytest.raises(AttributeError, match="Output port 'text' not found"):
        node.text  # noqa: B018


def test_an_input_keeps_its_name() -> None:
    node = InferenceNode("a/b", inputs={"audio": gr.Audio()})
    assert node.audio == Port(node, "audio")
    assert node.text == Port(node, "output")


def test_the_port_by_its_other_name_connects() -> None:
    painter = InferenceNode("a/painter", inputs={"prompt": "x"})
    after = FnNode(lambda image: image, name="after", inputs={"image": painter.image})
    graph = Graph("Connected", nodes=[after])
    assert graph.get_connections() == [("painter", "output", "after", "image")]


def test_the_sole_input_has_to_come_from_somewhere() -> None:
    with pytest.raises(GraphError, match="has no value for 'input'"):
        Graph("Unbound", nodes=[InferenceNode("a/b")]).get_execution_order()
    graph, source = Graph("Bound"), FnNode(lambda: "x", name="source")
    node = InferenceNode("a/b")
    assert graph.edge(source.output, node.input).get_execution_order() == ["source", "b"]


def test_the_order_of_arguments_is_that_of_old_scripts() -> None:
    def before(inputs: dict[str, Any]) -> dict[str, Any]:
        return inputs

    def after(result: Any) -> Any:
        return result

    node = InferenceNode("a/b", "mine", {"prompt": "x"}, {"y": None}, False, before, after)
    found = spec(node)
    assert (found.name, list(found.inputs), list(found.outputs)) == ("mine", ["prompt"], ["y"])
    assert (found.validate, found.preprocess, found.postprocess) == (False, before, after)


@pytest.mark.parametrize(
    "wrong", [{"revision": "main"}, {"timeout": 0}, {"idle_timeout": -1}, {"connect_timeout": "x"}, {"retries": -1}]
)
def test_arguments_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(GraphError):
        InferenceNode("a/b", **wrong)
