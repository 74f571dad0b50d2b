"""Which way calls go: tasks, providers and policies, told before anything runs."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from daggr import EndpointError, Graph, InferenceNode
from daggr.engine.engine import Engine
from daggr.graph.graph import drawing_of
from daggr.testing.hub import FakeHub
from tests.unit.engine.inference import ask, run_of, wrong


@pytest.fixture(autouse=True)
def _logged_in(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token)


def route(engine: Engine, hub: FakeHub, given: str, **more: Any) -> tuple[str, str]:
    """The task that a node's call is, and the path it goes."""
    run = run_of(engine, InferenceNode(given, inputs={"prompt": "x"}, **more))
    (asked,) = [one for one in hub.requests if one.method == "POST"]
    return run.soft["task"], asked.path


CHAT = ["conversational"]


@pytest.mark.parametrize(
    ("made", "given", "task", "path"),
    [
        ({"tags": CHAT}, "a/m", "conversational", "/v1/chat/completions"),
        ({"tags": CHAT, "providers": {"novita": None}}, "a/m:novita", "conversational", "/novita/v3/openai"),
        ({"tags": CHAT}, "a/m:hf-inference", "conversational", "/hf-inference/models/a/m/v1/chat"),
        ({"task": "image-text-to-text", "tags": CHAT}, "a/m", "conversational", "/v1/chat/completions"),
        ({"providers": {"novita": "conversational"}}, "a/m", "conversational", "/v1/chat/completions"),
        ({"tags": CHAT, "providers": {"novita": "text-generation"}}, "a/m", "text-generation", "/novita"),
        ({}, "a/m", "text-generation", "/hf-inference/models/a/m"),
        ({"task": "text2text-generation"}, "a/m", "text-generation", "/hf-inference/models/a/m"),
        ({"task": "text-to-image", "providers": {"fal-ai": None}}, "a/m", "text-to-image", "/fal-ai/a/m"),
        ({"task": "text-to-image", "providers": {"fal-ai": None}}, "a/m:preferred", "text-to-image", "/fal-ai/a/m"),
        (
            {"task": "text-to-image", "providers": {"fal-ai": None, "nscale": None}},
            "a/m:nscale",
            "text-to-image",
            "/nscale",
        ),
        ({"task": "text-to-image", "providers": {"cohere": None, "fal-ai": None}}, "a/m", "text-to-image", "/fal-ai"),
        ({"task": "", "providers": {"fal-ai": "text-to-image"}}, "a/m", "text-to-image", "/fal-ai/a/m"),
    ],
)
def test_a_call_goes_where_the_model_is_served(
    engine: Engine, hub: FakeHub, made: dict[str, Any], given: str, task: str, path: str
) -> None:
    hub.add_model("a/m", **made)
    if task == "text-generation":
        hub.answer("a/m", [{"generated_text": "and so on"}])
    found = route(engine, hub, given)
    assert found[0] == task
    assert found[1].startswith(path)


def test_a_given_task_comes_first(engine: Engine, hub: FakeHub) -> None:
    hub.add_model("a/m", tags=CHAT)
    assert route(engine, hub, "a/m", task="text-generation") == ("text-generation", "/hf-inference/models/a/m")


@pytest.mark.parametrize("policy", ["cheapest", "fastest", "preferred"])
def test_the_router_is_told_how_to_choose(engine: Engine, hub: FakeHub, policy: str) -> None:
    hub.add_model("a/m", tags=CHAT)
    ask(engine, InferenceNode(f"a/m:{policy}", inputs={"prompt": "x"}))
    assert hub.asked("chat/completions")[-1].json()["model"] == f"a/m:{policy}"


@pytest.mark.parametrize(
    ("made", "given", "more", "message"),
    [
        (None, "a/m", {}, r"Model 'a/m' not found on Hugging Face Hub\. Please check the model name is correct"),
        ({"providers": {}}, "a/m", {}, r"'a/m' is not served by any inference provider \(task: text-generation\)"),
        ({"tags": CHAT}, "a/m:hf-inferense", {}, r"by 'hf-inferense'\. It is served by: hf-inference .*Did you mean"),
        ({"tags": CHAT}, "a/m:cheepest", {}, r"Did you mean 'cheapest'\?"),
        ({"task": "text-to-image"}, "a/m:cheapest", {}, r"only conversational models are served by price or speed"),
        ({"task": "text-to-image"}, "a/m", {"task": "text-to-video"}, r"not served for task 'text-to-video'"),
        ({"task": "text-to-image", "providers": {"cohere": None}}, "a/m", {}, r"pip install -U huggingface_hub"),
        ({"task": "depth-estimation"}, "a/m", {}, r"The Hub has task 'depth-estimation'.*Say what it is asked for"),
        ({"task": ""}, "a/m", {}, r"The Hub has no task, for model 'a/m'"),
    ],
)
def test_a_way_that_there_is_not_is_told_before_anything_runs(
    engine: Engine, hub: FakeHub, made: dict[str, Any] | None, given: str, more: dict[str, Any], message: str
) -> None:
    if made is not None:
        hub.add_model("a/m", **made)
    node = InferenceNode(given, inputs={"prompt": "x"}, **more)
    (error,) = engine.check(drawing_of(Graph("Checked", nodes=[node])))
    assert isinstance(error, EndpointError)
    assert error.where is not None
    assert error.where.startswith("test_inference_route.py:")
    with pytest.raises(EndpointError, match=f"(?s){message}"):
        raise error
    assert not [one for one in hub.requests if one.method == "POST"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"promt": "x", "seed": 1}, "'promt' -> 'prompt'"),
        ({"seed": 1, "width": 8}, "Missing required parameter(s) {'prompt'}"),
        ({"prompt": "x", "steps": 1}, "Invalid parameter(s) {'steps'}"),
    ],
)
def test_arguments_are_checked_before_anything_runs(
    engine: Engine, hub: FakeHub, inputs: dict[str, Any], message: str
) -> None:
    hub.add_model("a/m", task="text-to-image")
    assert message in wrong(engine, InferenceNode("a/m", inputs=inputs))
    assert not wrong(engine, InferenceNode("a/m", inputs=inputs, preprocess=lambda given: given))
    assert not wrong(engine, InferenceNode("a/m", inputs=inputs, validate=False))


def test_nobody_needs_to_be_logged_in_for_the_check(
    engine: Engine, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a Space, those who come bring their own tokens."""
    monkeypatch.delenv("HF_TOKEN")
    hub.add_model("a/m", tags=CHAT)
    assert not wrong(engine, InferenceNode("a/m", inputs={"prompt": gr.Textbox()}))


def test_many_nodes_of_one_model_ask_the_hub_once(engine: Engine, hub: FakeHub) -> None:
    hub.add_model("a/m", task="text-to-image")
    nodes = [InferenceNode("a/m", name=f"n{number}", inputs={"prompt": "x"}) for number in range(8)]
    assert engine.check(drawing_of(Graph("Many", nodes=nodes))) == []
    assert len(hub.asked("/api/models/a/m")) == 1
