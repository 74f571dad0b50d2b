"""What a person is told when a model cannot be called; when it is tried again; and that no token is told to anybody."""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from daggr import EndpointError, Graph, InferenceNode, NodeFailedError, RemoteError, RunTimeoutError
from daggr.engine.engine import Engine
from daggr.engine.events import StepProgressed
from daggr.engine.hub import patience
from daggr.engine.hub.identity import Credential
from daggr.engine.runners.inference import line as inference_line
from daggr.graph.graph import drawing_of
from daggr.store.store import Store
from daggr.testing.hub import Asked, FakeHub, Reply
from tests.unit.engine.inference import ask
from tests.unit.engine.test_engine import Watch

POSTS = "/hf-inference/models/"


@pytest.fixture(autouse=True)
def _logged_in(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token)
    monkeypatch.setattr(patience, "FIRST", 0.01)
    hub.add_model("ada/m", task="summarization")
    hub.add_model("ada/llm", tags=["conversational"])


def node(name: str = "ada/m", **more: Any) -> InferenceNode:
    return InferenceNode(name, inputs={"text": "x"}, **more)


def refusal(engine: Engine, **more: Any) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        ask(engine, node(**more))
    assert caught.value.where is not None
    assert caught.value.where.startswith("test_inference_refusals.py:")
    assert "Traceback" not in str(caught.value)
    return caught.value


def answers(hub: FakeHub, status: int, said: Any = "", times: int = 100, **headers: str) -> None:
    body = json.dumps(said).encode() if not isinstance(said, bytes) else said
    kind = "text/html" if body.startswith(b"<") else "application/json"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    hub.fail(POSTS, status, body, {"Content-Type": kind, **named}, times)


@pytest.mark.parametrize(
    ("status", "said", "message", "hint", "retryable"),
    [
        (401, {"error": "Invalid token"}, "token in use is not valid: Invalid token", "hf auth login", False),
        (402, {"error": "You have exceeded your credits"}, "wants to be paid: You have", "settings/billing", False),
        (403, {"error": "Insufficient permissions"}, "does not allow it: Insuff", "Make calls to Inference", False),
        (404, {"error": "gone"}, "'ada/m' is not served by hf-inference now: gone", "/ada/m", False),
        (422, {"error": {"message": "top_k must be > 0"}}, "take what it was given: top_k must be > 0", "text", False),
        (400, {"detail": [{"msg": "bad size"}]}, "take what it was given: bad size", "It was given: text", False),
        (413, {}, "too large for hf-inference", "", False),
        (429, {"error": "Rate limit"}, "too many calls to answer 'm': Rate limit", "Try again later", True),
        (500, {"error": "CUDA error"}, "hf-inference answers 500: CUDA error", "The trouble is the provider's", True),
        (502, b"<html><body>Bad gateway</body></html>", "hf-inference answers 502.", "provider's", True),
        (503, {"error": "Service Unavailable"}, "'ada/m' is not ready at hf-inference: Service", "later", True),
        (418, b"just no", "hf-inference answers 418: just no", "", False),
    ],
)
def test_every_refusal_says_what_to_do(
    engine: Engine, hub: FakeHub, status: int, said: Any, message: str, hint: str, retryable: bool
) -> None:
    answers(hub, status, said)
    error = refusal(engine, retries=0)
    assert message in error.message
    assert "<" not in error.message
    assert hint in error.hint
    assert error.retryable is retryable
    assert len(hub.asked(POSTS)) == 1


def test_a_refusal_of_a_conversation_is_read_too(engine: Engine, hub: FakeHub) -> None:
    """Its body comes as a stream, and may say no length."""
    hub.answer("ada/llm", Reply(422, iter([b'{"error": ', b'"top_p is off"}']), {"Content-Type": "application/json"}))
    with pytest.raises(RemoteError, match="does not take what it was given: top_p is off"):
        ask(engine, node("ada/llm"))


def test_a_model_that_the_router_does_not_know(engine: Engine, hub: FakeHub) -> None:
    error = {"message": "The requested model is not supported by any provider you have enabled."}
    hub.answer("ada/llm", Reply(400, json.dumps({"error": {**error, "code": "model_not_supported"}}).encode()))
    with pytest.raises(RemoteError, match="'ada/llm' is not served by the Hub's router now: The requested model"):
        ask(engine, node("ada/llm"))


def test_a_gated_model_says_where_to_ask(engine: Engine, hub: FakeHub) -> None:
    hub.add_model("meta/llama", task="summarization", gated=True)
    with pytest.raises((RemoteError, EndpointError), match="gated") as caught:
        ask(engine, node("meta/llama"))
    assert f"Ask for access at {hub.url}/meta/llama" in caught.value.hint


# ---------------------------------------------------------------- again


@pytest.mark.parametrize(
    ("status", "said", "headers"),
    [
        (429, {"error": "slow down"}, {"Retry_After": "0.2"}),
        (503, {"error": "busy"}, {}),
        (503, {"error": "Model ada/m is currently loading", "estimated_time": 0.1}, {}),
    ],
)
def test_what_was_not_begun_is_asked_again(
    engine: Engine, hub: FakeHub, status: int, said: Any, headers: dict[str, str]
) -> None:
    answers(hub, status, said, times=2, **headers)
    began = time.monotonic()
    assert ask(engine, node()) == {"output": "in short"}
    assert len(hub.asked(POSTS)) == 3
    if headers:
        assert time.monotonic() - began > 0.35, "it came back earlier than it was told to"


def test_a_model_that_is_loaded_is_waited_for(engine: Engine, hub: FakeHub) -> None:
    """More often than other refusals are tried again: it says that it is on its way."""
    answers(hub, 503, {"error": "Model ada/m is currently loading", "estimated_time": 0.02}, times=9)
    watch = Watch(engine)
    assert ask(engine, node()) == {"output": "in short"}
    assert "the model is being loaded" in [e.text for e in watch.events if isinstance(e, StepProgressed)]


def test_a_model_that_is_never_loaded_ends_with_the_time(engine: Engine, hub: FakeHub) -> None:
    answers(hub, 503, {"error": "Model ada/m is currently loading", "estimated_time": 0.1}, times=10_000)
    began = time.monotonic()
    with pytest.raises(RunTimeoutError):
        ask(engine, node(timeout=2.0))
    assert time.monotonic() - began < 2.0 * 1.2


@pytest.mark.parametrize("status", [500, 502, 504, 400, 401, 402])
def test_what_may_have_been_done_is_not_asked_again(engine: Engine, hub: FakeHub, status: int) -> None:
    answers(hub, status, {"error": "x"}, times=1)
    refusal(engine, retries=5)
    assert len(hub.asked(POSTS)) == 1


def test_a_refused_conversation_is_asked_again(engine: Engine, hub: FakeHub) -> None:
    hub.fail("chat/completions", 429, b"{}", times=1)
    assert ask(engine, node("ada/llm")) == {"output": "You said: x"}


def test_a_provider_that_is_away_is_tried_again_and_told(
    engine: Engine, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub.inference import _providers as providers

    monkeypatch.setattr(providers.CONVERSATIONAL_AUTO_ROUTER, "base_url", "http://127.0.0.1:9")
    watch = Watch(engine)
    with pytest.raises(RemoteError, match="the Hub's router cannot be reached for 'llm': ConnectError") as caught:
        ask(engine, node("ada/llm", retries=1))
    assert caught.value.retryable
    assert [e.text for e in watch.events if isinstance(e, StepProgressed) and "again" in e.text]


# ---------------------------------------------------------------- time


def test_a_provider_that_says_nothing_is_given_up(engine: Engine, hub: FakeHub) -> None:
    quiet = threading.Event()
    hub.answer("ada/m", lambda asked: quiet.wait(10))
    began = time.monotonic()
    error = refusal(engine, idle_timeout=0.5)
    quiet.set()
    assert time.monotonic() - began < 0.5 * 1.2 + 0.5
    assert "got no word from hf-inference for too long" in error.message
    assert "idle_timeout=" in error.hint
    assert len(hub.asked(POSTS)) == 1


def test_a_hub_that_falls_silent_when_it_is_asked_who_serves(
    engine: Engine, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """huggingface_hub asks it once more, by itself, and would wait for ever: with it every other call."""
    monkeypatch.setattr(inference_line, "LOOKUP", 0.3)
    quiet = threading.Event()

    def silent(asked: str) -> None:
        quiet.wait(10)

    monkeypatch.setattr(inference_line, "_look_up", lambda *asked: silent("x"))
    began = time.monotonic()
    with pytest.raises(RemoteError, match="does not tell who serves 'ada/m'"):
        ask(engine, node())
    quiet.set()
    assert time.monotonic() - began < 5
    assert ask(engine, node("ada/llm")) == {"output": "You said: x"}


# ---------------------------------------------------------------- values


def test_values_that_cannot_be_sent_are_the_nodes_trouble(engine: Engine, hub: FakeHub) -> None:
    hub.add_model("ada/zero", task="zero-shot-image-classification")
    inputs = {"image": gr.Image(), "candidate_labels": "cat"}
    with pytest.raises(NodeFailedError, match=r"cannot be asked so: .* at least 2 classes"):
        InferenceNode("ada/zero", inputs=inputs).test()


def test_an_answer_that_is_none_is_told(engine: Engine, hub: FakeHub) -> None:
    hub.answer("ada/m", Reply(200, b"<html>", {"Content-Type": "text/html"}))
    assert "The answer of hf-inference to 'm' cannot be read" in refusal(engine).message


# ---------------------------------------------------------------- tokens


@pytest.mark.parametrize("token", ["", "sk-somebody-elses-key"])
def test_without_a_token_nothing_is_called(
    engine: Engine, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """A token of somebody else's would go to the provider itself."""
    monkeypatch.setenv("HF_TOKEN", token)
    if token:
        hub.add_user(token, "eve")
    error = refusal(engine)
    assert "hf auth login" in error.hint
    assert "HF_TOKEN" in error.hint
    assert not token or token not in str(error)
    assert not hub.asked(POSTS)


def test_a_visitor_without_a_token_does_not_use_the_hosts(engine: Engine, hub: FakeHub) -> None:
    program = engine.load(drawing_of(Graph("Visited", nodes=[node()])))
    with pytest.raises(RemoteError, match="nobody is logged in"):
        engine.call(program, "eve", {}, frozenset(program.drawing.nodes), credential=Credential(personal=True)).result(
            9
        )
    assert not hub.asked(POSTS)


def test_a_visitors_token_is_the_one_that_is_sent(engine: Engine, hub: FakeHub) -> None:
    mine = hub.add_user("hf_eveEveEveEve", "eve")
    program = engine.load(drawing_of(Graph("Visited", nodes=[node(), node("ada/llm")])))
    caller = Credential(mine, personal=True)
    engine.call(program, "eve", {}, frozenset(program.drawing.nodes), credential=caller).result(9)
    assert {one.token for one in hub.requests if one.method == "POST"} == {mine}


def test_no_token_is_told_to_anybody(
    engine: Engine, store: Store, hub: FakeHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Providers that repeat what they were sent; whatever is kept or said of it."""
    caplog.set_level(logging.DEBUG, "daggr")
    secret = hub.token

    def repeat(asked: Asked) -> Reply:
        return Reply(422, json.dumps({"error": f"no: {dict(asked.headers)}"}).encode())

    hub.answer("ada/m", repeat)
    hub.answer("ada/llm", repeat)
    watch = Watch(engine)
    for name in ("ada/m", "ada/llm"):
        with pytest.raises(RemoteError) as caught:
            ask(engine, node(name))
        told = "".join((str(caught.value), repr(caught.value.__cause__), repr(caught.value.__context__)))
        assert "hf_***" in told
        assert secret not in told
    assert secret not in repr(watch.events)
    assert secret not in caplog.text
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert not kept


def test_no_cookie_of_one_caller_is_sent_for_another(engine: Engine, hub: FakeHub) -> None:
    hub.answer("ada/m", Reply(200, b'[{"summary_text": "x"}]', {"Set-Cookie": "session=ada; Path=/"}))
    ask(engine, node())
    ask(engine, node(cache=False))
    assert [one.headers.get("cookie") for one in hub.asked(POSTS)] == [None, None]
