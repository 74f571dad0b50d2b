"""A planted token is in no file, no log, no event, no error and no page, whatever the other side does with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from daggr import FnNode, GradioNode, Graph, InferenceNode
from daggr.engine.events import StepEvent
from daggr.testing.apps import GradioApp
from daggr.testing.hub import Asked, FakeHub, Reply
from tests.serving import Served, serving

PLANTED = "hf_PlantedTokenOfTheMachine0123"
VISITORS = "hf_PlantedTokenOfAVisitor456789"
ADDRESS = "ip-token-planted-by-a-space"
SECRETS = (PLANTED, VISITORS, ADDRESS)


def repeating(asked: Asked) -> Reply:
    """A provider that puts into its error whatever it was sent."""
    return Reply(400, {"error": f"you sent {asked.headers}"})


def workflow() -> Graph:
    """Nodes that are sent tokens and tell them: in what they give, in errors, in the middle of a stream."""
    heard = GradioNode("owner/app", "/headers", name="heard", outputs={"headers": gr.JSON()})
    wrong = GradioNode("owner/app", "/fail", name="wrong", inputs={"text": "x"}, outputs={"y": None})
    said = InferenceNode(
        "owner/chat", name="said", inputs={"prompt": gr.Textbox(value="Hi")}, outputs={"text": gr.Textbox()}
    )
    refused = InferenceNode("owner/refuses", name="refused", inputs={"prompt": "x"}, outputs={"text": gr.Textbox()})
    told = FnNode(lambda headers: headers, name="told", inputs={"headers": heard.headers}, outputs={"h": gr.JSON()})
    return Graph("Secrets", nodes=[wrong, said, refused, told])


@pytest.fixture
def planted(hub: FakeHub, gradio_app: GradioApp, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    monkeypatch.setenv("HF_TOKEN", PLANTED)
    hub.add_user(PLANTED, "machine")
    hub.add_user(VISITORS, "visitor")
    hub.add_space("owner/app", gradio_app.url)
    hub.add_model("owner/chat", tags=("conversational",))
    hub.add_model("owner/refuses", tags=("conversational",))
    hub.answer("owner/chat", lambda asked: f"you sent {asked.headers}")
    hub.answer("owner/refuses", repeating)
    return hub


def pages(served: Served) -> Iterator[str]:
    """Everything that a browser is sent."""
    for path in ("/", "/api/schema", "/api/graph", "/api/sheets", served.sheet, f"{served.sheet}/history?node=heard"):
        yield served.http.get(path).text
    with served.events() as stream:
        yield str(stream.recv(timeout=5))


def test_a_planted_token_is_nowhere(
    planted: FakeHub,
    tmp_path: Path,
    own_home: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    seen: list[Any] = []
    caplog.set_level(logging.DEBUG)
    with serving(workflow(), tmp_path / "store") as served:
        seen += [str(error) for error in served.engine.check(served.program.drawing)]
        served.engine.observe(lambda event: seen.append(_told(event)))
        sheet = bytes.fromhex(served.sheet.rpartition("/")[2])
        error = served.engine.start(served.program, "local", sheet, None, "all")[1].result(60)
        seen += [error, repr(error), getattr(error, "__cause__", None), getattr(error, "__context__", None)]
        for headers in ({}, {"authorization": f"Bearer {VISITORS}", "x-ip-token": ADDRESS}):
            for part in served.http.get("/api/schema").json()["subgraphs"]:
                answer = served.http.post(f"/api/call/{part['id']}", json={"inputs": {}}, headers=headers)
                seen.append(answer.text)
        seen += pages(served)
        runs = [state.get("log", "") for state in served.http.get(served.sheet).json()["nodes"].values()]
        assert len(runs) == 5
    sent = [asked.headers.get("authorization", "") for asked in planted.requests]
    assert f"Bearer {PLANTED}" in sent, "the test is worth something only if the token was sent"
    assert f"Bearer {VISITORS}" in sent
    text = "\n".join(map(str, seen))
    assert "hf_***" in text, "and told by the other side"
    out, err = capfd.readouterr()
    for secret in SECRETS:
        for where, what in {"events and pages": text, "logs": caplog.text, "output": out + err}.items():
            assert secret not in what, f"a token is in {where}"
        for folder in (tmp_path, own_home):
            assert not _files_with(folder, secret)


def _told(event: StepEvent) -> str:
    """An event with all that hangs on it."""
    return f"{event!r} {getattr(event, 'error', '')} {getattr(event, 'run', '')}"


def _files_with(folder: Path, secret: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
