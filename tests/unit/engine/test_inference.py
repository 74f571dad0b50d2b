"""InferenceNode against the fake Hub, over HTTP: every task, files both ways, hooks, what is kept."""

from __future__ import annotations

import base64
import io
import wave
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from daggr import EndpointError, FnNode, Graph, InferenceNode, NodeFailedError, RemoteError
from daggr.engine.engine import Engine
from daggr.engine.hub.tasks import TABLE
from daggr.testing.hub import Asked, FakeHub
from daggr.testing.samples import mp4, png, wav
from tests.unit.engine.inference import ask, picture, run_of, sound, wrong
from tests.unit.engine.test_engine import Watch, call


@pytest.fixture(autouse=True)
def _logged_in(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token)


INPUTS: dict[str, Any] = {
    "table": {"city": ["Rome", "Oslo"]},
    "candidate_labels": "cat, dog",
    "other_sentences": ["so", "thus"],
}
LABELS = {"cat": 0.75, "dog": 0.25}
VALUES: dict[str, Any] = {
    "audio-classification": LABELS,
    "automatic-speech-recognition": "hello world",
    "conversational": "You said: hello",
    "document-question-answering": "42",
    "fill-mask": [{"score": 0.9, "sequence": "Paris is fine", "token": 3, "token_str": "Paris"}],
    "image-classification": LABELS,
    "image-to-text": "a small picture",
    "object-detection": [{"label": "cat", "score": 0.9, "box": {"xmin": 1, "ymin": 2, "xmax": 5, "ymax": 6}}],
    "question-answering": "42",
    "sentence-similarity": [0.9, 0.1],
    "summarization": "in short",
    "table-question-answering": "1",
    "tabular-classification": ["0"],
    "text-classification": {"POSITIVE": 0.99, "NEGATIVE": 0.01},
    "text-generation": "and so on",
    "token-classification": [{"entity_group": "PER", "word": "Ada", "start": 0, "end": 3, "score": 0.99}],
    "translation": "bonjour",
    "visual-question-answering": "yes",
    "zero-shot-classification": {"cat": 0.5, "dog": 0.25},
    "zero-shot-image-classification": LABELS,
}
FILES = {"audio-to-audio", "image-to-image", "image-to-video", "text-to-image", "text-to-speech", "text-to-video"}


def model(hub: FakeHub, task: str) -> str:
    """A model for a task, and who serves it."""
    name = f"ada/{task}"
    film = task in ("image-to-video", "text-to-video")
    talks = task == "conversational"
    hub.add_model(
        name,
        task="text-generation" if talks else task,
        tags=["conversational"] if talks else [],
        providers={"fal-ai" if film else "hf-inference": None},
    )
    return name


def inputs_of(task: str, folder: Path) -> dict[str, Any]:
    required = [name for name, needed in TABLE[task].arguments.items() if needed]
    made = {"image": lambda: picture(folder), "audio": lambda: sound(folder)}
    return {name: made[name]() if name in made else INPUTS.get(name, "hello") for name in required}


@pytest.mark.parametrize("task", VALUES)
def test_every_task_gives_plain_values(engine: Engine, hub: FakeHub, tmp_path: Path, task: str) -> None:
    node = InferenceNode(model(hub, task), inputs=inputs_of(task, tmp_path))
    assert ask(engine, node) == {"output": VALUES[task]}
    assert type(next(iter(VALUES[task]), "")) in (str, dict, float)


@pytest.mark.parametrize("task", sorted(FILES))
def test_media_come_as_files(engine: Engine, hub: FakeHub, tmp_path: Path, task: str) -> None:
    shown = {"image": gr.Image(), "audio": gr.Audio(), "video": gr.Video()}[TABLE[task].output]
    node = InferenceNode(model(hub, task), inputs=inputs_of(task, tmp_path), outputs={"it": shown})
    path = Path(ask(engine, node)["it"])
    match TABLE[task].output:
        case "image":
            with Image.open(path) as found:
                assert (path.suffix, found.format, found.size) == (".png", "PNG", (8, 8))
        case "audio":
            with wave.open(str(path)) as found_sound:
                assert (path.suffix, found_sound.getframerate()) == (".wav", 8000)
        case _:
            assert path.suffix == ".mp4"
            assert path.read_bytes()[4:8] == b"ftyp"


def test_an_embedding_is_lists_of_numbers(engine: Engine, hub: FakeHub) -> None:
    node = InferenceNode(model(hub, "feature-extraction"), inputs={"text": "hello"})
    ((one, two, three),) = ask(engine, node)["output"]
    assert (one, two, three) == pytest.approx((0.1, 0.2, 0.3))


def test_masks_are_files_within_json(engine: Engine, hub: FakeHub, tmp_path: Path) -> None:
    node = InferenceNode(model(hub, "image-segmentation"), inputs={"image": picture(tmp_path)})

    def sizes(segments: list[dict[str, Any]]) -> list[int]:
        with Image.open(segments[0]["mask"]) as mask:
            return list(mask.size)

    graph = Graph("Masks", nodes=[FnNode(sizes, inputs={"segments": node.output})])
    values = call(engine, graph, tmp_path)
    assert values["sizes"]["output"] == [8, 8]
    assert set(values[node.name]["output"][0]) == {"label", "score", "mask"}


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (wav(), ".wav"),
        (b"fLaC" + bytes(40), ".flac"),
        (b"ID3\4" + bytes(40), ".mp3"),
        (b"\xff\xfb\x90" + bytes(40), ".mp3"),
        (b"OggS" + bytes(40), ".ogg"),
    ],
)
def test_a_sound_has_the_suffix_of_what_it_is(engine: Engine, hub: FakeHub, content: bytes, suffix: str) -> None:
    hub.answer(model(hub, "text-to-speech"), content)
    node = InferenceNode("ada/text-to-speech", inputs={"text": "hello"}, outputs={"speech": gr.Audio()})
    path = Path(ask(engine, node)["speech"])
    assert path.suffix == suffix
    assert path.read_bytes() == content


def test_a_jpeg_becomes_a_png(engine: Engine, hub: FakeHub, tmp_path: Path) -> None:
    Image.new("CMYK", (4, 3)).save(tmp_path / "x.jpg")
    hub.answer(model(hub, "text-to-image"), (tmp_path / "x.jpg").read_bytes())
    path = ask(engine, InferenceNode("ada/text-to-image", inputs={"prompt": "x"}))["output"]
    with Image.open(path) as found:
        assert (found.format, found.mode, found.size) == ("PNG", "RGB", (4, 3))


def test_sounds_taken_apart_go_to_the_ports_in_order(engine: Engine, hub: FakeHub, tmp_path: Path) -> None:
    parts = [{"label": name, "content-type": "audio/wav", "blob": base64.b64encode(wav(pitch)).decode()}
             for name, pitch in (("voice", 200), ("rest", 300))]  # fmt: skip
    hub.answer(model(hub, "audio-to-audio"), parts)
    outputs = {"voice": gr.Audio(), "rest": gr.Audio()}
    found = ask(engine, InferenceNode("ada/audio-to-audio", inputs={"audio": sound(tmp_path)}, outputs=outputs))
    assert [Path(found[name]).read_bytes() for name in outputs] == [wav(200), wav(300)]


# ---------------------------------------------------------------- arguments


def sent(hub: FakeHub, path: str = "/hf-inference/models/") -> Asked:
    return hub.asked(path, "POST")[-1]


def test_arguments_go_by_their_names(engine: Engine, hub: FakeHub) -> None:
    node = InferenceNode(
        model(hub, "text-to-image"),
        inputs={"prompt": gr.Textbox(value="a cat"), "seed": gr.Number(value=7, precision=0), "negative_prompt": None},
    )
    ask(engine, node)
    assert sent(hub).json() == {"inputs": "a cat", "parameters": {"seed": 7}}


def test_a_sole_input_is_the_main_argument(engine: Engine, hub: FakeHub) -> None:
    ask(engine, InferenceNode(model(hub, "summarization"), inputs={"article": gr.Textbox(value="long")}))
    assert sent(hub).json()["inputs"] == "long"


def test_a_file_is_sent_with_what_it_is(engine: Engine, hub: FakeHub, tmp_path: Path) -> None:
    """Whisper's servers refuse sound that does not say what it is."""
    ask(engine, InferenceNode(model(hub, "automatic-speech-recognition"), inputs={"audio": sound(tmp_path)}))
    assert sent(hub).headers["content-type"] == "audio/wav"
    assert sent(hub).body == wav()


def test_a_file_from_another_node_is_sent(engine: Engine, hub: FakeHub, tmp_path: Path) -> None:
    painter = InferenceNode(model(hub, "text-to-image"), inputs={"prompt": "x"})
    hub.answer("ada/text-to-image", png(5))
    teller = InferenceNode(model(hub, "image-to-text"), inputs={"image": painter.image})
    call(engine, Graph("Both", nodes=[teller]), tmp_path)
    with Image.open(io.BytesIO(sent(hub).body)) as found:
        assert found.getpixel((0, 0)) == (5, 0, 0)


@pytest.mark.parametrize("kind", ["path", "own", "url", "missing"])
def test_a_text_is_never_taken_for_a_file(engine: Engine, hub: FakeHub, tmp_path: Path, kind: str) -> None:
    """huggingface_hub would open it: it could be the path of somebody's secret, or an address within the house."""
    (tmp_path / "secret.png").write_bytes(png())
    texts = {"path": str(tmp_path / "secret.png"), "own": __file__, "url": f"{hub.url}/secret.png", "missing": "x.png"}
    text = texts[kind]
    node = InferenceNode(model(hub, "image-to-text"), inputs={"image": gr.Textbox(value=text)})
    with pytest.raises(NodeFailedError, match=r"'image' of 'image-to-text' is the text ") as caught:
        ask(engine, node)
    assert "Give inputs={'image': gr.Image()}" in caught.value.hint
    assert caught.value.where is not None
    assert not hub.asked("/hf-inference/")
    assert not hub.asked("/secret")


def test_a_fixed_text_for_a_file_is_told_before_anything_runs(engine: Engine, hub: FakeHub) -> None:
    node = InferenceNode(model(hub, "image-to-text"), inputs={"image": "cat.png"})
    assert "'image' of 'image-to-text' is the text 'cat.png'; it takes a file." in wrong(engine, node)


def test_a_path_in_a_text_is_sent_as_text(engine: Engine, hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    ask(engine, InferenceNode(model(hub, "summarization"), inputs={"text": str(tmp_path / "secret.txt")}))
    assert sent(hub).json()["inputs"] == str(tmp_path / "secret.txt")


def test_a_text_of_an_answer_never_becomes_a_file(engine: Engine, hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    hub.answer(model(hub, "summarization"), [{"summary_text": str(tmp_path / "secret.png")}])
    node = InferenceNode("ada/summarization", inputs={"text": "x"}, outputs={"picture": gr.Image()})
    with pytest.raises(NodeFailedError, match="does not become a file"):
        ask(engine, node)


# ---------------------------------------------------------------- hooks


def test_hooks_change_what_goes_and_what_comes(engine: Engine, hub: FakeHub) -> None:
    node = InferenceNode(
        model(hub, "text-classification"),
        inputs={"words": gr.Textbox(value="good"), "more": "bye"},
        preprocess=lambda inputs: {"text": f"{inputs['words']} {inputs['more']}", "top_k": 2},
        postprocess=lambda scores: max(scores, key=scores.get),
        outputs={"best": gr.Textbox()},
    )
    assert ask(engine, node) == {"best": "POSITIVE"}
    assert sent(hub).json() == {"inputs": "good bye", "parameters": {"top_k": 2}}


@pytest.mark.parametrize("form", ["path", "picture", "file", "bytes"])
def test_a_hook_may_give_a_file_in_many_forms(engine: Engine, hub: FakeHub, tmp_path: Path, form: str) -> None:
    def before(inputs: dict[str, Any]) -> dict[str, Any]:
        path = inputs["image"]["path"]
        with Image.open(path) as opened:
            turned = opened.rotate(90)
        turned.save(tmp_path / "turned.png")
        forms = {"path": path, "picture": turned, "file": str(tmp_path / "turned.png"), "bytes": png(3)}
        return {"image": forms[form]}

    node = InferenceNode(model(hub, "image-to-text"), inputs={"image": picture(tmp_path)}, preprocess=before)
    assert ask(engine, node) == {"output": "a small picture"}
    assert sent(hub).headers["content-type"] == "image/png"
    assert sent(hub).body.startswith(b"\x89PNG")


def test_a_hook_gets_a_file_by_its_path(engine: Engine, hub: FakeHub) -> None:
    def after(image: Any) -> Any:
        with Image.open(image) as one, Image.open(image["path"]) as two:
            return [one.size, two.size]

    node = InferenceNode(model(hub, "text-to-image"), inputs={"prompt": "x"}, postprocess=after)
    assert [list(size) for size in ask(engine, node)["output"]] == [[8, 8], [8, 8]]


def test_a_hook_that_names_arguments_wrong_is_told_then(engine: Engine, hub: FakeHub) -> None:
    node = InferenceNode(
        model(hub, "text-to-image"), inputs={"x": "y"}, preprocess=lambda inputs: {"promt": inputs["x"], "seed": 1}
    )
    with pytest.raises(EndpointError, match="'promt' -> 'prompt'"):
        ask(engine, node)


# ---------------------------------------------------------------- what is kept


def test_a_model_is_asked_once_for_the_same_inputs(engine: Engine, hub: FakeHub, tmp_path: Path) -> None:
    graph = Graph("Once", nodes=[InferenceNode(model(hub, "summarization"), inputs={"text": gr.Textbox(value="x")})])
    call(engine, graph, tmp_path)
    watch = Watch(engine)
    call(engine, graph, tmp_path)
    assert watch.executed() == []
    call(engine, graph, tmp_path, summarization__text="other")
    assert watch.executed() == ["summarization"]


def test_equal_pictures_are_one_file(engine: Engine, hub: FakeHub) -> None:
    """What comes after a model that painted the same again is known."""
    hub.answer(model(hub, "text-to-image"), png(9))
    one, two = (run_of(engine, InferenceNode("ada/text-to-image", inputs={"prompt": text})) for text in ("a", "b"))
    assert one.id != two.id
    assert one.output("output") == two.output("output")


def test_the_commit_and_the_task_are_kept(engine: Engine, hub: FakeHub) -> None:
    name = model(hub, "summarization")
    run = run_of(engine, InferenceNode(name, inputs={"text": "x"}))
    assert run.soft[f"model {name}"] == hub.models[name].sha
    assert run.soft["task"] == "summarization"


def test_another_commit_than_the_pinned_one_is_not_asked(engine: Engine, hub: FakeHub) -> None:
    name = model(hub, "summarization")
    node = InferenceNode(name, inputs={"text": "x"}, revision="0" * 40)
    with pytest.raises(EndpointError, match="pinned to 0000000"):
        ask(engine, node)
    assert not hub.asked("/hf-inference/")
    assert ask(engine, InferenceNode(name, inputs={"text": "x"}, revision=hub.models[name].sha[:8]))


# ---------------------------------------------------------------- .test()


def test_whisper_as_the_readme_tries_it(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sample.wav").write_bytes(wav())
    hub.add_model("openai/whisper-large-v3", task="automatic-speech-recognition")
    hub.answer("openai/whisper-large-v3", {"text": "Hello, how are you?"})
    whisper = InferenceNode("openai/whisper-large-v3", inputs={"audio": gr.Audio()})
    assert whisper.test(audio="sample.wav") == {"text": "Hello, how are you?"}
    assert sent(hub).body == wav()


def test_a_painter_is_tried_with_an_example(hub: FakeHub) -> None:
    painter = InferenceNode(model(hub, "text-to-image"), inputs={"prompt": gr.Textbox()})
    assert list(painter.test()) == ["image"]


def test_an_answer_that_is_no_picture_says_so(engine: Engine, hub: FakeHub) -> None:
    hub.answer(model(hub, "text-to-image"), b"no picture")
    with pytest.raises(RemoteError, match=r"'text-to-image'.* cannot be read"):
        ask(engine, InferenceNode("ada/text-to-image", inputs={"prompt": "x"}))
    hub.answer(model(hub, "text-to-speech"), {"error": "no"})
    with pytest.raises(RemoteError, match=r"there is a text in the place of audio"):
        ask(engine, InferenceNode("ada/text-to-speech", inputs={"text": "x"}))


def test_a_film_of_an_image(engine: Engine, hub: FakeHub, tmp_path: Path) -> None:
    hub.answer(model(hub, "image-to-video"), mp4(4))
    node = InferenceNode(
        "ada/image-to-video",
        inputs={"image": picture(tmp_path), "prompt": "run", "extra_body": {"loop": True}},
        outputs={"film": gr.Video()},
    )
    assert Path(ask(engine, node)["film"]).read_bytes() == mp4(4)
    asked = sent(hub, "/fal-ai/").json()
    assert (asked["prompt"], asked["loop"]) == ("run", True)
    assert asked["image_url"].startswith("data:image/png;base64,")
