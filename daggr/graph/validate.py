"""Checks of names, with the words of the errors. Everything wrong is said at once, with suggestions."""

from __future__ import annotations

from collections.abc import Iterable

from daggr.errors import did_you_mean


def name_set(names: Iterable[str]) -> str:
    """`{'text', 'topic'}`, in a stable order."""
    return "{" + ", ".join(repr(name) for name in names) + "}"


def unknown_names(given: Iterable[str], valid: Iterable[str]) -> tuple[list[str], str]:
    """The names that are not valid, and one sentence of suggestions such as `Did you mean: 'promt' -> 'prompt'?`."""
    valid = list(valid)
    wrong = [name for name in given if name not in valid]
    pairs = []
    for name in wrong:
        if suggestion := did_you_mean(name, valid):
            pairs.append(f"{name!r} -> {suggestion.removeprefix('Did you mean ').removesuffix('?')}")
    return wrong, f"Did you mean: {', '.join(pairs)}?" if pairs else ""
