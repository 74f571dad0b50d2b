"""What scripts made for 0.8 rely on, line by line, where no other file of this folder tells it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import daggr
from daggr import (
    ChoiceNode,
    FnNode,
    GradioNode,
    Graph,
    InputNode,
    InteractionNode,
    ItemList,
    Node,
    ops,
    runtime,
    state,
)
from daggr.errors import GraphError, UnknownInputError
from daggr.graph.graph import drawing_of
from daggr.graph.nodes.base import spec_of
from daggr.graph.port import FixedSource, SampledSource
from tests.handmade import Field, Image, node


def positional(kind: Callable[..., Any]) -> str:
    parameters = inspect.signature(kind).parameters.items()
    return " ".join(name for name, p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)


def one(text: str) -> str:
    return text


# ---------------------------------------------------------------- names


def test_what_can_be_imported() -> None:
    promised = "Graph Node FnNode GradioNode InputNode InteractionNode ChoiceNode ItemList Port Edge __version__"
    assert set(promised.split()) <= set(daggr.__all__)
    assert {"ChooseOne", "Approve", "TextInput", "ImageInput"} <= set(vars(ops))


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        (InteractionNode, "name interaction_type inputs outputs"),
        (InputNode, "name ports"),
        (ChoiceNode, "variants name"),
        (ops.ChooseOne, "name"),
        (ops.Approve, "name"),
        (ops.TextInput, "name label"),
        (ops.ImageInput, "name label"),
        (Graph.run, "self inputs cache"),
        (Graph.arun, "self inputs cache"),
        (Graph.edge, "self source target"),
    ],
)
def test_arguments_keep_their_positions(kind: Callable[..., Any], order: str) -> None:
    assert positional(kind) == order


def test_an_item_list_takes_its_fields_by_name() -> None:
    assert [p.kind for p in inspect.signature(ItemList).parameters.values()] == [inspect.Parameter.VAR_KEYWORD]


def test_a_graph_has_all_its_methods() -> None:
    promised = "add edge nodes get_entry_nodes get_execution_order get_connections get_subgraphs get_output_nodes"
    assert all(hasattr(Graph, name) for name in f"{promised} get_api_schema launch run arun".split())


@pytest.mark.parametrize(
    "made", [lambda: FnNode(one), lambda: InputNode(), lambda: one_of_two(), lambda: ops.Approve()]
)
def test_every_node_can_be_renamed(made: Callable[[], Node]) -> None:
    renamed = made()
    renamed.name = "Another"
    assert list(Graph("G", nodes=[renamed]).nodes) == ["Another"]


def one_of_two() -> ChoiceNode:
    return ChoiceNode([FnNode(one, "a", {"text": ""}), FnNode(one, "b", {"text": ""})])


# ---------------------------------------------------------------- inputs and outputs


def test_none_is_a_fixed_value() -> None:
    assert spec_of(FnNode(one, inputs={"text": None})).inputs["text"] == FixedSource(None)


def test_a_callable_is_sampled_and_gives_no_input() -> None:
    made = FnNode(one, inputs={"text": random.random})
    assert isinstance(spec_of(made).inputs["text"], SampledSource)
    assert Graph("G", nodes=[made]).get_api_schema()["subgraphs"][0]["inputs"] == []


def test_without_outputs_there_is_one_hidden_port() -> None:
    assert spec_of(FnNode(one)).outputs == spec_of(FnNode(one, outputs={})).outputs == {"output": None}


def test_the_signature_is_that_of_the_visible_function() -> None:
    def logged(fn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fn)
        def call(*args: Any) -> Any:
            return fn(*args)

        return call

    assert list(FnNode(logged(one)).ports) == ["output", "text"]


class Progress:
    """Stands for gradio.Progress, which is told by its name and where it is from."""

    __module__ = "gradio.helpers"


def test_gradios_progress_is_given_and_is_no_port() -> None:
    def train(steps: int, progress: Any = Progress()) -> None: ...  # noqa: B008

    assert list(FnNode(train).ports) == ["output", "steps"]
    with pytest.raises(UnknownInputError, match="Invalid input"):
        FnNode(train, inputs={"steps": 3, "progress": Field()})


def test_another_class_of_that_name_is_a_port() -> None:
    class Progress: ...

    def train(progress: Any = Progress()) -> None: ...  # noqa: B008

    assert list(FnNode(train).ports) == ["output", "progress"]


@pytest.mark.parametrize("where", ["input", "output"])
@pytest.mark.parametrize(("given", "warned"), [("numpy", True), ("pil", True), ("filepath", False), (None, False)])
def test_a_type_that_files_do_not_travel_as_is_warned_of(where: str, given: str | None, warned: bool) -> None:
    image = Image()
    image._constructor_args = [{"type": given}]  # type: ignore[attr-defined]
    ports = {"inputs": {"text": image}} if where == "input" else {"outputs": {"picture": image}}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        FnNode(one, **ports)  # type: ignore[arg-type]
    assert [f"type={given!r}" in str(warning.message) for warning in caught] == ([True] if warned else [])
    assert [warning.filename for warning in caught] == ([__file__] if warned else [])


# ---------------------------------------------------------------- functions and their limits


def test_a_group_implies_concurrency_and_its_limit_is_agreed_on() -> None:
    nodes = [
        FnNode(one, name, {"text": ""}, concurrency_group="gpu", max_concurrent=limit)
        for name, limit in [("a", 1), ("b", 3)]
    ]
    assert all(spec_of(made).concurrent for made in nodes)  # type: ignore[attr-defined]
    with pytest.raises(GraphError, match="'a' and 'b'"):
        Graph("G", nodes=nodes).get_execution_order()


@pytest.mark.parametrize("seconds", [None, 1, 0.5])
def test_how_long_a_node_may_take(seconds: float | None) -> None:
    assert spec_of(FnNode(one, timeout=seconds)).timeout == seconds
    spec: Any = spec_of(GradioNode("me/app", timeout=seconds, connect_timeout=seconds, idle_timeout=seconds))
    assert (spec.timeout, spec.connect_timeout, spec.idle_timeout, spec.retries) == (seconds, seconds, seconds, 2)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (FnNode, {"timeout": 0}),
        (FnNode, {"timeout": -1}),
        (FnNode, {"timeout": "10"}),
        (FnNode, {"timeout": True}),
        (FnNode, {"timeout": float("inf")}),
        (FnNode, {"timeout": float("nan")}),
        (GradioNode, {"connect_timeout": 0}),
        (GradioNode, {"idle_timeout": "soon"}),
        (GradioNode, {"retries": -1}),
        (GradioNode, {"retries": 1.5}),
        (GradioNode, {"retries": True}),
    ],
)
def test_a_limit_that_cannot_be_is_told(kind: Any, given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(GraphError, match=name) as caught:
        kind(one if kind is FnNode else "me/app", **given)
    assert (caught.value.where or "").startswith("test_compat_lines.py:")


def test_a_function_may_have_a_process_of_its_own() -> None:
    made: list[Any] = [spec_of(FnNode(one)), spec_of(FnNode(one, isolate=True))]
    assert [spec.isolate for spec in made] == [False, True]


# ---------------------------------------------------------------- the schema


@pytest.mark.parametrize(
    ("block", "told"),
    [("Textbox", "textbox"), ("TextArea", "textarea"), ("JSON", "json"), ("Chatbot", "json"), ("Model3D", "model3d")],
)
def test_types_have_the_names_of_0_8(block: str, told: str) -> None:
    component = type(block, (Field,), {})()
    schema = Graph("G", nodes=[node("a", x=component)]).get_api_schema()["subgraphs"][0]
    assert schema["inputs"][0]["type"] == told
    assert schema["outputs"][0]["type"] == "text", "unknown"


def test_a_list_of_items_is_json_to_the_api() -> None:
    made = FnNode(one, inputs={"text": ""}, outputs={"items": ItemList(text=Field())})
    assert Graph("G", nodes=[made]).get_api_schema()["subgraphs"][0]["outputs"][0]["type"] == "json"


def test_what_the_readme_calls_a_podcast_can_be_drawn() -> None:
    host, guest = (
        GradioNode(
            "abidlabs/tts", "/generate_voice_design", name, {"voice_description": Field(name)}, {"audio": Field()}
        )
        | GradioNode("mrfakename/E2-F5-TTS", "/basic_tts", inputs={"ref": Field()}, outputs={"audio": Field()})
        for name in ("host", "guest")
    )

    def generate_dialogue(topic: str, host_voice: str, guest_voice: str) -> Any: ...

    def text_to_speech(text: str, audio: str) -> Any: ...

    def combine_audio(audio_files: list[str]) -> Any: ...

    dialogue = FnNode(
        generate_dialogue,
        inputs={"topic": Field("AI"), "host_voice": host.audio, "guest_voice": guest.audio},
        outputs={"json": Field(visible=False), "html": Field()},
    )
    samples = FnNode(
        text_to_speech,
        inputs={"text": dialogue.json.each["text"], "audio": dialogue.json.each["voice"]},
        outputs={"audio": Field()},
    )
    final = FnNode(combine_audio, inputs={"audio_files": samples.audio.all()}, outputs={"audio": Field()})
    graph = Graph(name="Podcast Generator", nodes=[host, guest, dialogue, samples, final])
    assert graph.persist_key == "podcast_generator"
    assert graph.get_output_nodes() == ["combine_audio"]
    drawing = drawing_of(graph).choose({"guest": "E2-F5-TTS"})
    assert drawing.scattered == {"text_to_speech"}
    assert [given for given in drawing.inputs if "variant" not in given] == [
        "host__voice_description",
        "host__ref",
        "guest__voice_description",
        "guest__ref",
        "generate_dialogue__topic",
    ]


# ---------------------------------------------------------------- daggr.state


def test_the_folders_of_daggr_state_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    assert state.get_daggr_cache_dir() == tmp_path / "hf" / "daggr"
    assert state.get_daggr_files_dir() == tmp_path / "hf" / "daggr" / "files"
    assert (tmp_path / "hf" / "daggr" / "files").is_dir()


def test_without_hf_home_they_are_in_the_users_cache(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("HF_HOME", "XDG_CACHE_HOME")}
    code = "from daggr.state import get_daggr_files_dir; print(get_daggr_files_dir())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**env, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(found.stdout.strip()) == tmp_path / ".cache" / "huggingface" / "daggr" / "files"


# ---------------------------------------------------------------- running


class Recording:
    """A runtime that notes how it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def launch(self, graph: Any, options: Mapping[str, Any]) -> None: ...

    def test(self, node: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def run(self, graph: Any, inputs: Mapping[str, Any], cache: str) -> dict[str, dict[str, Any]]:
        self.asked.append(("run", graph, inputs, cache))
        return {"n": {"output": 1}}

    async def arun(self, graph: Any, inputs: Mapping[str, Any], cache: str) -> dict[str, dict[str, Any]]:
        await asyncio.sleep(0)
        self.asked.append(("arun", graph, inputs, cache))
        return {"n": {"output": 2}}


def test_a_graph_is_run_and_waited_for_in_both_ways() -> None:
    graph = Graph("G", nodes=[node("n", x=1)])
    with runtime.installed(asked := Recording()):
        assert graph.run(cache="off") == {"n": {"output": 1}}
        assert asyncio.run(graph.arun({"n__x": 2}, cache="refresh")) == {"n": {"output": 2}}
        assert asyncio.run(graph.arun()) == {"n": {"output": 2}}
    assert asked.asked == [
        ("run", graph, {}, "off"),
        ("arun", graph, {"n__x": 2}, "refresh"),
        ("arun", graph, {}, "use"),
    ]
