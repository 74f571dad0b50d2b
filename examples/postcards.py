"""Postcards: a few words become a landscape, a Gradio app develops it, and a contact sheet shows the variations.

Runs offline: the Gradio app that one of the nodes calls is started right here, on this machine.

    daggr examples/postcards.py
"""

import math
import random
import socket

import gradio as gr
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from daggr import FnNode, GradioNode, Graph

SIZE = (720, 480)

# ------------------------------------------------------------------ 1. paint: a Python function


def paint(words: str, hour: float, seed: int) -> Image.Image:
    """A landscape that depends on the words, the hour of the day and the seed, and on nothing else."""
    rng = random.Random(f"{words}/{seed}")
    width, height = SIZE
    day = max(0.0, math.sin((hour - 5) / 14 * math.pi))
    glow = max(0.0, 1 - abs(hour - 19) / 4) + max(0.0, 1 - abs(hour - 6) / 3)
    zenith = blend((16, 20, 52), (74, 144, 217), day)
    horizon = blend(blend((46, 38, 84), (206, 229, 240), day), (255, 156, 92), min(1.0, glow))

    picture = Image.new("RGB", SIZE)
    draw = ImageDraw.Draw(picture)
    for y in range(height):
        draw.line([(0, y), (width, y)], fill=blend(zenith, horizon, (y / height) ** 0.8))
    if day < 0.35:
        for _ in range(180):
            x, y, light = rng.randrange(width), rng.randrange(height * 2 // 3), rng.randrange(120, 255)
            draw.point((x, y), fill=blend(horizon, (light, light, light), 1 - day * 2.5))
    picture = shine(picture, width * (0.15 + 0.7 * (hour % 24) / 24), height * (0.62 - 0.42 * day), day)

    draw = ImageDraw.Draw(picture)
    layers = 5
    for layer in range(layers):
        depth = (layer + 1) / layers
        colour = blend(horizon, blend((10, 14, 30), (24, 62, 64), day), 0.25 + 0.75 * depth)
        base, swing = height * (0.5 + 0.42 * depth), height * (0.19 - 0.09 * depth)
        waves = [(rng.uniform(0.6, 1.6) * 2**n, rng.uniform(0, 7), 1 / 1.9**n) for n in range(6)]
        ridge = [
            (x, base - swing * sum(math.sin(x / width * math.pi * f + p) * a for f, p, a in waves))
            for x in range(0, width + 4, 4)
        ]
        draw.polygon([(0, height), *ridge, (width, height)], fill=colour)
    print(f"painted {words!r} at {hour:g} o'clock, seed {seed}")
    return picture


def shine(picture: Image.Image, x: float, y: float, day: float) -> Image.Image:
    """Add the sun, or the moon, with its glow."""
    light = Image.new("RGB", SIZE)
    draw = ImageDraw.Draw(light)
    colour = blend((210, 218, 240), (255, 240, 196), day)
    for radius, strength in ((150, 0.10), (90, 0.16), (46, 0.35), (30, 1.0)):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=blend((0, 0, 0), colour, strength))
    return ImageChops.screen(picture, light.filter(ImageFilter.GaussianBlur(5)))


def blend(one: tuple, other: tuple, share: float) -> tuple:
    share = min(1.0, max(0.0, share))
    return tuple(round(a + (b - a) * share) for a, b in zip(one, other, strict=True))


painting = FnNode(
    paint,
    name="paint",
    inputs={
        "words": gr.Textbox(label="Words", value="Far hills, quiet water", lines=2),
        "hour": gr.Slider(0, 23, value=18, step=1, label="Hour of the day"),
        "seed": gr.Number(label="Seed", value=7, precision=0),
    },
    outputs={"picture": gr.Image(label="Painting")},
)

# ------------------------------------------------------------------ 2. develop: an endpoint of a Gradio app

LOOKS = {
    "Film": lambda p: ImageEnhance.Contrast(ImageEnhance.Color(p).enhance(1.35)).enhance(1.12),
    "Ink": lambda p: ImageOps.colorize(ImageOps.autocontrast(p.convert("L")), "#16213a", "#f6efdf", "#6f7f95"),
    "Riso": lambda p: ImageOps.posterize(ImageEnhance.Color(p).enhance(1.8), 3),
    "Plain": lambda p: p,
}


def develop(picture: str, look: str):
    with Image.open(picture) as opened:
        original = opened.convert("RGB")
    return original, LOOKS[look](original)


def free_port(first: int) -> int:
    """The first free port from `first` on; the same from one start to the next, so results stay cached."""
    for port in range(first, first + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise OSError(f"no free port from {first} on")


darkroom = gr.Interface(
    develop,
    inputs=[gr.Image(type="filepath"), gr.Dropdown(list(LOOKS))],
    outputs=[gr.Image(format="png"), gr.Image(format="png")],
    api_name="develop",
)
_, darkroom_url, _ = darkroom.launch(
    server_name="127.0.0.1", server_port=free_port(7960), prevent_thread_lock=True, quiet=True
)

developed = GradioNode(
    darkroom_url,
    api_name="/develop",
    name="develop",
    inputs={
        "picture": painting.picture,
        "look": gr.Dropdown(list(LOOKS), value="Film", label="Look"),
    },
    postprocess=lambda original, final: final,  # the app returns (original, developed); keep the second
    outputs={"picture": gr.Image(label="Developed")},
)

# ------------------------------------------------------------------ 3. variations: several outputs


def vary(picture: str, strength: float) -> tuple[Image.Image, Image.Image, Image.Image]:
    with Image.open(picture) as opened:
        source = opened.convert("RGB")
    warm = ImageChops.soft_light(
        source, Image.new("RGB", source.size, blend((128, 128, 128), (255, 150, 60), strength))
    )
    cool = ImageChops.soft_light(
        source, Image.new("RGB", source.size, blend((128, 128, 128), (60, 130, 255), strength))
    )
    mirrored = Image.blend(source, ImageOps.mirror(source), min(1.0, strength))
    return warm, cool, mirrored


variations = FnNode(
    vary,
    name="vary",
    inputs={
        "picture": developed.picture,
        "strength": gr.Slider(0, 1, value=0.6, step=0.1, label="Strength"),
    },
    outputs={
        "warm": gr.Image(label="Warm"),
        "cool": gr.Image(label="Cool"),
        "mirrored": gr.Image(label="Mirrored"),
    },
)

# ------------------------------------------------------------------ 4. contact sheet


def lay_out(title: str, original: str, warm: str, cool: str, mirrored: str) -> Image.Image:
    margin, caption, scale = 24, 56, 0.6
    tile = (round(SIZE[0] * scale), round(SIZE[1] * scale))
    sheet = Image.new("RGB", (2 * tile[0] + 3 * margin, 2 * tile[1] + 3 * margin + caption), "#faf8f4")
    for index, path in enumerate((original, warm, cool, mirrored)):
        with Image.open(path) as opened:
            picture = opened.convert("RGB").resize(tile, Image.Resampling.LANCZOS)
        place = (margin + (index % 2) * (tile[0] + margin), margin + (index // 2) * (tile[1] + margin))
        sheet.paste(picture, place)
    font = ImageFont.load_default(26)
    ImageDraw.Draw(sheet).text((margin, sheet.height - caption), title, fill="#2b2b2b", font=font)
    return sheet


contact_sheet = FnNode(
    lay_out,
    name="contact sheet",
    inputs={
        "title": gr.Textbox(label="Title", value="Greetings from nowhere in particular"),
        "original": developed.picture,
        "warm": variations.warm,
        "cool": variations.cool,
        "mirrored": variations.mirrored,
    },
    outputs={"sheet": gr.Image(label="Contact sheet")},
)

graph = Graph("Postcards", nodes=[contact_sheet])

if __name__ == "__main__":
    graph.launch()
