"""Talking to a model: what is said as a list of messages, and the answer as it comes."""

from __future__ import annotations

import base64
import threading
from collections.abc import AsyncIterable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any

from daggr.engine.hub.identity import Credential
from daggr.engine.runners.inference.route import Route
from daggr.errors import NodeFailedError
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.inference import InferenceSpec

SHOWN_ONLY = frozenset({"metadata", "options"})
"""What Gradio's chatbot keeps in a message beside what was said."""


@dataclass(frozen=True)
class Said:
    """A whole answer, and why it ended: `stop`, `length`, …; empty if the stream broke off."""

    text: str
    reason: str


class Growing:
    """An answer that grows in one thread and is looked at in another.

    Args:
        grown: Called, in the thread in which it grows, when there is more.
    """

    def __init__(self, grown: Callable[[], None]) -> None:
        self._grown = grown
        self._lock = threading.Lock()
        self._parts: list[str] = []
        self.is_thinking = False
        """It reasons, and has not begun to answer."""

    def add(self, part: str) -> None:
        """A part of the answer has come."""
        with self._lock:
            self._parts.append(part)
            self.is_thinking = False
        self._grown()

    def think(self) -> None:
        """A part of its reasoning has come, which is no part of the answer."""
        if not self.is_thinking and not self._parts:
            self.is_thinking = True
            self._grown()

    @property
    def text(self) -> str:
        """The answer so far."""
        with self._lock:
            whole = "".join(self._parts)
            self._parts = [whole]
            return whole


@dataclass(frozen=True)
class Question:
    """What is asked: the node, the way, who asks, the arguments, and where an answer that streams goes."""

    spec: InferenceSpec
    way: Route
    credential: Credential
    arguments: dict[str, Any]
    growing: Growing


def messages(spec: NodeSpec, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """What is said to the model, taken out of the arguments: what was said before, then the prompt and the picture.

    Raises:
        NodeFailedError: nothing is said, or `messages` are none.
    """
    prompt, system = arguments.pop("prompt", None), arguments.pop("system_prompt", None)
    image, before = arguments.pop("image", None), arguments.pop("messages", None)
    made = [] if before is None else _read(spec, before)
    if system is not None and system != "":
        made.insert(0, {"role": "system", "content": _text(spec, "system_prompt", system)})
    if image is not None:
        url = f"data:{image.mime};base64,{base64.b64encode(image).decode()}"
        parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}}]
        if prompt is not None:
            parts.insert(0, {"type": "text", "text": _text(spec, "prompt", prompt)})
        made.append({"role": "user", "content": parts})
    elif prompt is not None:
        made.append({"role": "user", "content": _text(spec, "prompt", prompt)})
    if not made:
        raise NodeFailedError(
            f"{spec.name!r} was given nothing to say to the model.",
            "Give it a prompt, or messages.",
            spec.where,
            node=spec.name,
        )
    return made


def _text(spec: NodeSpec, argument: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise NodeFailedError(
        f"{argument!r} of {spec.name!r} is a {type(value).__name__}; it takes a text.",
        where=spec.where,
        node=spec.name,
    )


def _read(spec: NodeSpec, given: Any) -> list[dict[str, Any]]:
    if isinstance(given, list) and all(isinstance(one, Mapping) and "role" in one for one in given):
        return [{name: part for name, part in one.items() if name not in SHOWN_ONLY} for one in given]
    raise NodeFailedError(
        f"'messages' of {spec.name!r} is no list of messages.",
        "A message is a dict such as {'role': 'user', 'content': 'Hello!'}.",
        spec.where,
        node=spec.name,
    )


async def listen(stream: AsyncIterable[Any], growing: Growing) -> Said:
    """Take an answer as it comes, to its end."""
    reason = ""
    async with AsyncExitStack() as stack:
        if hasattr(stream, "aclose"):
            await stack.enter_async_context(aclosing(stream))  # type: ignore[type-var]
        async for piece in stream:
            for choice in (piece.choices or ())[:1]:  # at the end, some send a count of tokens without any
                delta = choice.delta
                if delta is not None and delta.content:
                    growing.add(str(delta.content))
                elif delta is not None and (delta.get("reasoning") or delta.get("reasoning_content")):
                    growing.think()
                reason = str(choice.finish_reason or reason)
    return Said(growing.text, reason)
