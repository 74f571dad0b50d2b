"""The messages that the README promises people, and the assistants that write code for them.

Each is quoted as it stands there, line breaks aside; names of a set may come in another order.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from daggr import FnNode, GradioNode, Graph
from tests.handmade import Field, Image

FUNCTION = """
ValueError: Invalid input(s) {'toppic'} for function 'generate_dialogue'.
Did you mean: 'toppic' -> 'topic'? Valid parameters: {'topic', 'host_voice', 'guest_voice'}
"""
PORT = """
ValueError: Output port 'img' not found on node 'Z-Image-Turbo'.
Available outputs: image. Did you mean 'image'?
"""


def said(error: ValueError, promise: str) -> bool:
    """Whether an error says what was promised, and only after that where and what to do."""
    text = " ".join(promise.split()).removeprefix("ValueError: ")
    return str(error).startswith(text)


def generate_dialogue(topic: str, host_voice: str, guest_voice: str) -> tuple[list[Any], str]:
    return [], ""


def test_a_wrong_parameter_of_a_function() -> None:
    with pytest.raises(ValueError, match=r"Invalid input") as caught:
        FnNode(generate_dialogue, inputs={"toppic": Field(), "host_voice": "a", "guest_voice": "b"})
    assert said(caught.value, FUNCTION)


def test_a_wrong_output_port() -> None:
    image = GradioNode("hf-applications/Z-Image-Turbo", "/generate_image", outputs={"image": Image()})
    with pytest.raises(ValueError, match=r"Output port") as caught:
        _ = image.img
    assert said(caught.value, PORT)


def test_each_says_in_which_line_it_went_wrong() -> None:
    with pytest.raises(ValueError, match=r"Invalid input") as caught:
        FnNode(generate_dialogue, inputs={"toppic": Field()})
    assert re.search(r"\(at test_promised_errors\.py:\d+\)", str(caught.value))


def test_none_of_them_is_raised_for_what_is_right() -> None:
    image = GradioNode("hf-applications/Z-Image-Turbo", "/generate_image", outputs={"image": Image()})
    dialogue = FnNode(generate_dialogue, inputs={"topic": "AI", "host_voice": image.image, "guest_voice": "b"})
    assert list(Graph("G", nodes=[dialogue]).nodes) == ["Z-Image-Turbo", "generate_dialogue"]
