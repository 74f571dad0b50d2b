"""Questions to a person: the card asks, an answer lets the workflow go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import httpx
from PIL import Image

from daggr import FnNode, Graph, InteractionNode, ops
from tests.serving import Served, serving
from tests.unit.server.test_sheets import quiet


def colours() -> list[str]:
    return ["red", "blue"]


def draw(colour: str) -> Image.Image:
    return Image.new("RGB", (8, 8), colour)


def colour_of(picture: str) -> str:
    with Image.open(picture) as opened:
        return str(opened.getpixel((0, 0)))


def name_of(picture: str) -> str:
    return Path(picture).name


def halves(count: float) -> list[float]:
    return [0.5, 2.0, 1.0][: int(count)]


def show(value: Any) -> str:
    return repr(value)


def choosing() -> Graph:
    drawn = FnNode(halves, "draw", {"count": gr.Number(value=3)}, {"options": None})
    pick = ops.ChooseOne("pick", inputs={"options": drawn.options})
    return Graph("Choosing", nodes=[FnNode(show, "end", {"value": pick.selected}, {"text": gr.Textbox()})])


def answer(served: Served, node: str, given: Any) -> httpx.Response:
    return served.http.post(f"{served.sheet}/nodes/answer", json={"node": node, "answer": given})


def run(served: Served, node: str | None = None) -> dict[str, Any]:
    body = {"node": node, "mode": "to_here" if node else "all"}
    assert served.http.post(f"{served.sheet}/runs", json=body).status_code == 200
    nodes: dict[str, Any] = quiet(served)["nodes"]
    return nodes


def test_it_asks_when_there_is_something_to_ask_and_goes_on_with_the_answer(tmp_path: Path) -> None:
    with serving(choosing(), tmp_path) as served:
        assert quiet(served)["nodes"]["pick"]["asks"] is None
        early = answer(served, "pick", 0)
        assert (early.status_code, "'draw'" in early.json()["detail"]) == (422, True)
        pick = run(served)["pick"]
        assert (pick["reason"], pick["asks"]) == ("waits for an answer", {"kind": "json", "value": [0.5, 2.0, 1.0]})
        assert answer(served, "pick", 2).status_code == 200  # JSON's 2 is the option 2.0, not the third one
        assert quiet(served)["nodes"]["pick"]["asks"] is None
        assert run(served)["end"]["outputs"]["text"]["value"] == "2.0"
        served.http.patch(f"{served.sheet}/inputs", json={"inputs": {"draw__count": 2}})
        assert run(served)["pick"]["asks"]["value"] == [0.5, 2.0]  # it is asked anew
        wrong = answer(served, "pick", 7)
        assert wrong.status_code == 200
        assert "none of the options" in quiet(served)["nodes"]["pick"]["error"]["title"]


def test_pictures_are_chosen_by_their_index(tmp_path: Path) -> None:
    drawn = FnNode(draw, "draw", {"colour": FnNode(colours, "colours").output.each}, {"image": gr.Image()})
    pick = ops.ChooseOne("pick", inputs={"options": drawn.image.all()})
    end = FnNode(colour_of, "end", {"picture": pick.selected}, {"name": gr.Textbox()})
    with serving(Graph("Pictures", nodes=[end]), tmp_path / "store") as served:
        asked = run(served)["pick"]["asks"]
        assert (asked["kind"], asked["total"]) == ("items", 2)
        assert served.http.get(asked["shown"][1]["url"]).headers["content-type"] == "image/png"
        answer(served, "pick", 1)
        assert quiet(served)["nodes"]["pick"]["status"] == "done"
        assert run(served)["end"]["outputs"]["name"]["value"] == "(0, 0, 255)"
        called = served.call({"pick__selected": 0}).json()
        assert called == {"outputs": {"end": {"name": "(255, 0, 0)"}}}


def test_a_rejection_is_a_failure_that_can_be_answered_again(tmp_path: Path) -> None:
    first = FnNode(show, "first", {"value": gr.Textbox(value="a")}, {"text": gr.Textbox()})
    sure = ops.Approve("sure", inputs={"input": first.text})
    end = FnNode(show, "end", {"value": sure.output}, {"text": None})
    with serving(Graph("Sure", nodes=[end]), tmp_path) as served:
        card = next(node for node in served.http.get("/api/graph").json()["nodes"] if node["name"] == "sure")
        assert (card["kind"], card["question"]) == ("interaction", "approve")
        run(served)
        answer(served, "sure", False)
        rejected = quiet(served)["nodes"]["sure"]
        assert (rejected["status"], rejected["asks"]["value"]) == ("failed", "'a'")
        answer(served, "sure", True)
        approved = quiet(served)["nodes"]["sure"]
        assert (approved["status"], approved["fresh"], approved["error"]) == ("done", True, None)


def test_a_picture_is_given_by_upload_and_in_no_other_way(tmp_path: Path) -> None:
    ask = ops.ImageInput("ask")
    end = FnNode(name_of, "end", {"picture": ask.image}, {"name": gr.Textbox()})
    picture = tmp_path / "given.png"
    Image.new("RGB", (4, 4)).save(picture)
    with serving(Graph("Ask", nodes=[end]), tmp_path / "store") as served:
        assert quiet(served)["nodes"]["ask"]["asks"] == {"kind": "json", "value": None}
        for wrong in (str(picture), {"path": str(picture)}, {"artifact": "00" * 48}):
            assert answer(served, "ask", wrong).status_code == 422
            assert served.call({"ask__image": wrong}).status_code == 422
        uploaded = served.http.put("/api/uploads", params={"name": "image.png"}, content=picture.read_bytes()).json()
        given = {"artifact": uploaded["artifact"]}
        assert answer(served, "ask", given).status_code == 200
        assert quiet(served)["nodes"]["ask"]["outputs"]["image"]["name"] == "image.png"
        assert run(served)["end"]["outputs"]["name"]["value"] == "image.png"
        assert served.call({"ask__image": given}).json() == {"outputs": {"end": {"name": "image.png"}}}


def test_a_call_without_the_answer_says_which_input_it_is(tmp_path: Path) -> None:
    with serving(choosing(), tmp_path) as served:
        missing = served.call()
        assert missing.status_code == 500
        assert "'pick__selected'" in missing.json()["hint"]
        assert served.call({"pick__selected": 0}).json() == {"outputs": {"end": {"text": "0.5"}}}  # by its place
        assert served.call({"pick__selected": 2}).json() == {"outputs": {"end": {"text": "2.0"}}}  # by its value
        misplaced = served.http.patch(f"{served.sheet}/inputs", json={"inputs": {"pick__selected": 1}})
        assert (misplaced.status_code, "nodes/answer" in misplaced.json()["hint"]) == (422, True)


def test_a_node_that_asks_nothing_takes_no_answer(tmp_path: Path) -> None:
    with serving(choosing(), tmp_path) as served:
        assert answer(served, "draw", 1).status_code == 422
        assert answer(served, "nobody", 1).status_code == 404


def test_a_generic_question_gives_what_was_answered(tmp_path: Path) -> None:
    ask = InteractionNode("ask", inputs={"about": gr.Textbox(value="size")}, outputs={"size": gr.Number()})
    end = FnNode(show, "end", {"value": ask.size}, {"text": gr.Textbox()})
    with serving(Graph("Ask", nodes=[end]), tmp_path) as served:
        assert quiet(served)["nodes"]["ask"]["asks"]["value"] == "size"
        answer(served, "ask", 4)
        quiet(served)
        assert run(served)["end"]["outputs"]["text"]["value"] == "4"


def test_a_variant_may_be_a_question(tmp_path: Path) -> None:
    made = FnNode(show, "made", {"value": "auto"}, {"text": gr.Textbox()})
    asked = ops.TextInput("asked")
    choice = made | asked
    choice.name = "title"
    end = FnNode(show, "end", {"value": choice.text}, {"text": gr.Textbox()})
    with serving(Graph("Either", nodes=[end]), tmp_path) as served:
        served.http.patch(f"{served.sheet}/inputs", json={"inputs": {"title__variant": "asked"}})
        assert quiet(served)["nodes"]["title"]["asks"] is not None
        assert answer(served, "title", "by hand").status_code == 200
        quiet(served)
        assert run(served)["end"]["outputs"]["text"]["value"] == "'by hand'"
        called = served.call({"title__variant": "asked", "title__text": "called"})
        assert called.json() == {"outputs": {"end": {"text": "'called'"}}}
