"""What models and providers never get at: files where a text goes, files that a dict names, this machine's network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from huggingface_hub import get_session

from daggr import FnNode, Graph, InferenceNode, NodeFailedError, RemoteError, RunTimeoutError
from daggr.engine.engine import Engine
from daggr.engine.hub import patience
from daggr.engine.runners.inference.fetching import check_address
from daggr.engine.runners.inference.refusals import WORDS, words
from daggr.testing.hub import Asked, FakeHub, Reply
from daggr.testing.samples import mp4, png
from daggr.testing.web import Web, said
from tests.unit.engine.inference import ask, picture
from tests.unit.engine.test_engine import call

LLM = "ada/llm"


@pytest.fixture(autouse=True)
def _logged_in(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token)
    monkeypatch.setattr(patience, "FIRST", 0.01)
    hub.add_model(LLM, tags=["conversational"])
    hub.add_model("ada/painter", task="text-to-image")
    hub.add_model("ada/judge", task="text-classification")
    hub.add_model("ada/editor", task="image-to-image")
    hub.add_model("ada/voice", task="text-to-speech")
    hub.add_model("ada/film", task="text-to-video", providers={"fal-ai": None})
    hub.add_model("ada/speaker", task="text-to-speech", providers={"replicate": None})


def posts(hub: FakeHub) -> list[Asked]:
    return [one for one in hub.requests if one.method == "POST"]


# ---------------------------------------------------------------- files where none goes


@pytest.mark.parametrize(
    ("model", "argument", "hint"),
    [(LLM, "prompt", "Give it as 'image'."), ("ada/judge", "text", "This task takes no files.")],
)
def test_a_file_is_not_said_to_a_model(
    engine: Engine, hub: FakeHub, tmp_path: Path, model: str, argument: str, hint: str
) -> None:
    """It would be told a path of this machine."""
    painter = InferenceNode("ada/painter", inputs={"prompt": "x"})
    teller = InferenceNode(model, name="teller", inputs={argument: painter.image})
    with pytest.raises(NodeFailedError, match=rf"'{argument}' of 'teller' holds the file 'image\S*\.png'") as caught:
        call(engine, Graph("Told", nodes=[teller]), tmp_path)
    assert caught.value.hint == hint
    assert str(tmp_path) not in str(caught.value)
    assert [one.path for one in posts(hub)] == ["/hf-inference/models/ada/painter"]


def test_a_sole_picture_of_another_name_says_what_to_call_it(engine: Engine, hub: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(NodeFailedError, match=r"holds the file 'cat\.png'") as caught:
        ask(engine, InferenceNode(LLM, inputs={"picture": picture(tmp_path)}))
    assert caught.value.hint == "Give it as 'image'."
    assert not posts(hub)


@pytest.mark.parametrize("given", ["by the script", "by a node"])
def test_a_picture_in_a_chatbots_messages_is_not_said(
    engine: Engine, hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cat.png").write_bytes(png())
    said_before: Any = [{"role": "user", "content": {"path": str(tmp_path / "cat.png")}}]
    before: Any = gr.Chatbot(value=said_before)
    if given == "by a node":

        def talk() -> Any:
            Path("cat.png").write_bytes(png(3))
            return said_before

        before = FnNode(talk, outputs={"said": gr.Chatbot()}).said
    node = InferenceNode(LLM, name="chat", inputs={"messages": before, "prompt": "What is it?"})
    with pytest.raises(NodeFailedError, match=r"'messages' of 'chat' holds the file '\S+\.png'") as caught:
        ask(engine, node)
    assert "/" not in caught.value.message
    assert caught.value.hint == "Give it as 'image'."
    assert not posts(hub)


# ---------------------------------------------------------------- beside the arguments


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"image": "secret.txt"}, r"names {'image'}, as an input does"),
        ({"loop": True, "prompt": "x"}, r"names {'prompt'}, as an input does"),
        ({"model": "eve/model"}, "names the 'model'"),
        ("image=secret.txt", "is a str; it takes a dict"),
        ([["image", "secret.txt"]], "is a list; it takes a dict"),
    ],
)
def test_what_goes_beside_the_arguments_replaces_none(
    engine: Engine, hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: Any, message: str
) -> None:
    """huggingface_hub would open the file and send it: whoever may fill in the form would read any file."""
    monkeypatch.chdir(tmp_path)
    Path("secret.txt").write_text("secret")
    node = InferenceNode("ada/editor", inputs={"image": picture(tmp_path), "extra_body": gr.JSON(value={})})
    with pytest.raises(NodeFailedError, match=f"'extra_body' of 'editor' {message}") as caught:
        ask(engine, node, editor__extra_body=extra)
    assert caught.value.where is not None
    assert caught.value.hint
    assert not posts(hub)


# ---------------------------------------------------------------- queues


def film(**more: Any) -> InferenceNode:
    return InferenceNode("ada/film", inputs={"prompt": "a cat"}, **more)


@pytest.mark.parametrize("status", [429, 503])
def test_what_is_in_a_queue_is_not_paid_for_again(engine: Engine, hub: FakeHub, status: int) -> None:
    hub.fail(r"/requests/\d+/status", status, b'{"error": "loading"}', {"Retry-After": "0"})
    with pytest.raises(RemoteError):
        ask(engine, film(retries=3))
    assert len(posts(hub)) == 1


def test_a_queue_is_not_asked_when_nobody_waits(engine: Engine, hub: FakeHub) -> None:
    hub.fail(r"/requests/\d+/status", 200, b'{"status": "IN_PROGRESS"}', times=10_000)
    with pytest.raises(RunTimeoutError):
        ask(engine, film(timeout=1.5))
    before = len(hub.asked("/status$"))
    assert before
    time.sleep(1.2)
    assert len(hub.asked("/status$")) <= before + 1, "one may have been on its way"


def test_a_queue_that_falls_silent_is_given_up(engine: Engine, hub: FakeHub) -> None:
    def quiet() -> Any:
        time.sleep(8)
        yield b"{}"

    hub.fail(r"/requests/\d+/status", 200)
    hub._failures[-1].reply = Reply(200, quiet())
    began = time.monotonic()
    with pytest.raises(RemoteError, match="got no word from fal-ai for too long"):
        ask(engine, film(idle_timeout=0.5))
    assert time.monotonic() - began < 5


# ---------------------------------------------------------------- addresses in answers


class Inner(Web):
    """A service that only this machine can reach."""

    def reply(self, asked: Asked) -> Reply:
        return Reply(200, mp4())


@pytest.mark.parametrize("redirected", [False, True])
def test_an_address_in_an_answer_leads_nowhere_inside(engine: Engine, hub: FakeHub, redirected: bool) -> None:
    with Inner() as inner:
        address = f"{inner.url}/latest/meta-data"
        if redirected:
            hub.fail("/media/7", 302, headers={"Location": address})
            address = f"{hub.url}/media/7.wav"
        hub.answer("ada/speaker", said({"status": "succeeded", "output": address}))
        with pytest.raises(RemoteError, match=r"names '127\.0\.0\.1', which is no address of the internet's"):
            ask(engine, InferenceNode("ada/speaker", inputs={"text": "x"}))
        assert not inner.requests
        assert get_session().get(inner.url).status_code == 200, "what others ask is left alone"


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "a.localhost", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "0.0.0.0", "10.0.0.5"),
        *("192.168.1.1", "172.16.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.5]", "[fe80::1]", "[fd00::1]"),
    ],
)
def test_addresses_of_the_inside_are_known(host: str) -> None:
    with pytest.raises(ValueError, match="no address of the internet's"):
        check_address(f"http://{host}/latest")


def test_other_addresses_are_asked(hub: FakeHub) -> None:
    for url in ("https://replicate.delivery/x.wav", "https://8.8.8.8/x", "https://10.example.com/", f"{hub.url}/x"):
        check_address(url)


@pytest.mark.parametrize("content", [b"internal credentials", b"root:x:0:0", bytes(64)])
def test_what_is_fetched_must_be_what_was_asked_for(engine: Engine, hub: FakeHub, content: bytes) -> None:
    hub.answer("ada/voice", content)
    with pytest.raises(RemoteError, match="there is something unknown in the place of audio"):
        ask(engine, InferenceNode("ada/voice", inputs={"text": "x"}))


def test_a_long_refusal_is_not_cut_within_a_token() -> None:
    token = "hf_" + "a1" * 17
    for before in range(WORDS - len(token) - 5, WORDS + 1):
        told = words(httpx.Response(400, json={"error": "x" * (before - 1) + f" {token} and more" * 3}))
        assert token in told or "hf_" not in told
