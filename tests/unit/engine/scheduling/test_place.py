"""Which limit a node is under."""

from __future__ import annotations

from typing import Any

import pytest

from daggr.engine.scheduling import Place, place_of
from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.fn import FnSpec
from daggr.graph.nodes.gradio import GradioSpec

NOTHING: Any = {"inputs": {}, "outputs": {}}


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        (FnSpec("f", **NOTHING), Place("session ada", 1)),
        (FnSpec("f", **NOTHING, concurrent=True), None),
        (FnSpec("f", **NOTHING, concurrent=True, concurrency_group="gpu"), Place("group gpu", 1)),
        (FnSpec("f", **NOTHING, concurrent=True, concurrency_group="gpu", max_concurrent=3), Place("group gpu", 3)),
        (GradioSpec("g", **NOTHING, source="org/space"), Place("app org/space", 16)),
        (NodeSpec("n", **NOTHING), None),
    ],
)
def test_the_limit_of_a_node(spec: NodeSpec, place: Place | None) -> None:
    assert place_of(spec, "ada") == place
