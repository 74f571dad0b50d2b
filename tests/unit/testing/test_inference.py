"""Every task of InferenceClient gets an answer that it understands, from each provider that is imitated."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import BadRequestError, HfHubHTTPError
from huggingface_hub.inference._providers import PROVIDERS
from PIL import Image

from daggr.testing.hub import FakeHub, Reply
from daggr.testing.samples import png, wav
from daggr.testing.web import Asked

PICTURE, SOUND, WORDS = png(3), wav(), ["p", "q"]
Call = Callable[[InferenceClient], Any]

TASKS: dict[str, Call] = {
    "audio-classification": lambda client: client.audio_classification(SOUND)[0].label,
    "audio-to-audio": lambda client: client.audio_to_audio(SOUND)[0].blob[:4],
    "automatic-speech-recognition": lambda client: client.automatic_speech_recognition(SOUND).text,
    "document-question-answering": lambda client: client.document_question_answering(PICTURE, "what?")[0].answer,
    "feature-extraction": lambda client: client.feature_extraction("text").shape,
    "fill-mask": lambda client: client.fill_mask("[MASK] is fine")[0].token_str,
    "image-classification": lambda client: client.image_classification(PICTURE)[0].label,
    "image-segmentation": lambda client: client.image_segmentation(PICTURE)[0].mask.size,  # type: ignore[attr-defined]
    "image-to-image": lambda client: client.image_to_image(PICTURE, "a cat").size,
    "image-to-text": lambda client: client.image_to_text(PICTURE).generated_text,
    "image-to-video": lambda client: client.image_to_video(PICTURE)[4:8],
    "object-detection": lambda client: client.object_detection(PICTURE)[0].box.xmax,
    "question-answering": lambda client: client.question_answering("what?", "42").answer,  # type: ignore[union-attr]
    "sentence-similarity": lambda client: client.sentence_similarity("a", ["b", "c"]),
    "summarization": lambda client: client.summarization("text").summary_text,
    "table-question-answering": lambda client: client.table_question_answering({"a": ["1"]}, "what?").answer,
    "tabular-classification": lambda client: client.tabular_classification({"a": ["1"]}),
    "text-classification": lambda client: client.text_classification("text")[0].label,
    "text-generation": lambda client: client.text_generation("text"),
    "text-to-image": lambda client: client.text_to_image("a cat").size,
    "text-to-speech": lambda client: client.text_to_speech("text")[:4],
    "text-to-video": lambda client: client.text_to_video("text")[4:8],
    "token-classification": lambda client: client.token_classification("text")[0].word,
    "translation": lambda client: client.translation("text").translation_text,
    "visual-question-answering": lambda client: client.visual_question_answering(PICTURE, "what?")[0].answer,
    "zero-shot-classification": lambda client: client.zero_shot_classification("text", WORDS)[0].label,
    "zero-shot-image-classification": lambda client: client.zero_shot_image_classification(PICTURE, WORDS)[0].label,
}
EXPECTED = {
    "audio-classification": "cat",
    "audio-to-audio": b"RIFF",
    "automatic-speech-recognition": "hello world",
    "document-question-answering": "42",
    "feature-extraction": (1, 3),
    "fill-mask": "Paris",
    "image-classification": "cat",
    "image-segmentation": (8, 8),
    "image-to-image": (8, 8),
    "image-to-text": "a small picture",
    "image-to-video": b"ftyp",
    "object-detection": 5,
    "question-answering": "42",
    "sentence-similarity": [0.9, 0.1],
    "summarization": "in short",
    "table-question-answering": "1",
    "tabular-classification": ["0"],
    "text-classification": "POSITIVE",
    "text-generation": "and so on",
    "text-to-image": (8, 8),
    "text-to-speech": b"RIFF",
    "text-to-video": b"ftyp",
    "token-classification": "Ada",
    "translation": "bonjour",
    "visual-question-answering": "yes",
    "zero-shot-classification": "p",
    "zero-shot-image-classification": "cat",
}
IMITATED = ("hf-inference", "fal-ai", "replicate", "nscale", "scaleway")
PAIRS = [
    (provider, task)
    for provider, tasks in PROVIDERS.items()
    for task in tasks
    if provider in IMITATED and task != "conversational" and (provider, task) != ("replicate", "image-to-image")
]
PAIRS += [("together", task) for task in ("text-to-image", "text-generation", "text-to-speech", "feature-extraction")]
QUESTION = [{"role": "user", "content": "hello there"}]


@pytest.mark.parametrize(("provider", "task"), PAIRS)
def test_every_task(hub: FakeHub, provider: Any, task: str) -> None:
    hub.add_model("x/model", task=task, tags=[task], providers={provider: None})
    client = InferenceClient("x/model", provider=provider, token=hub.token)
    assert TASKS[task](client) == EXPECTED[task]
    assert hub.requests[-1].headers


def test_every_task_is_tried_somewhere() -> None:
    assert {task for _, task in PAIRS} == set(TASKS)


CHATS = [name for name, tasks in PROVIDERS.items() if "conversational" in tasks and name != "openai"]


@pytest.mark.parametrize("provider", [None, *CHATS])
def test_chats(hub: FakeHub, provider: Any) -> None:
    hub.add_model("x/chat", tags=["conversational"], providers={provider or "groq": None})
    client = InferenceClient("x/chat", provider=provider, token=hub.token)
    assert client.chat_completion(QUESTION).choices[0].message.content == "You said: hello there"  # type: ignore[arg-type]
    pieces = [chunk.choices[0].delta.content for chunk in client.chat_completion(QUESTION, stream=True)]  # type: ignore[arg-type]
    assert pieces == ["", "You ", "said: ", "hello ", "there", ""]


def test_models_that_look_at_pictures_chat(hub: FakeHub) -> None:
    hub.add_model("x/eyes", task="image-text-to-text", providers={"groq": None})
    parts = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    question = [{"role": "user", "content": parts}]
    answer = InferenceClient("x/eyes", token=hub.token).chat_completion(question)  # type: ignore[arg-type]
    assert answer.choices[0].message.content == "You said: what? <image_url>"


def test_pieces_of_a_chat_come_as_they_are_made(hub: FakeHub) -> None:
    def slowly(asked: Asked) -> Iterator[str]:
        for piece in asked.json()["messages"][0]["content"].split():
            time.sleep(0.05)
            yield piece

    hub.add_model("x/chat", tags=["conversational"])
    hub.answer("x/chat", slowly)
    client = InferenceClient("x/chat", provider="hf-inference", token=hub.token)
    begun = time.monotonic()
    came = [
        (chunk.choices[0].delta.content, time.monotonic() - begun)
        for chunk in client.chat_completion(QUESTION, stream=True)  # type: ignore[arg-type]
    ]
    assert [piece for piece, _ in came] == ["", "hello", "there", ""]
    assert came[2][1] - came[1][1] > 0.04


def test_generated_text_streams(hub: FakeHub) -> None:
    hub.add_model("x/writer")
    hub.answer("x/writer", "one two")
    client = InferenceClient("x/writer", provider="hf-inference", token=hub.token)
    assert list(client.text_generation("text", stream=True)) == ["one ", "two"]
    assert client.text_generation("text") == "one two"


def test_what_a_test_wants_is_answered(hub: FakeHub) -> None:
    hub.add_model("x/painter", task="text-to-image", providers={"fal-ai": None, "hf-inference": None})
    file = io.BytesIO()
    Image.new("RGB", (3, 5)).save(file, "PNG")
    hub.answer("x/painter", file.getvalue())
    for provider in ("fal-ai", "hf-inference"):
        painter = InferenceClient("x/painter", provider=provider, token=hub.token)  # type: ignore[arg-type]
        assert painter.text_to_image("a cat").size == (3, 5)
    hub.answer("x/painter", lambda asked: Reply(402, b'{"error": "You have exceeded your monthly credits"}'))
    with pytest.raises(HfHubHTTPError, match="402"):
        painter.text_to_image("a cat")


def test_pictures_differ_by_what_was_asked(hub: FakeHub) -> None:
    hub.add_model("x/painter", task="text-to-image")
    painter = InferenceClient("x/painter", provider="hf-inference", token=hub.token)
    seen = {painter.text_to_image(prompt).tobytes() for prompt in ("a", "b", "a")}
    assert len(seen) == 2


def test_refusals(hub: FakeHub) -> None:
    hub.add_model("x/gated", task="summarization", gated=True)
    with pytest.raises(HfHubHTTPError) as gated:
        InferenceClient("x/gated", provider="hf-inference", token=hub.token).summarization("text")
    assert gated.value.response.status_code == 403
    with pytest.raises(BadRequestError, match="does not exist"):
        InferenceClient("x/none", token=hub.token).chat_completion(QUESTION)  # type: ignore[arg-type]
    hub.add_model("x/chat", tags=["conversational"], providers={"groq": None})
    with pytest.raises(BadRequestError, match="not supported by provider 'novita'"):
        InferenceClient("x/chat:novita", token=hub.token).chat_completion(QUESTION)  # type: ignore[arg-type]
    hub.add_model("x/open", task="summarization")
    with pytest.raises(HfHubHTTPError, match="401"):
        InferenceClient("x/open", provider="hf-inference").summarization("text")
