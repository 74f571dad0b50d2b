"""Who calls an endpoint of a Gradio app, and how they are run: each in a process of its own, beside one real app."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from peers.race import OURS, Contender, Rows

from daggr.testing.apps import loopback

APP = "DAGGR_BENCH_APP"
"""The variable that says where the app is."""

BARE, CLIENT, OLD = "bare httpx", "gradio_client", "daggr 0.8"
CALLERS: Mapping[str, Contender] = {
    OURS: Contender("remote_ours.py", peer=False),
    BARE: Contender("remote_bare.py", peer=False),
    CLIENT: Contender("remote_client.py", peer=False),
    OLD: Contender("remote_08.py"),
}


@contextmanager
def app() -> Iterator[str]:
    """A real Gradio app on loopback; its address, which contenders that start meanwhile are told."""
    with loopback() as running:
        os.environ[APP] = running.url
        try:
            yield running.url
        finally:
            del os.environ[APP]


def times(rows: Rows, figure: str, one: str, other: str) -> float:
    """How many times as long one takes as the other: the middle of what it was in each round."""
    pairs = zip(rows[one][figure], rows[other][figure], strict=True)
    return statistics.median(mine / theirs for mine, theirs in pairs)


def held(what: str, value: float, bound: float, *, at_least: bool) -> int:
    """Say whether a promise is held. The exit code."""
    is_held = value >= bound if at_least else value <= bound
    words = "at least" if at_least else "at most"
    print(f"{'HELD' if is_held else 'MISSED'}: {what}: {value:.2f} × ({words} {bound:g} ×)")
    return int(not is_held)
