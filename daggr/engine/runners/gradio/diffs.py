"""What a generator of an app gives: its first values whole, later ones as edits (gradio.utils.diff)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WHOLE = ("sse", "sse_v1")
"""Protocols that always give values whole."""


class Diffs:
    """Puts the values of one call together. What was given is never changed: a part that is edited is made anew."""

    def __init__(self, protocol: str) -> None:
        self._is_whole = protocol in WHOLE
        self._values: list[Any] | None = None
        self._is_lost = False

    def whole(self, data: Any) -> list[Any] | None:
        """The values after what came now; None if they cannot be known. The last event has them whole in any case."""
        if self._is_lost or not isinstance(data, list):
            return None
        if self._is_whole or self._values is None:
            self._values = data
            return data
        try:
            before = self._values + [None] * (len(data) - len(self._values))
            self._values = [edited(value, edits) for value, edits in zip(before, data, strict=True)]
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
            self._is_lost = True
            return None
        return self._values


def edited(value: Any, edits: Sequence[Any]) -> Any:
    """A value after edits `[action, path, value]`.

    Raises:
        TypeError, ValueError, LookupError: they do not fit it.
    """
    for action, path, new in edits:
        value = _at(value, path, action, new)
    return value


def _at(value: Any, path: Sequence[Any], action: str, new: Any) -> Any:
    if not path:
        if action == "append":
            return value + new
        if action == "replace":
            return new
        raise ValueError(action)
    step, rest = path[0], path[1:]
    made = dict(value) if isinstance(value, dict) else list(value)
    key = step if isinstance(made, dict) else int(step)
    if rest or action in ("replace", "append"):
        if isinstance(made, dict) and not rest and action == "replace":
            made[key] = new
        else:
            made[key] = _at(made[key], rest, action, new)
    elif action == "add":
        if isinstance(made, list):
            made.insert(key, new)
        else:
            made[key] = new
    elif action == "delete":
        del made[key]
    else:
        raise ValueError(action)
    return made
