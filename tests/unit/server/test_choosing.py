"""Choices and groups of inputs: every variant is offered, and only the selected one counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from daggr import ChoiceNode, FnNode, Graph, InputNode
from tests.serving import serving
from tests.unit.server.test_sheets import quiet


def loud(text: str, marks: float) -> str:
    return text.upper() + "!" * int(marks)


def soft(text: str, tail: str) -> str:
    return text.lower() + tail


def voices() -> Graph:
    said = InputNode("Said", ports={"text": gr.Textbox(value="Hi"), "hidden": gr.Textbox(value="x", visible=False)})
    shouting = FnNode(loud, inputs={"text": said.text, "marks": gr.Slider(0, 5, value=1)}, outputs={"voice": None})
    mumbling = FnNode(soft, inputs={"text": said.text, "tail": gr.Textbox(value="…")}, outputs={"voice": gr.Textbox()})
    voice = ChoiceNode([shouting, mumbling], name="my voice")
    end = FnNode(len, "end", {"obj": voice.voice}, {"length": gr.Number()})
    return Graph("Voices", nodes=[end])


def test_a_choice_offers_its_variants_with_their_own_inputs(tmp_path: Path) -> None:
    with serving(voices(), tmp_path) as served:
        graph = served.http.get("/api/graph").json()
        card = next(node for node in graph["nodes"] if node["kind"] == "choice")
        assert (card["name"], card["selects"]) == ("my voice", "my_voice__variant")
        offered = {
            variant["name"]: (variant["kind"], [port["name"] for port in variant["inputs"]], [
                field["id"] for field in variant["fields"]
            ])
            for variant in card["variants"]
        }  # fmt: skip
        assert offered == {
            "loud": ("fn", ["text", "marks"], ["my_voice__marks"]),
            "soft": ("fn", ["text", "tail"], ["my_voice__tail"]),
        }
        assert card["outputs"][0]["component"]["type"] == "textbox"
        (group,) = graph["inputs"]
        assert (group["title"], [field["id"] for field in group["fields"]]) == ("Said", ["Said__text"])
        wires = {edge["id"]: (edge["source"], edge["target"], edge["variants"]) for edge in graph["edges"]}
        assert wires["input:Said__text->my voice.text"] == ("inputs:Said", "my voice", ["loud", "soft"])
        schema = served.http.get("/api/schema").json()["subgraphs"][0]["inputs"]
        assert {given["id"] for given in schema} >= {"Said__text", "my_voice__marks", "my_voice__tail"}


def test_the_selected_variant_runs_and_its_result_comes_back(tmp_path: Path) -> None:
    with serving(voices(), tmp_path) as served:

        def select(variant: str) -> dict[str, Any]:
            reply = served.http.patch(f"{served.sheet}/inputs", json={"inputs": {"my_voice__variant": variant}})
            assert reply.status_code == 200
            node: dict[str, Any] = served.http.get(served.sheet).json()["nodes"]["my voice"]
            return node

        def run() -> dict[str, Any]:
            served.http.post(f"{served.sheet}/runs", json={"mode": "all"})
            node: dict[str, Any] = quiet(served)["nodes"]["my voice"]
            return node

        assert run()["outputs"]["voice"]["value"] == "HI!"
        stale = select("soft")
        assert (stale["fresh"], "changed" in stale["reason"]) == (False, True)
        assert run()["outputs"]["voice"]["value"] == "hi…"
        back = select("loud")
        assert (back["fresh"], back["outputs"]["voice"]["value"]) == (True, "HI!")
        served.http.patch(f"{served.sheet}/inputs", json={"inputs": {"my_voice__tail": "?"}})
        assert quiet(served)["nodes"]["my voice"]["fresh"]  # an input of the other variant
        sheet = quiet(served)
        assert sheet["inputs"]["my_voice__variant"]["value"] == "loud"
        wrong = served.http.patch(f"{served.sheet}/inputs", json={"inputs": {"my_voice__variant": "lout"}})
        assert (wrong.status_code, "Did you mean 'loud'?" in wrong.json()["error"]) == (422, True)
    with serving(voices(), tmp_path) as served:
        assert quiet(served)["nodes"] == sheet["nodes"]


@pytest.mark.parametrize(
    ("given", "length"),
    [
        ({}, 3),
        ({"my_voice__variant": "soft"}, 3),
        ({"my_voice__variant": "soft", "my_voice__tail": "0123"}, 6),
        ({"my_voice___selected_variant": 1, "my_voice__tail": "0123"}, 6),
        ({"Said__text": "hello", "my_voice__marks": 3}, 8),
    ],
)
def test_a_call_selects_by_name_or_as_before_by_index(tmp_path: Path, given: dict[str, Any], length: int) -> None:
    with serving(voices(), tmp_path) as served:
        assert served.call(given).json() == {"outputs": {"end": {"length": length}}}


def test_an_input_that_feeds_nothing_is_shown_all_the_same(tmp_path: Path) -> None:
    settings = InputNode("Settings", ports={"a": gr.Number(value=1), "b": gr.Textbox(label="Later", value="y")})
    node = FnNode(str, "node", {"object": settings.a}, {"text": None})
    with serving(Graph("G", nodes=[node, settings]), tmp_path) as served:
        (card,) = served.http.get("/api/graph").json()["inputs"]
        assert [(field["id"], field["port"]) for field in card["fields"]] == [
            ("Settings__a", "a"), ("Settings__b", "b"),
        ]  # fmt: skip
        served.http.patch(f"{served.sheet}/inputs", json={"inputs": {"Settings__b": "z"}})
        assert quiet(served)["inputs"]["Settings__b"]["value"] == "z"
