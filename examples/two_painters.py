"""Two painters: one step that can be done in two ways, and a person selects which. Runs offline.

    daggr examples/two_painters.py

Each painter has inputs of its own; what comes after does not know which of them it was. Select the other one, run, and
select the first again: its picture is there at once.
"""

import math
import random

import gradio as gr
from PIL import Image, ImageDraw, ImageOps

from daggr import FnNode, Graph, InputNode

SIZE = 480

# ------------------------------------------------------------------ 1. what all painters are told

order = InputNode(
    "Order",
    ports={
        "motif": gr.Textbox(label="Motif", value="A quiet harbour"),
        "colour": gr.ColorPicker(label="Colour", value="#2a6f97"),
    },
)

# ------------------------------------------------------------------ 2. a choice


def paint_dots(motif: str, colour: str, dots: int) -> Image.Image:
    rng, picture = random.Random(motif), Image.new("RGB", (SIZE, SIZE), "#f7f4ec")
    draw = ImageDraw.Draw(picture)
    for _ in range(int(dots)):
        x, y, size = rng.randrange(SIZE), int(abs(rng.gauss(0, 0.35)) * SIZE), rng.uniform(2, 14)
        draw.ellipse((x - size, y - size, x + size, y + size), fill=colour if rng.random() < 0.6 else "#d9a441")
    return picture


def paint_waves(motif: str, colour: str, swell: float) -> Image.Image:
    rng, picture = random.Random(motif), Image.new("RGB", (SIZE, SIZE), "#f7f4ec")
    draw = ImageDraw.Draw(picture)
    for row in range(24):
        base, phase, speed = row * SIZE / 24, rng.uniform(0, 7), rng.uniform(0.5, 2)
        ridge = [(x, base + swell * math.sin(x / SIZE * math.tau * speed + phase)) for x in range(0, SIZE + 8, 8)]
        draw.line(ridge, fill=colour, width=2 + row // 4)
    return picture


told = {"motif": order.motif, "colour": order.colour}
painting = FnNode(
    paint_dots,
    name="dots",
    inputs={**told, "dots": gr.Slider(50, 2000, value=400, step=50, label="Dots")},
    outputs={"picture": gr.Image(label="Painting")},
) | FnNode(
    paint_waves,
    name="waves",
    inputs={**told, "swell": gr.Slider(1, 40, value=12, label="Swell")},
    outputs={"picture": gr.Image(label="Painting")},
)
painting.name = "painter"

# ------------------------------------------------------------------ 3. what comes after


def frame(picture: str, width: int) -> Image.Image:
    with Image.open(picture) as opened:
        return ImageOps.expand(opened.convert("RGB"), border=int(width), fill="#3b2f2f")


framed = FnNode(
    frame,
    inputs={"picture": painting.picture, "width": gr.Slider(0, 60, value=24, step=4, label="Width of the frame")},
    outputs={"picture": gr.Image(label="Framed")},
)

graph = Graph("Two Painters", nodes=[framed])

if __name__ == "__main__":
    graph.launch()
