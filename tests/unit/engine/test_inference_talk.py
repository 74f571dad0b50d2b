"""Talking to models: what is said, the answer as it comes, and streams that end as they should not."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from daggr import Graph, InferenceNode, NodeFailedError, RemoteError, RunTimeoutError
from daggr.engine.engine import Engine
from daggr.engine.events import StepGave, StepProgressed
from daggr.engine.runners.inference.talk import Growing, Said, listen
from daggr.testing.hub import FakeHub, Reply
from tests.unit.engine.inference import ask, picture, run_of
from tests.unit.engine.test_engine import Desk, Watch


@pytest.fixture(autouse=True)
def _logged_in(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token)
    hub.add_model("meta-llama/Llama-3.1-8B-Instruct", tags=["conversational"], providers={"novita": None})


LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def said_to(hub: FakeHub) -> dict[str, Any]:
    found: dict[str, Any] = hub.asked("chat/completions")[-1].json()
    return found


def stream(*events: Any, last: str = "[DONE]") -> Reply:
    """Raw events of a stream: dicts as JSON, anything else as it is."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in (*events, *([last] if last else []))]
    body = "".join(f"data: {text}\n\n" for text in texts).encode()
    return Reply(200, [body], {"Content-Type": "text/event-stream"})


def piece(text: str | None, reason: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {"role": "assistant", "content": text, **more}
    return {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "system_fingerprint": "f",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }


# ---------------------------------------------------------------- what is said


def test_the_readme_talks_to_a_model(engine: Engine, hub: FakeHub) -> None:
    llm = InferenceNode(
        model=LLAMA,
        inputs={"prompt": gr.Textbox(label="Prompt", lines=3, value="Hello!")},
        outputs={"response": gr.Textbox(label="Response")},
    )
    assert ask(engine, llm) == {"response": "You said: Hello!"}
    assert said_to(hub)["messages"] == [{"role": "user", "content": "Hello!"}]
    assert said_to(hub)["model"] == LLAMA
    assert said_to(hub)["stream"] is True


def test_all_that_can_be_said(engine: Engine, hub: FakeHub, tmp_path: Path) -> None:
    before = [{"role": "user", "content": "Hi", "metadata": None}, {"role": "assistant", "content": "Hello"}]
    node = InferenceNode(
        LLAMA,
        inputs={
            "prompt": "What is it?",
            "system_prompt": "Be short.",
            "messages": before,
            "image": picture(tmp_path),
            "max_new_tokens": 9,
            "temperature": 0.5,
            "stop": "END",
            "seed": None,
        },
    )
    ask(engine, node)
    asked = said_to(hub)
    (system, hi, hello, question) = asked["messages"]
    assert system == {"role": "system", "content": "Be short."}
    assert [hi, hello] == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    text, image = question["content"]
    assert text == {"type": "text", "text": "What is it?"}
    assert image["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert (asked["max_tokens"], asked["temperature"], asked["stop"]) == (9, 0.5, ["END"])
    assert "seed" not in asked


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"messages": "Hi"}, "'messages' of 'Llama-3.1-8B-Instruct' is no list of messages"),
        ({"messages": []}, "nothing to say"),
        ({"prompt": 7}, "'prompt' of 'Llama-3.1-8B-Instruct' is a int; it takes a text"),
        ({"prompt": None}, "was given no value for 'prompt'"),
    ],
)
def test_what_cannot_be_said_is_told(engine: Engine, hub: FakeHub, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(NodeFailedError, match=message):
        ask(engine, InferenceNode(LLAMA, inputs=inputs))
    assert not hub.asked("chat/completions")


def test_a_picture_that_is_a_text_is_not_sent(engine: Engine, hub: FakeHub) -> None:
    node = InferenceNode(LLAMA, inputs={"prompt": "x", "image": gr.Textbox(value="/etc/hostname")})
    with pytest.raises(NodeFailedError, match=r"'image' of .* is the text"):
        ask(engine, node)
    assert not hub.asked("chat/completions")


# ---------------------------------------------------------------- as it comes


def test_the_answer_is_shown_as_it_grows(engine: Engine, hub: FakeHub) -> None:
    shown: list[str] = []
    go_on = threading.Event()

    def observe(event: object) -> None:
        if isinstance(event, StepGave):
            shown.append(event.values["response"])
            go_on.set()

    def answer(_: Any) -> Iterator[str]:
        for word in ("one ", "two ", "three"):
            yield word
            go_on.wait(5)
            go_on.clear()

    hub.answer(LLAMA, answer)
    engine.observe(observe)
    node = InferenceNode(LLAMA, inputs={"prompt": "count"}, outputs={"response": gr.Textbox()})
    assert ask(engine, node) == {"response": "one two three"}
    assert shown == ["one ", "one two ", "one two three"]


def test_many_pieces_are_shown_now_and_then(engine: Engine, hub: FakeHub) -> None:
    hub.answer(LLAMA, [f"{number} " for number in range(500)])
    watch = Watch(engine)
    text = ask(engine, InferenceNode(LLAMA, inputs={"prompt": "count"}))["output"]
    assert text == "".join(f"{number} " for number in range(500))
    gave = [event for event in watch.events if isinstance(event, StepGave)]
    assert len(gave) < 50


def test_what_is_shown_went_through_the_hook(engine: Engine, hub: FakeHub) -> None:
    def answer(_: Any) -> Iterator[str]:
        yield "ab"
        time.sleep(0.2)
        yield "c"

    hub.answer(LLAMA, answer)
    watch = Watch(engine)
    node = InferenceNode(LLAMA, inputs={"prompt": "x"}, postprocess=lambda text: (text.upper(), len(text)),
                         outputs={"loud": None, "count": None})  # fmt: skip
    assert ask(engine, node) == {"loud": "ABC", "count": 3}
    gave = [event.values for event in watch.events if isinstance(event, StepGave)]
    assert gave[0] == {"loud": "AB", "count": 2}


def test_reasoning_is_said_and_is_no_answer(engine: Engine, hub: FakeHub) -> None:
    hub.answer(LLAMA, stream(piece(None, reasoning="hm"), piece(None, reasoning="aha"), piece("42"), piece("", "stop")))
    watch = Watch(engine)
    assert ask(engine, InferenceNode(LLAMA, inputs={"prompt": "x"})) == {"output": "42"}
    progress = [event.text for event in watch.events if isinstance(event, StepProgressed)]
    assert set(progress) <= {"asking the Hub's router", "thinking", ""}


def test_an_answer_that_was_cut_off_has_a_note(engine: Engine, hub: FakeHub) -> None:
    hub.answer(LLAMA, stream(piece("Once upon"), piece("", "length")))
    run = run_of(engine, InferenceNode(LLAMA, inputs={"prompt": "x"}))
    assert any("max_tokens" in note for note in run.notes)


def test_a_count_of_tokens_at_the_end_is_no_trouble() -> None:
    async def pieces() -> AsyncIterator[Any]:
        yield SimpleNamespace(choices=[SimpleNamespace(delta=Delta(content="hi"), finish_reason="stop")])
        yield SimpleNamespace(choices=[])

    class Delta(dict[str, Any]):
        def __init__(self, content: str) -> None:
            super().__init__(content=content)
            self.content = content

    assert asyncio.run(listen(pieces(), Growing(lambda: None))) == Said("hi", "stop")


# ---------------------------------------------------------------- streams that fail


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (stream(piece("half"), last=""), "the answer broke off before its end"),
        (stream(last=""), "the answer broke off before its end"),
        (stream(piece("half"), {"error": "GPU on fire", "error_type": "generation"}), "GPU on fire"),
        (stream(piece("half"), "{not json"), "cannot be read"),
    ],
    ids=["half", "empty", "error", "no json"],
)
def test_a_stream_that_fails_is_told_and_not_asked_again(
    engine: Engine, hub: FakeHub, reply: Reply, message: str
) -> None:
    hub.answer(LLAMA, reply)
    with pytest.raises(RemoteError, match=message) as caught:
        ask(engine, InferenceNode(LLAMA, inputs={"prompt": "x"}))
    assert caught.value.where is not None
    assert len(hub.asked("chat/completions")) == 1


def test_a_stream_that_is_cut_is_told_and_not_asked_again(engine: Engine, hub: FakeHub) -> None:
    def cut(_: Any) -> Iterator[str]:
        yield "half"
        raise OSError("the provider's cable")

    hub.answer(LLAMA, cut)
    with pytest.raises(RemoteError, match="broke off") as caught:
        ask(engine, InferenceNode(LLAMA, inputs={"prompt": "x"}))
    assert caught.value.retryable
    assert len(hub.asked("chat/completions")) == 1


@pytest.mark.parametrize("limit", ["idle_timeout", "timeout"])
def test_a_stream_that_falls_silent_ends(engine: Engine, hub: FakeHub, limit: str) -> None:
    quiet = threading.Event()

    def answer(_: Any) -> Iterator[str]:
        yield "half"
        quiet.wait(10)

    hub.answer(LLAMA, answer)
    node = InferenceNode(LLAMA, inputs={"prompt": "x"}, **{limit: 1.0})  # type: ignore[arg-type]
    began = time.monotonic()
    with pytest.raises((RemoteError, RunTimeoutError)) as caught:
        ask(engine, node)
    took = time.monotonic() - began
    quiet.set()
    assert 0.9 < took < 2.5
    if limit == "idle_timeout":
        assert "no word from the Hub's router for too long" in str(caught.value)


def test_stop_reaches_the_provider(engine: Engine, hub: FakeHub) -> None:
    hung_up = threading.Event()

    def answer(_: Any) -> Iterator[str]:
        try:
            for number in range(1000):
                yield f"{number} "
                time.sleep(0.02)
        finally:
            hung_up.set()

    hub.answer(LLAMA, answer)
    desk = Desk(engine, Graph("Stopped", nodes=[InferenceNode(LLAMA, inputs={"prompt": "x"}, name="llm")]))
    job, future = engine.start(desk.program, "local", desk.id, None, "all")
    deadline = time.monotonic() + 10
    while not any(isinstance(event, StepGave) for event in desk.watch.events) and time.monotonic() < deadline:
        time.sleep(0.01)
    engine.stop(job)
    future.result(5)
    assert hung_up.wait(3), "the provider went on"
    count = len(desk.watch.events)
    time.sleep(0.2)
    assert not [event for event in desk.watch.events[count:] if isinstance(event, StepGave)]
