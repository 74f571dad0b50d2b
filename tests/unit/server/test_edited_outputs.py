"""Outputs that a user edits, and files within values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from PIL import Image

from daggr import FnNode, Graph, ItemList
from tests.serving import Served, serving
from tests.unit.server.test_sheets import quiet


def script(topic: str) -> list[dict[str, Any]]:
    return [{"speaker": "A", "text": f"on {topic}"}, {"speaker": "B", "text": "yes"}]


def say(text: str) -> str:
    return text.upper()


def dialogue() -> Graph:
    items = ItemList(speaker=gr.Dropdown(["A", "B"], label="Speaker"), text=gr.Textbox(lines=2))
    wrote = FnNode(script, "write", {"topic": gr.Textbox(value="cats")}, {"items": items})
    return Graph("Dialogue", nodes=[FnNode(say, "say", {"text": wrote.items.text}, {"said": gr.Textbox()})])


def edit(served: Served, node: str, **outputs: Any) -> httpx.Response:
    return served.http.patch(f"{served.sheet}/outputs", json={"node": node, "outputs": outputs})


def run_all(served: Served) -> dict[str, Any]:
    served.http.post(f"{served.sheet}/runs", json={"mode": "all"})
    nodes: dict[str, Any] = quiet(served)["nodes"]
    return nodes


def test_an_edited_row_runs_again_and_no_other(tmp_path: Path) -> None:
    with serving(dialogue(), tmp_path) as served:
        card = served.http.get("/api/graph").json()["nodes"][0]["outputs"][0]["component"]
        assert (card["type"], list(card["config"]["schema"])) == ("itemlist", ["speaker", "text"])
        assert card["config"]["schema"]["speaker"]["config"]["choices"] == [["A", "A"], ["B", "B"]]
        early = edit(served, "write", items=[])
        assert (early.status_code, "Run it first." in early.json()["hint"]) == (422, True)
        rows = run_all(served)["write"]["outputs"]["items"]["value"]
        changed = [*rows[:1], {"speaker": "B", "text": "no"}, {"speaker": "A", "text": "oh"}]
        assert edit(served, "write", items=changed).status_code == 200
        write = quiet(served)["nodes"]["write"]
        assert (write["outputs"]["items"]["value"], write["fresh"], write["notes"]) == (changed, True, ["edited"])
        assert write["history"] == {"index": 2, "total": 2}
        entries = served.http.get(f"{served.sheet}/history", params={"node": "write"}).json()["entries"]
        assert [entry["edited"] for entry in entries] == [False, True]
        said = run_all(served)["say"]["outputs"]["said"]["shown"]
        assert [item["value"] for item in said] == ["ON CATS", "NO", "OH"]
        served.http.patch(f"{served.sheet}/heads", json={"node": "write", "index": 1})
        assert quiet(served)["nodes"]["write"]["notes"] == []


def test_an_output_that_is_not_there_cannot_be_edited(tmp_path: Path) -> None:
    with serving(dialogue(), tmp_path) as served:
        run_all(served)
        wrong = edit(served, "write", itms=[])
        assert (wrong.status_code, "Did you mean 'items'?" in wrong.json()["detail"]) == (422, True)


def note() -> dict[str, Any]:
    return {"picture": None, "words": []}


def names(value: dict[str, Any]) -> str:
    picture = Path(value["picture"])
    return f"{picture.name} {picture.is_file()} {value['words']}"


def test_a_file_within_a_value_is_a_url_and_stays_a_file_when_edited(tmp_path: Path) -> None:
    picture = tmp_path / "red.png"
    Image.new("RGB", (4, 4), "red").save(picture)
    noted = FnNode(note, "note", {}, {"value": gr.JSON()})
    graph = Graph("Notes", nodes=[FnNode(names, "names", {"value": noted.value}, {"text": gr.Textbox()})])
    with serving(graph, tmp_path / "store") as served:
        served.http.post(f"{served.sheet}/runs", json={"node": "note"})
        quiet(served)
        content = picture.read_bytes()
        uploaded = served.http.put("/api/uploads", params={"name": "red.png"}, content=content).json()
        edit(served, "note", value={"picture": {"artifact": uploaded["artifact"]}, "words": []})
        shown = quiet(served)["nodes"]["note"]["outputs"]["value"]["value"]
        assert shown == {"picture": uploaded["url"], "words": []}
        assert served.http.get(shown["picture"]).content == content
        edit(served, "note", value={**shown, "words": ["more", str(picture), "/file/x"]})
        assert (
            run_all(served)["names"]["outputs"]["text"]["value"]
            == f"red.png True ['more', {str(picture)!r}, '/file/x']"
        )
        refused = edit(served, "note", value={"picture": {"artifact": "00" * 48}, "words": []})
        assert refused.status_code == 200  # a dict like any other
        assert quiet(served)["nodes"]["note"]["outputs"]["value"]["value"]["picture"] == {"artifact": "00" * 48}


def paint(folder: str) -> dict[str, Any]:
    path = Path(folder) / "own.png"
    Image.new("RGB", (4, 4), "red").save(path)
    return {"picture": str(path), "words": ["/file/x"]}


def test_a_file_that_a_function_wrote_is_a_url_for_cards_and_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    graph = Graph("Paint", nodes=[FnNode(paint, "paint", {"folder": str(tmp_path)}, {"value": gr.JSON()})])
    with serving(graph, tmp_path / "store") as served:
        shown = run_all(served)["paint"]["outputs"]["value"]["value"]
        assert served.http.get(shown["picture"]).headers["content-type"] == "image/png"
        assert shown["words"] == ["/file/x"]
        assert served.call().json()["outputs"]["paint"]["value"] == shown
