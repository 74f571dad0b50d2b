"""What can be seen and done while something runs: stopping it, its items, what it has given so far."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from daggr import FnNode, Graph
from daggr.graph.component import Component
from daggr.server.messages import JsonValue, OpaqueValue
from daggr.server.partials import SHOWN, partial_value
from tests.serving import Served, serving
from tests.unit.engine.graphs import chain
from tests.unit.server.test_sheets import Page, quiet, shown

GO = threading.Event()


def wait() -> str:
    while not GO.wait(0.01):
        pass
    return "went"


def wait_stubbornly() -> str:
    GO.wait(20)
    return "went"


def one(function: Callable[..., Any], **outputs: Any) -> Graph:
    return Graph("One", nodes=[FnNode(function, "slow", {}, outputs or {"text": gr.Textbox()})])


def start(served: Served, node: str | None, mode: str = "to_here") -> str:
    reply = served.http.post(f"{served.sheet}/runs", json={"node": node, "mode": mode})
    assert reply.status_code == 200, reply.text
    run: str = reply.json()["run"]
    return run


def node_when(served: Served, name: str, when: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The state of a node as soon as something holds for it."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        node: dict[str, Any] = served.http.get(served.sheet).json()["nodes"][name]
        if when(node):
            return node
        time.sleep(0.01)
    raise AssertionError(node)


@pytest.fixture(autouse=True)
def held() -> Iterator[None]:
    GO.clear()
    yield
    GO.set()


def test_a_stopped_run_says_so_and_the_node_runs_again(tmp_path: Path) -> None:
    with serving(one(wait), tmp_path) as served:
        run = start(served, "slow")
        assert node_when(served, "slow", lambda node: node["status"] == "running")["run"] == run
        reply = served.http.delete(f"{served.sheet}/runs/{run}")
        assert (reply.status_code, set(reply.json())) == (200, {"version", "seq"})
        node = node_when(served, "slow", lambda node: node["status"] == "stopped")
        assert (node["error"]["title"], node["error"]["detail"], node["run"]) == ("'slow' was stopped.", "", "")
        GO.set()
        start(served, "slow")
        assert quiet(served)["nodes"]["slow"]["outputs"]["text"]["value"] == "went"


def test_a_function_that_cannot_be_stopped_says_so(tmp_path: Path) -> None:
    with serving(one(wait_stubbornly), tmp_path) as served:
        run = start(served, "slow")
        node_when(served, "slow", lambda node: node["status"] == "running")
        served.http.delete(f"{served.sheet}/runs/{run}")
        error = node_when(served, "slow", lambda node: node["status"] == "stopped")["error"]
        assert "cannot be stopped" in error["title"]
        assert "isolate=True" in error["hint"]
        GO.set()


def test_only_a_run_of_this_sheet_that_has_not_ended_is_stopped(tmp_path: Path) -> None:
    with serving(one(wait), tmp_path) as served:
        run = start(served, "slow")
        other = served.engine.sheets(served.program, "local")
        second = served.engine.store.write(lambda txn: _new_sheet(txn, other, served))
        assert served.http.delete(f"/api/sheets/{second.hex()}/runs/{run}").status_code == 404
        assert served.http.delete(f"{served.sheet}/runs/no-such-run").status_code == 404
        GO.set()
        quiet(served)
        gone = served.http.delete(f"{served.sheet}/runs/{run}")
        assert (gone.status_code, "perhaps it has ended" in gone.json()["detail"]) == (404, True)


def _new_sheet(txn: Any, sheets: Any, served: Served) -> bytes:
    from daggr.store import sheets as records

    return records.create(txn, sheets.owner, served.program.graph, "Sheet 2").id


def test_a_step_runs_alone_and_force_runs_all(tmp_path: Path) -> None:
    with serving(chain(), tmp_path) as served:
        alone = served.http.post(f"{served.sheet}/runs", json={"node": "twice", "mode": "step"})
        assert (alone.status_code, "'shout' first" in alone.json()["detail"]) == (422, True)
        start(served, None, "all")
        before = quiet(served)["nodes"]
        start(served, "twice", "step")
        stepped = quiet(served)["nodes"]
        assert stepped["shout"] == before["shout"]
        assert served.http.post(f"{served.sheet}/runs", json={"mode": "step"}).status_code == 400
        start(served, "twice", "force")
        assert quiet(served)["nodes"]["shout"]["seconds"] != before["shout"]["seconds"]


# ---------------------------------------------------------------- items


def numbers(count: int) -> list[int]:
    return list(range(count))


def odd_only(number: int) -> int:
    time.sleep(0.07 * number)
    if number % 2 == 0:
        raise ValueError(f"{number} is even")
    if number >= 7:
        GO.wait(20)
    return number


def scattered(count: int = 5, function: Callable[[int], int] = odd_only) -> Graph:
    listed = FnNode(numbers, inputs={"count": gr.Number(value=count)}, outputs={"numbers": gr.JSON()})
    each = FnNode(function, "each", {"number": listed.numbers.each}, {"same": gr.Number(label="Same")}, concurrent=True)
    total = FnNode(sum, "total", {"iterable": each.same.all(on_item_error="skip")}, {"total": gr.Number()})
    return Graph("Scattered", nodes=[total])


def test_items_are_counted_while_they_run_and_listed_after(tmp_path: Path) -> None:
    with serving(scattered(8), tmp_path) as served, served.events() as socket:
        page = Page(socket)
        page.read(0)
        start(served, "each")
        node_when(served, "each", lambda node: node["items"] and node["items"]["done"] == 3)
        texts: list[tuple[str, float]] = []
        while not texts or texts[-1][0] != "3 of 8, 4 failed":
            event = json.loads(socket.recv(timeout=10))
            page.take(event)
            if event["type"] == "progress":
                texts.append((event["text"], event["fraction"]))
        assert texts[-1][1] == 7 / 8
        GO.set()
        node = quiet(served)["nodes"]["each"]
        assert (node["status"], node["items"]) == ("failed", {"done": 4, "failed": 4, "total": 8})
        assert node["outputs"]["same"]["total"] == 8
        assert [item and item["value"] for item in node["outputs"]["same"]["shown"]] == [
            None, 1, None, 3, None, 5, None, 7,
        ]  # fmt: skip
        assert "4 of 8 items of 'each' failed" in node["error"]["title"]
    with serving(scattered(8), tmp_path) as served:  # the same after a restart
        again = quiet(served)["nodes"]["each"]
        assert {name: again[name] for name in ("status", "items", "outputs", "error")} == {
            name: node[name] for name in ("status", "items", "outputs", "error")
        }


def test_the_card_shows_the_first_items_and_the_api_all(tmp_path: Path) -> None:
    listed = FnNode(numbers, inputs={"count": gr.Number(value=250)}, outputs={"numbers": None})
    each = FnNode(str, "each", {"object": listed.numbers.each}, {"text": gr.Textbox()})
    with serving(Graph("Many", nodes=[each]), tmp_path) as served:
        start(served, None, "all")
        shown_ = quiet(served)["nodes"]["each"]["outputs"]["text"]
        assert (shown_["kind"], shown_["total"], len(shown_["shown"])) == ("items", 250, 100)
        assert served.call().json() == {"outputs": {"each": {"text": [str(number) for number in range(250)]}}}
        (listing,) = served.http.get(f"{served.sheet}/history", params={"node": "each"}).json()["entries"]
        assert listing["outputs"]["text"] == shown_


def test_wires_say_what_they_take(tmp_path: Path) -> None:
    with serving(scattered(), tmp_path) as served:
        modes = {edge["id"]: edge["mode"] for edge in served.http.get("/api/graph").json()["edges"]}
        assert sorted(modes.values()) == ["all", "each", "whole"]
        assert modes["numbers.numbers->each.number"] == "each"


# ---------------------------------------------------------------- what it has given so far


def growing() -> Iterator[str]:
    yield "one"
    yield "one two"
    GO.wait(20)
    yield "one two three"


def test_a_generator_is_shown_while_it_runs_and_only_its_end_is_kept(tmp_path: Path) -> None:
    with serving(one(growing), tmp_path) as served, served.events() as socket:
        page = Page(socket)
        page.read(0)
        start(served, "slow")
        seen: list[str] = []
        while not seen or seen[-1] != "one two":
            event = json.loads(socket.recv(timeout=10))
            page.take(event)
            if event["type"] == "gave":
                seen.append(event["outputs"]["text"]["value"])
        running = served.http.get(served.sheet).json()
        assert running["nodes"]["slow"]["outputs"]["text"]["value"] == "one two"  # who comes later sees it, too
        GO.set()
        sheet = quiet(served)
        assert sheet["nodes"]["slow"]["outputs"]["text"]["value"] == "one two three"
        assert sheet["nodes"]["slow"]["history"] == {"index": 1, "total": 1}
        with served.events() as other:
            late = Page(other)
            late.take(json.loads(other.recv(timeout=10)))
        page.read(late.seq)
        assert shown(page.sheet) == shown(late.sheet) == shown(sheet)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x" * 10, "json"),
        ([1, {"a": "b"}], "json"),
        (object(), "opaque"),
        ([0] * (SHOWN + 1), "opaque"),
        ({"a": ["x" * SHOWN, "y"]}, "opaque"),
    ],
)
def test_what_is_not_plain_or_too_large_is_only_described_while_it_grows(value: Any, kind: str) -> None:
    text = Component("json", {}, None, None, True, None)
    assert type(partial_value(text, value)) is {"json": JsonValue, "opaque": OpaqueValue}[kind]


def test_of_a_long_text_the_end_is_shown() -> None:
    text = Component("textbox", {}, None, None, True, None)
    shown_ = partial_value(text, "a" * SHOWN + "the end")
    assert isinstance(shown_, JsonValue)
    assert shown_.value.endswith("the end")
    assert len(shown_.value) < SHOWN + 10


def test_no_path_of_this_machine_is_shown_of_a_file_that_is_being_made() -> None:
    image = Component("image", {}, None, None, True, None)
    assert partial_value(image, "/tmp/x.png") == OpaqueValue("shown when it is done")
