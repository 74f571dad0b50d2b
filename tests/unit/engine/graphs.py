"""Small graphs for tests of the engine and the server."""

from __future__ import annotations

import gradio as gr

from daggr import FnNode, Graph


def shout(text: str) -> str:
    return text.upper()


def twice(loud: str, times: int) -> str:
    for number in range(times + 3):
        print(loud, number)
    return loud * times


def chain() -> Graph:
    """text → shout → twice."""
    first = FnNode(shout, inputs={"text": gr.Textbox(value="hi")}, outputs={"loud": gr.Textbox()})
    second = FnNode(
        twice, inputs={"loud": first.loud, "times": gr.Number(value=2, precision=0)}, outputs={"said": gr.Textbox()}
    )
    return Graph("Chain", nodes=[second])
