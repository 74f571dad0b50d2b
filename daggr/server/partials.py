"""What a running node has given so far, for its card. It is in memory only, and its node may be changing it."""

from __future__ import annotations

from typing import Any

from daggr.graph.component import Component
from daggr.server.messages import JsonValue, OpaqueValue, Value
from daggr.server.values import in_memory

SHOWN = 32 * 1024
"""Characters and parts of a value that a card shows many times a second."""


def partial_value(component: Component, value: Any) -> Value:
    """A value as the card shows it now: of a long text the end, of what is large or a file only a description."""
    if component.is_file and value is not None:
        return OpaqueValue("shown when it is done")
    if isinstance(value, str):
        return JsonValue(str(value) if len(value) <= SHOWN else f"… {value[-SHOWN:]}")
    try:
        if _weight(value, SHOWN) < 0:
            return OpaqueValue("too large to show while it grows")
        return in_memory(value)
    except RuntimeError:  # the node changed it meanwhile
        return OpaqueValue("changing")


def _weight(value: Any, left: int) -> int:
    """What is left of a budget after a value, negative if it is too large; what is not plain weighs nothing."""
    if isinstance(value, (str, bytes)):
        return left - len(value)
    if not isinstance(value, (list, tuple, dict, set, frozenset)):
        return left - 1
    left -= len(value)
    for part in [*value, *value.values()] if isinstance(value, dict) and left >= 0 else value:
        if left < 0:
            break
        left = _weight(part, left)
    return left
