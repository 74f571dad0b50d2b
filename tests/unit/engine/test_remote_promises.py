"""What users were promised of remote nodes, in its own words: messages of wrong scripts, and what `.test()` returns."""

from __future__ import annotations

import re
import wave
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import pytest
from PIL import Image

from daggr import GradioNode, Graph, InferenceNode, RemoteError
from daggr.graph.nodes.base import Node
from daggr.testing.apps import GradioApp
from daggr.testing.hub import FakeHub

WHISPER, LLAMA = "openai/whisper-large-v3", "meta-llama/Llama-3.1-8B-Instruct"
REMOVER, PAINTER = "hf-applications/background-removal", "hf-applications/Z-Image-Turbo"


@pytest.fixture
def there(hub: FakeHub, gradio_app: GradioApp, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """The Hub with what the examples call, and somebody logged in."""
    monkeypatch.setenv("HF_TOKEN", hub.token)
    for space in (REMOVER, PAINTER):
        hub.add_space(space, gradio_app.url)
    hub.add_model(WHISPER, task="automatic-speech-recognition")
    hub.add_model(LLAMA, tags=("conversational",))
    return hub


def test_whisper_says_what_it_heard(there: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with wave.open("sample.wav", "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    there.answer(WHISPER, {"text": "Hello, how are you?"})
    whisper = InferenceNode(WHISPER, inputs={"audio": gr.Audio()})
    assert whisper.test(audio="sample.wav") == {"text": "Hello, how are you?"}
    assert there.asked(f"models/{WHISPER}$")[-1].body == Path("sample.wav").read_bytes()


def test_the_readmes_model_answers(there: FakeHub) -> None:
    llm = InferenceNode(
        model=LLAMA,
        inputs={"prompt": gr.Textbox(label="Prompt", lines=3)},
        outputs={"response": gr.Textbox(label="Response")},
    )
    there.answer(LLAMA, "A cache.")
    assert llm.test(prompt="What is it?") == {"response": "A cache."}
    assert llm.test() == {"response": "A cache."}
    assert Graph("Ask", nodes=[llm]).run({"Llama_3.1_8B_Instruct__prompt": "?"}) == {
        "Llama-3.1-8B-Instruct": {"response": "A cache."}
    }


def test_an_apps_node_gives_paths(there: FakeHub) -> None:
    node = GradioNode(PAINTER, api_name="/audio", outputs={"audio": gr.Audio()})
    (name, path), *others = node.test().items()
    assert (name, others) == ("audio", [])
    assert Path(path).suffix == ".wav"
    maker = GradioNode(PAINTER, api_name="/image", inputs={"prompt": gr.Textbox()}, outputs={"image": gr.Image()})
    with Image.open(maker.test(prompt="Hello world")["image"]) as image:
        assert image.size == (256, 256)


def wrong_endpoint() -> Node:
    return GradioNode(REMOVER, api_name="/imag", inputs={"prompt": gr.Textbox()}, outputs={"image": None})


def wrong_parameter() -> Node:
    return GradioNode(PAINTER, api_name="/image", inputs={"promt": "x"}, outputs={"image": None})


def missing_parameter() -> Node:
    return GradioNode(PAINTER, api_name="/text", inputs={}, outputs={"image": None})


def wrong_model() -> Node:
    return InferenceNode("meta-llama/nonexistent-model", inputs={"prompt": "x"}, outputs={"text": None})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            wrong_endpoint,
            r"API endpoint '/imag' not found in 'hf-applications/background-removal'\. "
            r"Available endpoints: \['/.*\]\. Did you mean '/image'\?",
        ),
        (
            wrong_parameter,
            r"Invalid parameter\(s\) \{'promt'\} for endpoint '/image' in 'hf-applications/Z-Image-Turbo'\. "
            r"Did you mean: 'promt' -> 'prompt'\? Valid parameters: \{'prompt', 'seed'\}",
        ),
        (
            missing_parameter,
            r"Missing required parameter\(s\) \{'text'\} for endpoint '/text' in 'hf-applications/Z-Image-Turbo'\. "
            r"These parameters have no default values\.",
        ),
        (
            wrong_model,
            r"Model 'meta-llama/nonexistent-model' not found on Hugging Face Hub\. "
            r"Please check the model name is correct \(format: 'username/model-name'\)\.",
        ),
    ],
)
def test_wrong_scripts_are_told_in_the_promised_words(there: FakeHub, make: Callable[[], Node], said: str) -> None:
    line = make.__code__.co_firstlineno + 1
    for attempt in (make().test, Graph("Wrong", nodes=[make()]).run):
        with pytest.raises(ValueError, match=said) as caught:
            attempt()
        assert re.search(rf"\(at test_remote_promises\.py:{line}\)", str(caught.value))


def test_nobody_logged_in_is_told_what_to_do(hub: FakeHub) -> None:
    hub.add_model(LLAMA, tags=("conversational",))
    with pytest.raises(RemoteError, match="hf auth login"):
        InferenceNode(LLAMA, inputs={"prompt": "x"}, outputs={"text": None}).test()


def test_what_is_known_asks_nobody(there: FakeHub) -> None:
    """The second run is a look-up: no app, no model and no Hub is asked."""
    drawn = GradioNode(PAINTER, api_name="/image", inputs={"prompt": "x"}, outputs={"image": gr.Image()})
    told = InferenceNode(LLAMA, inputs={"prompt": "Say it", "image": drawn.image}, outputs={"text": None})
    first = Graph("Known", nodes=[told]).run()
    before = len(there.requests)
    same = GradioNode(PAINTER, api_name="/image", inputs={"prompt": "x"}, outputs={"image": gr.Image()})
    again = InferenceNode(LLAMA, inputs={"prompt": "Say it", "image": same.image}, outputs={"text": None})
    assert Graph("Known", nodes=[again]).run() == first
    assert len(there.requests) == before
