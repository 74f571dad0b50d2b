"""Storyboard: a list of scenes, a picture for each of them, and all of them on a page. Runs offline.

    daggr examples/storyboard.py

Each scene is a run of its own. Edit one in the list: one picture is drawn. A scene without words fails, the others do
not, and the page leaves it out.
"""

import random
import textwrap

import gradio as gr
from PIL import Image, ImageDraw, ImageFont

from daggr import FnNode, Graph, ItemList

TILE = (320, 200)
MOODS = {"calm": "#8fb8c9", "tense": "#b5533c", "happy": "#e3b23c"}

# ------------------------------------------------------------------ 1. scenes: a list that can be edited


def split_story(story: str) -> list[dict]:
    """A scene for each sentence."""
    sentences = [sentence.strip() for sentence in story.replace("\n", " ").split(".") if sentence.strip()]
    return [{"text": text, "mood": random.Random(text).choice(sorted(MOODS))} for text in sentences]


scenes = FnNode(
    split_story,
    name="scenes",
    inputs={
        "story": gr.Textbox(
            label="Story",
            lines=4,
            value="A boat leaves at dawn. Nobody waves. The fog closes in. Then a lamp. They are home.",
        )
    },
    outputs={"items": ItemList(text=gr.Textbox(label="Scene"), mood=gr.Dropdown(sorted(MOODS), label="Mood"))},
)

# ------------------------------------------------------------------ 2. pictures: once for each scene


def draw_scene(text: str, mood: str, detail: int) -> Image.Image:
    if not text.strip():
        raise ValueError("a scene without words")
    print(f"drawing: {text}")
    rng, picture = random.Random(f"{text}/{mood}"), Image.new("RGB", TILE, MOODS[mood])
    draw = ImageDraw.Draw(picture)
    for n in range(int(detail)):
        x, y, size = rng.randrange(TILE[0]), rng.randrange(TILE[1]), rng.uniform(10, 60)
        shade = round(255 * (0.35 + 0.5 * n / detail))
        draw.rectangle((x - size, y - size / 3, x + size, y + size / 3), fill=(shade, shade, shade))
    draw.rectangle((0, TILE[1] - 46, *TILE), fill="#1f1f1f")
    draw.text((10, TILE[1] - 42), textwrap.fill(text, 40), fill="white", font=ImageFont.load_default(15))
    return picture


pictures = FnNode(
    draw_scene,
    name="pictures",
    inputs={
        "text": scenes.items.text,
        "mood": scenes.items.mood,
        "detail": gr.Slider(2, 40, value=12, step=2, label="Detail"),
    },
    outputs={"picture": gr.Image(label="Scene")},
    concurrency_group="easel",
    max_concurrent=2,
)

# ------------------------------------------------------------------ 3. a page


def lay_out(pictures: list[str], columns: int) -> Image.Image:
    columns = int(columns)
    rows = max(1, -(-len(pictures) // columns))
    page = Image.new("RGB", (columns * (TILE[0] + 12) + 12, rows * (TILE[1] + 12) + 12), "#faf8f4")
    for n, path in enumerate(pictures):
        with Image.open(path) as picture:
            page.paste(picture, (12 + n % columns * (TILE[0] + 12), 12 + n // columns * (TILE[1] + 12)))
    return page


page = FnNode(
    lay_out,
    name="page",
    inputs={
        "pictures": pictures.picture.all(on_item_error="skip"),
        "columns": gr.Slider(1, 4, value=2, step=1, label="Columns"),
    },
    outputs={"page": gr.Image(label="Storyboard")},
)

graph = Graph("Storyboard", nodes=[page])

if __name__ == "__main__":
    graph.launch()
