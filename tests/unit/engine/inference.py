"""What the tests of models share: nodes of models of the fake Hub, run through an engine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from daggr import Graph, InferenceNode
from daggr.engine.engine import Engine
from daggr.graph.graph import drawing_of
from daggr.store.records import Run
from daggr.testing.samples import png, wav
from tests.unit.engine.test_engine import call


def ask(engine: Engine, node: InferenceNode, **inputs: Any) -> dict[str, Any]:
    """What a node gives, by port."""
    found = call(engine, Graph("Asked", nodes=[node]), Path(tempfile.mkdtemp()), **inputs)
    return found[node.name]


def run_of(engine: Engine, node: InferenceNode) -> Run:
    """The record of a node's run."""
    program = engine.load(drawing_of(Graph("Asked", nodes=[node])))
    return engine.call(program, "local", {}, frozenset(program.drawing.nodes)).result(20).runs[node.name]


def wrong(engine: Engine, node: InferenceNode) -> str:
    """What is wrong with a node, told before anything runs; empty if it is right."""
    return "\n".join(map(str, engine.check(drawing_of(Graph("Checked", nodes=[node])))))


def picture(folder: Path) -> Any:
    """An input that is a picture."""
    (folder / "cat.png").write_bytes(png())
    return gr.Image(value=str(folder / "cat.png"))


def sound(folder: Path) -> Any:
    """An input that is a sound."""
    (folder / "cat.wav").write_bytes(wav())
    return gr.Audio(value=str(folder / "cat.wav"))
