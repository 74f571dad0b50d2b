"""How a function wants to be called: read once, since that takes longer than calling it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from daggr.engine.runners.progress import is_progress

KEPT = 512


@dataclass(frozen=True)
class Face:
    """What a function's signature says.

    Attributes:
        visible: The parameters that a person sees, those behind a wrapper included; None without a signature.
        by_name: What the outermost callable takes by keyword.
        takes_any: Whether it takes any keyword.
        only_by_place: What it takes by position only.
        progress: The parameters that are a `gr.Progress` by default.
        tracks_tqdm: Whether one of these wants to hear of loops of the tqdm library.
    """

    visible: tuple[inspect.Parameter, ...] | None
    by_name: frozenset[str] = frozenset()
    takes_any: bool = False
    only_by_place: frozenset[str] = frozenset()
    progress: tuple[inspect.Parameter, ...] = ()
    tracks_tqdm: bool = False

    def arguments(self, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Keyword where the outermost callable takes it, by position, in the visible order, where it does not."""
        if self.visible is None:
            return tuple(inputs.values()), {}
        if self.by_name.issuperset(inputs):
            return (), inputs
        keyword = {
            n: v for n, v in inputs.items() if n in self.by_name or (self.takes_any and n not in self.only_by_place)
        }
        placed = [p for p in self.visible if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in keyword]
        while placed and placed[-1].name not in inputs:
            placed.pop()  # what is left out at the end keeps its default
        return tuple(inputs.get(p.name, p.default) for p in placed), keyword


def face_of(fn: Callable[..., Any]) -> Face:
    """How to call a function."""
    try:
        return _known(fn)
    except TypeError:  # it cannot be hashed
        return _read(fn)


@lru_cache(KEPT)
def _known(fn: Callable[..., Any]) -> Face:
    return _read(fn)


def _read(fn: Callable[..., Any]) -> Face:
    try:
        outer = inspect.signature(fn, follow_wrapped=False).parameters.values()
        visible = tuple(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):  # some builtins have none
        return Face(None)
    progress = tuple(p for p in visible if is_progress(p.default))
    return Face(
        visible,
        frozenset(p.name for p in outer if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)),
        any(p.kind is p.VAR_KEYWORD for p in outer),
        frozenset(p.name for p in outer if p.kind is p.POSITIONAL_ONLY),
        progress,
        any(getattr(p.default, "track_tqdm", False) for p in progress),
    )
