"""Small files to try a node with: a picture, a sound, a film, a shape, a text. Gradio's own examples lie in the web."""

from __future__ import annotations

import importlib.util
import math
import shutil
import struct
import wave
import zlib
from pathlib import Path

SIDE = 64
RATE = 16_000

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"})
_SOUNDS = frozenset({".wav", ".mp3", ".flac", ".ogg", ".m4a"})
_FILMS = frozenset({".mp4", ".webm", ".mov", ".avi", ".mkv"})
_SHAPES = frozenset({".obj", ".gltf", ".glb", ".stl", ".ply", ".splat"})
_TETRAHEDRON = "v 1 1 1\nv 1 -1 -1\nv -1 1 -1\nv -1 -1 1\nf 1 2 3\nf 1 4 2\nf 1 3 4\nf 2 4 3\n"
_TEXTS = {".csv": "name,count\napple,3\npear,5\n", ".json": '{"name": "apple", "count": 3}\n', ".md": "# Hello!\n"}


def example_file(suffix: str, folder: Path) -> Path | None:
    """A new file in a folder for what a file of this suffix is: a picture for `.jpg`; None where there is none.

    A picture is a PNG, a sound a WAV file, a shape an OBJ file, whatever the suffix was; a film comes from Gradio.
    """
    suffix = suffix.lower()
    folder.mkdir(parents=True, exist_ok=True)
    if suffix in _PICTURES:
        return _written(folder / "example.png", _picture())
    if suffix in _SOUNDS:
        return _sound(folder / "example.wav")
    if suffix in _SHAPES:
        return _written(folder / "example.obj", _TETRAHEDRON.encode())
    if suffix in _FILMS:
        return _film(folder / "example.mp4")
    if suffix in _TEXTS:
        return _written(folder / f"example{suffix}", _TEXTS[suffix].encode())
    return _written(folder / "example.txt", b"Hello!\n")


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _picture() -> bytes:
    """A PNG of a red to blue slope."""
    rows = b"".join(
        b"\0" + bytes(value for x in range(SIDE) for value in (255 - 4 * x, 4 * y, 4 * x)) for y in range(SIDE)
    )
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _sound(path: Path) -> Path:
    """Half a second of the tone A."""
    samples = [round(8000 * math.sin(2 * math.pi * 440 * at / RATE)) for at in range(RATE // 2)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return path


def _film(path: Path) -> Path | None:
    """The smallest film that comes with Gradio, which is looked for without importing it."""
    spec = importlib.util.find_spec("gradio")
    films = [
        film
        for place in (spec.submodule_search_locations or () if spec is not None else ())
        for film in (Path(place) / "media_assets" / "videos").glob("*.mp4")
    ]
    smallest = min(films, key=lambda film: (film.stat().st_size, film.name), default=None)
    return None if smallest is None else Path(shutil.copyfile(smallest, path))
