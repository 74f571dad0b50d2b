"""Calls of a GradioNode, through the engine that servers and scripts come to. Each has an input that is new.

What a call takes is all of it: the input is stored, the plan made, the app called, the answer recorded (it survives a
power cut), and loaded.
"""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

from turns import Figures, serve

from daggr import GradioNode, Graph
from daggr.engine.engine import Engine
from daggr.graph.graph import drawing_of
from daggr.store.store import Store

NUMBERS = itertools.count()


class Desk:
    """An engine over a store, with a graph of one node."""

    def __init__(self, folder: Path) -> None:
        import gradio as gr  # it takes seconds, and prints to standard output

        self.store = Store(folder / "store")
        self.engine = Engine(self.store)
        url = os.environ["DAGGR_BENCH_APP"]
        node = GradioNode(url, "/text", name="up", inputs={"text": gr.Textbox()}, outputs={"upper": None})
        self.program = self.engine.load(drawing_of(Graph("Upper", nodes=[node])))
        self.nodes = frozenset(self.program.drawing.nodes)

    def begin(self, text: str):  # type: ignore[no-untyped-def]
        """Begin a call; a future of its answer."""
        inputs = self.engine.stage_inputs(self.program, {"up__text": text})
        return self.engine.call(self.program, "local", inputs, self.nodes)

    def value(self, answer) -> str:  # type: ignore[no-untyped-def]
        """What the app said."""
        return str(self.store.load(answer.runs["up"].outputs[0].digest))

    def close(self) -> None:
        """Let go of all."""
        self.engine.close()
        self.store.close()


def calls(size: int, folder: Path) -> Figures:
    """One after the other."""
    desk = Desk(folder)
    desk.value(desk.begin(f"warm {next(NUMBERS)}").result())
    took = 0.0
    for _ in range(size):
        text = f"call {next(NUMBERS)}"
        start = time.perf_counter()
        said = desk.value(desk.begin(text).result())
        took += time.perf_counter() - start
        assert said == text.upper(), said
    desk.close()
    return {"call": took}


def many(size: int, folder: Path) -> Figures:
    """All at once."""
    desk = Desk(folder)
    desk.value(desk.begin(f"warm {next(NUMBERS)}").result())
    texts = [f"many {next(NUMBERS)}" for _ in range(size)]
    start = time.perf_counter()
    futures = [desk.begin(text) for text in texts]
    said = [desk.value(future.result()) for future in futures]
    took = time.perf_counter() - start
    desk.close()
    assert said == [text.upper() for text in texts]
    return {"call": took}


if __name__ == "__main__":
    serve({"calls": calls, "many": many})
