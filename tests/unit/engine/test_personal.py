"""Whose token it was: what a visitor's token made serves that visitor only. Over real HTTP, to the test kit's Hub."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from daggr import FnNode, GradioNode, Graph, InferenceNode
from daggr.engine.engine import Engine
from daggr.engine.hub.identity import Credential
from daggr.graph.graph import drawing_of
from daggr.testing.apps import GradioApp
from daggr.testing.hub import FakeHub
from tests.serving import serving
from tests.unit.engine.making import PATIENCE

ANNA, BERT = "hf_annas_own_token", "hf_berts_own_token"


@pytest.fixture
def chat(hub: FakeHub) -> Graph:
    """A model that chats, and a function after it."""
    hub.add_user(ANNA, "anna")
    hub.add_user(BERT, "bert")
    hub.add_model("owner/chat", tags=("conversational",))
    model = InferenceNode("owner/chat", name="chat", inputs={"prompt": gr.Textbox(value="Hi")}, outputs={"said": None})
    return Graph("Chat", nodes=[FnNode(lambda said: said.upper(), name="loud", inputs={"said": model.said})])


def asked(hub: FakeHub) -> list[str]:
    """Whose tokens the model was asked with."""
    chats = [request for request in hub.requests if request.path.endswith("/chat/completions")]
    return [request.headers["authorization"].removeprefix("Bearer ") for request in chats]


def test_a_visitors_result_is_found_by_that_visitor_only(
    engine: Engine, hub: FakeHub, chat: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token)
    program = engine.load(drawing_of(chat))
    nodes = frozenset(program.drawing.nodes)

    def call(owner: str, token: str = "") -> str:
        credential = Credential(token, personal=True) if token else None
        answer = engine.call(program, owner, {}, nodes, credential=credential).result(PATIENCE)
        return answer.cache

    assert call("anna", ANNA) == "miss"
    assert call("anna", ANNA) == "hit"
    assert call("bert", BERT) != "hit"
    assert asked(hub) == [ANNA, BERT]
    assert call("local") != "hit", "who has no token of their own is not shown what anna's has made"
    assert call("carl", "hf_carls_own_token") == "hit", "what the machine's own token made serves everybody"
    assert asked(hub) == [ANNA, BERT, hub.token]


def test_two_visitors_who_ask_at_once_do_not_share(engine: Engine, hub: FakeHub, chat: Graph) -> None:
    program = engine.load(drawing_of(chat))
    nodes = frozenset(program.drawing.nodes)
    callers = [("anna", ANNA), ("bert", BERT)] * 5
    calls = [
        engine.call(program, owner, {}, nodes, credential=Credential(token, personal=True)) for owner, token in callers
    ]
    runs = [call.result(PATIENCE).runs["chat"] for call in calls]
    assert [run.scope for run in runs] == [owner for owner, _ in callers]
    assert sorted(asked(hub)) == sorted([ANNA, BERT]), "each of them is asked for once"


def test_a_bearer_token_of_a_call_is_the_visitors(hub: FakeHub, chat: Graph, tmp_path: Path) -> None:
    with serving(chat, tmp_path / "store") as served:
        answer = served.call(authorization=f"Bearer {ANNA}")
        assert (answer.status_code, asked(hub)) == (200, [ANNA])
        assert served.call(authorization=f"Bearer {ANNA}").headers["x-daggr-cache"] == "hit"
        refused = served.call(authorization="Bearer hf_of_nobody")
        assert refused.status_code == 401
        assert "hf_of_nobody" not in refused.text
        assert asked(hub) == [ANNA]


def test_a_token_goes_to_spaces_and_to_no_other_address(
    engine: Engine, hub: FakeHub, gradio_app: GradioApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", ANNA)
    hub.add_user(ANNA, "anna")
    hub.add_user(BERT, "bert")
    hub.add_space("owner/app", gradio_app.url)

    def seen(source: str, credential: Credential | None = None) -> dict[str, str]:
        node = GradioNode(source, "/headers", name="node", outputs={"headers": None}, cache=False)
        program = engine.load(drawing_of(Graph("Headers", nodes=[node])))
        run = (
            engine.call(program, "local", {}, frozenset({"node"}), credential=credential).result(PATIENCE).runs["node"]
        )
        found = engine.store.load(run.outputs[0].digest)
        assert isinstance(found, dict)
        return found

    assert seen("owner/app")["x-hf-authorization"] == "Bearer hf_***", "it was sent, and is not shown"
    assert "authorization" not in seen("owner/app"), "what the app itself could read is not sent"
    assert not [name for name, text in seen(gradio_app.url).items() if "hf_" in text or "authorization" in name]
    visitor = Credential(BERT, "ip-token-of-bert", personal=True)
    assert seen("owner/app", visitor)["x-ip-token"] == "hf_***"
    assert "x-ip-token" not in seen(gradio_app.url, visitor)
