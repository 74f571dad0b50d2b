"""A real Gradio app for tests: every kind of endpoint that a node may call, on loopback, without network.

Prints `Running on http://127.0.0.1:PORT` when it is ready.
"""

from __future__ import annotations

import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageDraw, ImageOps

FOLDER = Path.cwd()


def text(text: str) -> str:
    """Upper case."""
    return text.upper()


def image(prompt: str, seed: float) -> str:
    """A picture that only depends on its prompt and seed."""
    choose = random.Random(f"{prompt} {seed:.0f}")
    picture = Image.new("RGB", (256, 256), tuple(choose.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(8):
        box = sorted(choose.randrange(256) for _ in range(2)) + sorted(choose.randrange(256) for _ in range(2))
        draw.ellipse((box[0], box[2], box[1], box[3]), fill=tuple(choose.randrange(256) for _ in range(3)))
    draw.text((8, 8), prompt[:40], fill="white")
    return _saved(picture)


def two(image: str) -> tuple[str, str]:
    """The original and a processed image, as background removal returns them."""
    with Image.open(image) as opened:
        original = opened.convert("RGB")
    cut = original.copy()
    cut.putalpha(ImageOps.invert(original.convert("L")))
    return _saved(original), _saved(cut)


def fail(text: str) -> str:
    """An error that the app shows to its users."""
    raise gr.Error(f"The loopback app refuses {text!r}.")


def slow(steps: float, seconds: float, progress: gr.Progress = gr.Progress()) -> Iterator[str]:  # noqa: B008
    """Texts that grow, with progress; `seconds` in all."""
    said = ""
    for step in range(int(steps)):
        progress((step, int(steps)), desc=f"step {step + 1}/{int(steps)}")
        time.sleep(seconds / max(steps, 1))
        said += f"{step + 1} "
        yield said.strip()


def state(word: str, words: list[str]) -> tuple[str, list[str]]:
    """All words of this session."""
    words = [*words, word]
    return " ".join(words), words


def _saved(picture: Image.Image) -> str:
    with tempfile.NamedTemporaryFile(dir=FOLDER, suffix=".png", delete=False) as file:
        picture.save(file, "PNG")
    return file.name


def app() -> gr.Blocks:
    """All endpoints, each named after its function."""
    with gr.Blocks(analytics_enabled=False) as blocks:
        endpoints: list[tuple[Callable[..., Any], list[Any], list[Any]]] = [
            (text, [gr.Textbox(label="text")], [gr.Textbox(label="upper")]),
            (image, [gr.Textbox(label="prompt"), gr.Number(label="seed", value=0)], [gr.Image(label="image")]),
            (two, [gr.Image(label="image", type="filepath")], [gr.Image(label="original"), gr.Image(label="cut")]),
            (fail, [gr.Textbox(label="text")], [gr.Textbox(label="never")]),
            (
                slow,
                [gr.Number(label="steps", value=3), gr.Number(label="seconds", value=1)],
                [gr.Textbox(label="said")],
            ),
        ]
        for function, inputs, outputs in endpoints:
            gr.Button(function.__name__).click(function, inputs, outputs, api_name=function.__name__)
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


if __name__ == "__main__":
    blocks = app()
    port = free_port()
    blocks.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True)
    print(f"Running on http://127.0.0.1:{port}", flush=True)
    blocks.block_thread()
