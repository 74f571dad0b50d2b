"""Sheets over HTTP and their events: whatever two tabs do, a page that folds the events sees what the server sees."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from websockets.sync.client import ClientConnection

from daggr import FnNode, Graph, GraphError
from tests.serving import Served, serving
from tests.unit.engine.graphs import chain, shout


class Page:
    """What a page knows from its events alone."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.sheet: dict[str, Any] = {}
        self.epoch = ""
        self.seq = -1

    def read(self, until: int, seconds: float = 20) -> None:
        """Take events in up to a number."""
        while self.seq < until:
            self.take(json.loads(self.socket.recv(timeout=seconds)))

    def take(self, event: dict[str, Any]) -> None:
        if event["type"] == "snapshot":
            self.sheet, self.epoch = event["sheet"], event["epoch"]
        else:
            assert event["seq"] == self.seq + 1, "an event is missing or comes twice"
            if event["type"] == "changed":
                self.sheet["version"] = event["version"]
                for part in ("inputs", "nodes", "edges"):
                    self.sheet[part].update(event[part])
            elif event["type"] == "log":
                self.sheet["nodes"][event["node"]]["log"] += event["text"]
            elif event["type"] == "gave":
                self.sheet["nodes"][event["node"]]["outputs"].update(event["outputs"])
        self.seq = event["seq"]


def quiet(served: Served) -> dict[str, Any]:
    """The sheet when nothing runs any more."""
    while True:
        sheet: dict[str, Any] = served.http.get(served.sheet).json()
        if all(node["status"] not in ("queued", "running") for node in sheet["nodes"].values()):
            return sheet


def shown(sheet: dict[str, Any]) -> dict[str, Any]:
    return {part: sheet[part] for part in ("version", "inputs", "nodes", "edges")}


@settings(max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))
class TwoTabs(RuleBasedStateMachine):
    """Random edits, runs and selections; one page stays, one comes and goes."""

    @initialize()
    def open(self) -> None:
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.served = self.stack.enter_context(serving(chain(), Path(folder)))
        self.staying = Page(self.stack.enter_context(self.served.events()))
        self.staying.read(0)
        self.leaving = (self.staying.epoch, 0)
        self.known: dict[tuple[str, int], str] = {}

    @rule(text=st.sampled_from(["a", "b", "c"]), times=st.integers(0, 2))
    def edit(self, text: str, times: int) -> None:
        inputs = {"shout__text": text, "twice__times": times}
        reply = self.served.http.patch(f"{self.served.sheet}/inputs", json={"inputs": inputs, "tab": "t"})
        self.staying.read(reply.json()["seq"])
        self.converged()
        sheet = quiet(self.served)
        if (text, times) in self.known:  # a known result appears at once, fresh, and nothing runs
            assert sheet["nodes"]["twice"]["fresh"]
            assert sheet["nodes"]["twice"]["outputs"]["said"]["value"] == self.known[text, times]

    @rule(node=st.sampled_from(["shout", "twice", None]))
    def run(self, node: str | None) -> None:
        mode = "all" if node is None else "to_here"
        reply = self.served.http.post(f"{self.served.sheet}/runs", json={"node": node, "mode": mode})
        assert reply.status_code == 200
        sheet = quiet(self.served)
        self.converged()
        if node != "shout":
            assert all(sheet["edges"].values())
            inputs = {name: value["value"] for name, value in sheet["inputs"].items()}
            said = inputs["shout__text"].upper() * inputs["twice__times"]
            assert sheet["nodes"]["twice"]["outputs"]["said"]["value"] == said
            self.known[inputs["shout__text"], inputs["twice__times"]] = said

    @rule(node=st.sampled_from(["shout", "twice"]), index=st.integers(1, 4))
    def select(self, node: str, index: int) -> None:
        history = self.served.http.get(f"{self.served.sheet}/history", params={"node": node}).json()["entries"]
        reply = self.served.http.patch(f"{self.served.sheet}/heads", json={"node": node, "index": index})
        if index > len(history):
            assert reply.status_code == 400
            return
        self.converged()
        sheet = quiet(self.served)
        assert sheet["nodes"][node]["history"] == {"index": index, "total": len(history)}
        assert sheet["nodes"][node]["outputs"] == history[index - 1]["outputs"]
        assert sheet["nodes"][node]["fresh"], "its inputs came back"

    @rule()
    def leave_and_return(self) -> None:
        """A page that comes back is told what it missed, and only that."""
        epoch, after = self.leaving
        with self.served.events(epoch, after) as socket:
            returning = Page(socket)
            returning.seq = after
            first = json.loads(socket.recv(timeout=20)) if after < self.staying.seq else None
            assert first is None or first["type"] != "snapshot"
        self.leaving = (self.staying.epoch, self.staying.seq)

    @rule()
    def restart_of_the_server_is_told(self) -> None:
        with self.served.events("another-epoch", 3) as socket:
            assert json.loads(socket.recv(timeout=20))["type"] == "snapshot"

    def converged(self) -> None:
        sheet = quiet(self.served)
        with self.served.events() as socket:
            fresh = Page(socket)
            fresh.take(json.loads(socket.recv(timeout=20)))
        self.staying.read(fresh.seq)
        assert shown(self.staying.sheet) == shown(fresh.sheet) == shown(sheet)

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()


TestTwoTabs = TwoTabs.TestCase


def test_an_unknown_sheet_or_node_is_not_found(tmp_path: Path) -> None:
    with serving(chain(), tmp_path) as served:
        assert served.http.get("/api/sheets/00").status_code == 404
        assert served.http.get(f"/api/sheets/{'0' * 32}").status_code == 404
        wrong = served.http.post(f"{served.sheet}/runs", json={"node": "shot"})
        assert wrong.status_code == 404
        assert "Did you mean 'shout'?" in wrong.json()["detail"]


def test_results_are_there_after_a_restart(tmp_path: Path) -> None:
    with serving(chain(), tmp_path) as served:
        served.http.post(f"{served.sheet}/runs", json={"mode": "all"})
        before = quiet(served)
    with serving(chain(), tmp_path) as served:
        after = quiet(served)
    assert after["nodes"]["twice"]["outputs"] == {"said": {"kind": "json", "value": "HIHI"}}
    assert shown(after) == shown(before)


@pytest.mark.parametrize("name", ["a/b", "50% off", 'say "hi"', "käse & 猫", "../..", "?x=1#y", "{curly}", " "])
def test_a_node_may_have_any_name(tmp_path: Path, name: str) -> None:
    if not name.strip():
        with pytest.raises(GraphError):
            FnNode(shout, inputs={"text": "a"}, outputs={"loud": None}).name = name
        return
    graph = Graph("Names", nodes=[FnNode(shout, name, {"text": gr.Textbox(value="a")}, {"loud": gr.Textbox()})])
    with serving(graph, tmp_path) as served:
        (field,) = served.http.get("/api/schema").json()["subgraphs"][0]["inputs"]
        assert served.call({field["id"]: "x"}).json() == {"outputs": {name: {"loud": "X"}}}
        assert served.http.post(f"{served.sheet}/runs", json={"node": name}).status_code == 200
        assert quiet(served)["nodes"][name]["outputs"]["loud"]["value"] == "A"
        (entry,) = served.http.get(f"{served.sheet}/history", params={"node": name}).json()["entries"]
        assert entry["outputs"]["loud"]["value"] == "A"
