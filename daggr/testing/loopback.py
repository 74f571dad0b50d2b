"""A real Gradio app for tests: every kind of endpoint that a node may call, on loopback, without network.

    python loopback.py [--port PORT] [--max-size N]

Prints `Running on http://127.0.0.1:PORT` when it is ready. Endpoint number 0 is the one without a name of its own. The
files that it gives are the same for the same inputs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageDraw, ImageOps

sys.path.insert(0, str(Path(__file__).parents[2]))

from daggr.testing.samples import mp4, wav

FOLDER = Path.cwd()
Endpoint = tuple[Callable[..., Any], list[Any], list[Any]]
"""A function, the components that it takes, those that it gives."""

# ---------------------------------------------------------------- texts and numbers


def text(text: str) -> str:
    """Upper case."""
    return text.upper()


def echo(text: str) -> str:
    """The same text."""
    return text


def fail(text: str) -> str:
    """An error that the app shows to its users."""
    raise gr.Error(f"The loopback app refuses {text!r}.")


def raises(text: str) -> str:
    """An error that the app did not think of."""
    raise RuntimeError(f"The loopback app broke at {text!r}.")


def state(word: str, words: list[str]) -> tuple[str, list[str]]:
    """All words of this session."""
    words = [*words, word]
    return " ".join(words), words


def defaults(text: str = "a text", number: float = 3, flag: bool = True, choice: str = "second") -> str:
    """What it was given, as JSON."""
    return json.dumps([text, number, flag, choice])


def session(request: gr.Request) -> str:
    """The session that the call belongs to."""
    return str(request.session_hash)


def headers(request: gr.Request) -> dict[str, str]:
    """The headers that the call came with."""
    return dict(request.headers)


# ---------------------------------------------------------------- files


def image(prompt: str, seed: float) -> str:
    """A picture that only depends on its prompt and seed."""
    choose = random.Random(f"{prompt} {seed:.0f}")
    picture = Image.new("RGB", (256, 256), tuple(choose.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(8):
        box = sorted(choose.randrange(256) for _ in range(2)) + sorted(choose.randrange(256) for _ in range(2))
        draw.ellipse((box[0], box[2], box[1], box[3]), fill=tuple(choose.randrange(256) for _ in range(3)))
    draw.text((8, 8), prompt[:40], fill="white")
    return _painted(picture)


def two(image: str) -> tuple[str, str]:
    """The original and a processed image, as background removal returns them."""
    with Image.open(image) as opened:
        original = opened.convert("RGB")
    cut = original.copy()
    cut.putalpha(ImageOps.invert(original.convert("L")))
    return _painted(original), _painted(cut)


def audio(pitch: float) -> str:
    """A tone."""
    return _saved(wav(int(pitch)), "tone.wav")


def video(number: float) -> str:
    """A film of nothing."""
    return _saved(mp4(int(number)), "film.mp4")


def file(text: str) -> str:
    """A file of that text."""
    return _saved(text.encode(), "text.txt")


def files(count: float) -> list[str]:
    """So many files; their texts are their numbers."""
    return [_saved(str(number).encode(), f"file {number}.txt") for number in range(int(count))]


def gallery(count: float) -> list[tuple[str, str]]:
    """So many pictures with captions."""
    return [(image("gallery", number), f"picture {number}") for number in range(int(count))]


def drawing(text: str) -> str:
    """An SVG, which Gradio gives as an address that holds it."""
    return _saved(f'<svg xmlns="http://www.w3.org/2000/svg"><text>{text}</text></svg>'.encode(), "drawing.svg")


def takes_pictures(pictures: list[tuple[str, str | None]]) -> str:
    """How large the pictures of a gallery are, and their captions."""
    return " ".join(f"{Image.open(path).size} {caption}" for path, caption in pictures or ())


def takes_file(file: str) -> str:
    """The text of a file, and its name."""
    return f"{Path(file).name}: {Path(file).read_text()}"


def takes_files(files: list[str]) -> str:
    """The texts of files, sorted."""
    return " ".join(sorted(Path(file).read_text() for file in files or ()))


# ---------------------------------------------------------------- structures


def label(text: str) -> dict[str, float]:
    """Two labels and how sure they are."""
    return {text or "nothing": 0.75, "other": 0.25}


def dataframe(rows: float) -> dict[str, Any]:
    """A table of numbers and their squares."""
    return {"headers": ["number", "square"], "data": [[number, number**2] for number in range(int(rows))]}


def chat(message: str) -> list[dict[str, Any]]:
    """A conversation, in which a picture is shown."""
    return [
        {"role": "user", "content": message},
        {"role": "assistant", "content": f"You said {message!r}."},
        {"role": "assistant", "content": {"path": image(message, 0), "alt_text": "a picture"}},
    ]


def annotated(image: str) -> tuple[str, list[tuple[tuple[int, int, int, int], str]]]:
    """A picture with two boxes drawn over it."""
    return image, [((0, 0, 8, 8), "corner"), ((16, 16, 32, 32), "middle")]


def highlighted(text: str) -> list[tuple[str, str | None]]:
    """Every other word of a text is marked."""
    return [(word, "odd" if place % 2 else None) for place, word in enumerate(text.split(" "))]


def structure(text: str) -> dict[str, Any]:
    """Values inside values."""
    return {"text": text, "list": [1, 2.5, None, True], "path": "/etc/hostname", "more": {"a": []}}


def many(text: str) -> tuple[str, int, str, dict[str, Any]]:
    """A text, its length, a picture of it, and something deeper."""
    return text, len(text), image(text, 1), structure(text)


# ---------------------------------------------------------------- on the way


def slow(steps: float, seconds: float, progress: gr.Progress = gr.Progress()) -> Iterator[str]:  # noqa: B008
    """Texts that grow, with progress; `seconds` in all."""
    said = ""
    for step in range(int(steps)):
        progress((step, int(steps)), desc=f"step {step + 1}/{int(steps)}")
        time.sleep(seconds / max(steps, 1))
        said += f"{step + 1} "
        yield said.strip()


def stream(text: str) -> Iterator[str]:
    """A text that grows word by word."""
    words = text.split(" ")
    for place in range(len(words)):
        time.sleep(0.02)
        yield " ".join(words[: place + 1])


def pictures(count: float) -> Iterator[str]:
    """One picture after another."""
    for number in range(int(count)):
        time.sleep(0.02)
        yield image("stream", number)


def told(text: str, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
    """A text; the app speaks of how it is going, in units, and to its users."""
    for place in range(3):
        progress((place, 3), desc="reading", unit="pages")
        time.sleep(0.05)
    gr.Info("The loopback app has an opinion.")
    gr.Warning("The loopback app has a doubt.")
    return text


def limited(seconds: float) -> str:
    """One call at a time, each of which takes so long."""
    time.sleep(seconds)
    return f"slept {seconds}"


def sleeps(seconds: float) -> str:
    """Nothing for so long, and then a text. Several at once do not wait for each other."""
    time.sleep(seconds)
    return f"slept {seconds}"


def steps(path: str, count: float, seconds: float) -> Iterator[str]:
    """A line in a file for each step, so that others see how far it came, and "left" when it was left."""
    with Path(path).open("a", buffering=1) as lines:
        try:
            for number in range(int(count)):
                lines.write(f"{number}\n")
                yield str(number)
                time.sleep(seconds)
        except GeneratorExit:
            lines.write("left\n")
            raise


def noted(path: str, text: str) -> str:
    """A text; each call is a line in a file, so that others can count them."""
    with Path(path).open("a") as lines:
        lines.write(f"{text}\n")
    return text


# ---------------------------------------------------------------- the app


def _saved(content: bytes, name: str) -> str:
    folder = FOLDER / "made" / hashlib.sha256(content).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / f".{random.getrandbits(64):x}"
    whole.write_bytes(content)
    return str(whole.replace(folder / name))


def _painted(picture: Image.Image) -> str:
    place = FOLDER / f".{random.getrandbits(64):x}.png"
    picture.save(place, "PNG")
    content = place.read_bytes()
    place.unlink()
    return _saved(content, "picture.png")


def _values() -> list[Endpoint]:
    """Endpoints that give one value after one call."""
    return [
        (text, [gr.Textbox(label="text")], [gr.Textbox(label="upper")]),
        (echo, [gr.Textbox(label="text")], [gr.Textbox(label="same")]),
        (image, [gr.Textbox(label="prompt"), gr.Number(label="seed", value=0)], [gr.Image(label="image")]),
        (two, [gr.Image(label="image", type="filepath")], [gr.Image(label="original"), gr.Image(label="cut")]),
        (fail, [gr.Textbox(label="text")], [gr.Textbox(label="never")]),
        (raises, [gr.Textbox(label="text")], [gr.Textbox(label="never")]),
        (session, [], [gr.Textbox(label="session")]),
        (headers, [], [gr.JSON(label="headers")]),
        (audio, [gr.Number(label="pitch", value=440)], [gr.Audio(label="audio", type="filepath")]),
        (video, [gr.Number(label="number", value=1)], [gr.Video(label="video")]),
        (file, [gr.Textbox(label="text")], [gr.File(label="file")]),
        (files, [gr.Number(label="count", value=2)], [gr.File(label="files", file_count="multiple")]),
        (gallery, [gr.Number(label="count", value=2)], [gr.Gallery(label="gallery")]),
        (drawing, [gr.Textbox(label="text")], [gr.Image(label="drawing")]),
        (takes_pictures, [gr.Gallery(label="pictures", type="filepath")], [gr.Textbox(label="sizes")]),
        (takes_file, [gr.File(label="file", type="filepath")], [gr.Textbox(label="content")]),
        (takes_files, [gr.File(label="files", file_count="multiple")], [gr.Textbox(label="contents")]),
        (label, [gr.Textbox(label="text")], [gr.Label(label="label")]),
        (dataframe, [gr.Number(label="rows", value=3)], [gr.Dataframe(label="table", type="array")]),
        (chat, [gr.Textbox(label="message")], [gr.Chatbot(label="chat")]),
        (annotated, [gr.Image(label="image", type="filepath")], [gr.AnnotatedImage(label="annotated")]),
        (highlighted, [gr.Textbox(label="text")], [gr.HighlightedText(label="words")]),
        (structure, [gr.Textbox(label="text")], [gr.JSON(label="json")]),
        (many, [gr.Textbox(label="text")], [gr.Textbox(), gr.Number(precision=0), gr.Image(), gr.JSON()]),
        (noted, [gr.Textbox(label="path"), gr.Textbox(label="text")], [gr.Textbox(label="same")]),
        (
            defaults,
            [gr.Textbox("a text"), gr.Number(3), gr.Checkbox(value=True), gr.Dropdown(["first", "second"])],
            [gr.Textbox(label="given")],
        ),
    ]


def _ways() -> list[Endpoint]:
    """Endpoints that take their time, or tell of it."""
    seconds = gr.Number(label="seconds", value=1)
    return [
        (slow, [gr.Number(label="steps", value=3), seconds], [gr.Textbox(label="said")]),
        (stream, [gr.Textbox(label="text")], [gr.Textbox(label="said")]),
        (pictures, [gr.Number(label="count", value=3)], [gr.Image(label="image")]),
        (told, [gr.Textbox(label="text")], [gr.Textbox(label="same")]),
        (sleeps, [seconds], [gr.Textbox(label="slept")]),
        (steps, [gr.Textbox(label="path"), gr.Number(label="count"), seconds], [gr.Textbox(label="step")]),
    ]


def app() -> Any:
    """All endpoints, each named after its function."""
    with gr.Blocks(analytics_enabled=False) as blocks:
        nameless = gr.Button("nameless")
        nameless.click(
            lambda text: f"number 0 {text}", gr.Textbox(label="text"), gr.Textbox(), api_visibility="undocumented"
        )
        for function, inputs, outputs in (*_values(), *_ways()):
            gr.Button(function.__name__).click(
                function, inputs, outputs, api_name=function.__name__, concurrency_limit=None
            )
        gr.Button("limited").click(
            limited, gr.Number(label="seconds"), gr.Textbox(label="slept"), api_name="limited", concurrency_limit=1
        )
        words = gr.State([])
        gr.Button("state").click(
            state, [gr.Textbox(label="word"), words], [gr.Textbox(label="words"), words], api_name="state"
        )
    return blocks


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Serve it until it is ended."""
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--max-size", type=int)
    given = options.parse_args()
    blocks = app().queue(max_size=given.max_size)
    port = given.port or free_port()
    blocks.launch(
        server_name="127.0.0.1",
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        max_threads=64,
        allowed_paths=[str(FOLDER)],
    )
    print(f"Running on http://127.0.0.1:{port}", flush=True)  # noqa: T201
    blocks.block_thread()


if __name__ == "__main__":
    main()
