"""Remote nodes as scripts make them: addresses, and what is no argument."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from daggr import FnNode, GradioNode, GraphError, InferenceNode
from daggr.graph.nodes.base import spec_of
from daggr.graph.nodes.gradio import GradioSpec


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ("https://huggingface.co/spaces/owner/name", "owner/name"),
        ("https://huggingface.co/spaces/owner/name?logs=build", "owner/name"),
        ("http://127.0.0.1:7860/?view=api", "http://127.0.0.1:7860"),
        ("HTTP://127.0.0.1:7860/app/#here", "http://127.0.0.1:7860/app"),
        (" owner/name/ ", "owner/name"),
    ],
)
def test_an_address_is_what_it_stands_for(given: str, source: str) -> None:
    spec = spec_of(GradioNode(given))
    assert isinstance(spec, GradioSpec)
    assert spec.source == source


@pytest.mark.parametrize("given", ["http://[::1", "owner", "a b/c", "ftp://host/x", "", None, 5])
def test_what_is_no_app_is_told(given: Any) -> None:
    with pytest.raises(GraphError, match="GradioNode needs a Space's id such as 'owner/name' or a URL"):
        GradioNode(given)


def test_a_password_in_an_address_is_refused_without_being_told() -> None:
    with pytest.raises(GraphError, match="would be shown") as caught:
        GradioNode("http://bob:Sup3rSecret@host")
    assert "Sup3r" not in str(caught.value)


MAKERS = [lambda **how: GradioNode("o/n", **how), lambda **how: InferenceNode("o/n", **how)]


@pytest.mark.parametrize("make", [*MAKERS, lambda **how: FnNode(lambda text: text, **how)])
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"inputs": ["text"]}, "inputs is a dict with a name for each port"),
        ({"outputs": gr.Textbox}, "outputs is a dict with a name for each port"),
        ({"inputs": {"text": gr.Textbox}}, r"A class was given as an input: Textbox.*\n?.*gr\.Textbox\("),
        ({"preprocess": "x"}, "preprocess is a function"),
        ({"postprocess": 5}, "postprocess is a function"),
    ],
)
def test_arguments_of_wrong_kinds_are_told(make: Any, how: dict[str, Any], said: str) -> None:
    with pytest.raises(GraphError, match=said):
        make(**how)


@pytest.mark.parametrize("make", MAKERS)
def test_a_revision_is_a_commit(make: Any) -> None:
    assert spec_of(make(revision="3f2c1ab")).revision == "3f2c1ab"  # type: ignore[attr-defined]
    with pytest.raises(GraphError, match="revision is the id of a commit"):
        make(revision="main")
    with pytest.raises(GraphError, match="revision= is for Spaces"):
        GradioNode("http://127.0.0.1:1", revision="3f2c1ab")
