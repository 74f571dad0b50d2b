"""Small real values, made of nothing but the standard library: pictures, sounds, and what a model says to each task."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import struct
import wave
import zlib
from typing import Any

from daggr.testing.web import Asked

LABELS = [{"label": "cat", "score": 0.75}, {"label": "dog", "score": 0.25}]
_SPAN = {"answer": "42", "score": 0.9, "start": 14, "end": 16}

ANSWERS: dict[str, Any] = {
    "audio-classification": LABELS,
    "automatic-speech-recognition": {"text": "hello world"},
    "document-question-answering": [_SPAN],
    "feature-extraction": [[0.1, 0.2, 0.3]],
    "fill-mask": [{"score": 0.9, "sequence": "Paris is fine", "token": 3, "token_str": "Paris"}],
    "image-classification": LABELS,
    "image-to-text": [{"generated_text": "a small picture"}],
    "object-detection": [{"label": "cat", "score": 0.9, "box": {"xmin": 1, "ymin": 2, "xmax": 5, "ymax": 6}}],
    "question-answering": _SPAN,
    "sentence-similarity": [0.9, 0.1],
    "summarization": [{"summary_text": "in short"}],
    "table-question-answering": {"answer": "1", "cells": ["1"], "coordinates": [[0, 0]], "aggregator": "NONE"},
    "tabular-classification": ["0"],
    "tabular-regression": [0.5],
    "text2text-generation": [{"generated_text": "and so on"}],
    "text-classification": [[{"label": "POSITIVE", "score": 0.99}, {"label": "NEGATIVE", "score": 0.01}]],
    "text-generation": [{"generated_text": "and so on"}],
    "token-classification": [{"entity_group": "PER", "word": "Ada", "start": 0, "end": 3, "score": 0.99}],
    "translation": [{"translation_text": "bonjour"}],
    "visual-question-answering": [{"answer": "yes", "score": 0.9}],
    "zero-shot-image-classification": LABELS,
}
"""What a model of hf-inference says, where that is the same for all inputs."""

PICTURES = ("text-to-image", "image-to-image")
SOUNDS = ("text-to-speech", "text-to-audio")
FILMS = ("text-to-video", "image-to-video")


def sample(task: str, asked: Asked) -> Any:
    """A fitting answer: bytes for media, else what is sent as JSON. Pictures and sounds differ between requests."""
    seed = int.from_bytes(hashlib.sha256(asked.body).digest()[:4], "big")
    if task in PICTURES:
        return png(seed)
    if task in SOUNDS:
        return wav(220 + seed % 660)
    if task in FILMS:
        return mp4(seed)
    if task == "image-segmentation":
        return [{"label": "cat", "score": 0.9, "mask": base64.b64encode(png(0)).decode()}]
    if task == "audio-to-audio":
        return [{"label": "speech", "content-type": "audio/wav", "blob": base64.b64encode(wav()).decode()}]
    if task == "zero-shot-classification":
        return _zero_shot(asked)
    return ANSWERS.get(task, {})


def _zero_shot(asked: Asked) -> list[dict[str, Any]]:
    labels = ((asked.json() or {}).get("parameters") or {}).get("candidate_labels") or ["yes", "no"]
    return [{"label": label, "score": round(1 / 2 ** (place + 1), 4)} for place, label in enumerate(labels)]


def png(seed: int = 0, size: int = 8) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    row = b"\0" + bytes([seed & 255, seed >> 8 & 255, seed >> 16 & 255]) * size
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(row * size)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def wav(pitch: int = 440, seconds: float = 0.05, rate: int = 8000) -> bytes:
    """A tone: mono, 16 bits a sample."""
    frames = [8000 if (step * pitch * 2 // rate) % 2 else -8000 for step in range(int(seconds * rate))]
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(struct.pack(f"<{len(frames)}h", *frames))
    return file.getvalue()


def mp4(seed: int = 0) -> bytes:
    """The shell of a film, without pictures: enough to be known as one by its first bytes."""
    brand = b"isom\0\0\2\0isomiso2mp41"
    media = seed.to_bytes(4, "big") * 16
    return b"".join(
        struct.pack(">I", len(body) + 8) + kind + body
        for kind, body in ((b"ftyp", brand), (b"free", b""), (b"mdat", media))
    )


def kind_of(content: bytes) -> str:
    """The MIME type that the first bytes speak of."""
    if content.startswith(b"\x89PNG"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"RIFF") and content[8:12] == b"WAVE":
        return "audio/wav"
    if content[4:8] == b"ftyp":
        return "video/mp4"
    if content.startswith((b"{", b"[")):
        try:
            json.loads(content)
        except ValueError:
            return "application/octet-stream"
        return "application/json"
    return "application/octet-stream"
