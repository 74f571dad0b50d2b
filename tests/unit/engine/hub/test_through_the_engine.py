"""Spaces as a workflow meets them: checked, called, recorded, and what is wrong with them said where it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from daggr import EndpointError, GradioNode, Graph, RemoteError
from daggr.engine.engine import Engine
from daggr.graph.graph import drawing_of
from daggr.store import runs
from daggr.store.store import Store
from daggr.testing.hub import FakeHub
from tests.servers import Server
from tests.unit.engine.test_engine import call


@pytest.fixture
def remembering(store: Store, tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(store, cache=tmp_path / "cache")
    yield engine
    engine.close()


def graph(revision: str | None = None, **inputs: object) -> Graph:
    node = GradioNode(
        "owner/upper",
        "/text",
        name="upper",
        inputs={"text": gr.Textbox(), **inputs},
        outputs={"out": gr.Textbox()},
        revision=revision,
    )
    return Graph("Spaces", nodes=[node])


def test_the_commit_of_a_space_is_kept_with_its_run(
    remembering: Engine, tmp_path: Path, hub: FakeHub, gradio_app: Server
) -> None:
    space = hub.add_space("owner/upper", gradio_app.url)
    assert remembering.check(drawing_of(graph())) == []
    assert call(remembering, graph(), tmp_path, upper__text="a") == {"upper": {"out": "A"}}
    assert remembering.observed == {"space owner/upper": space.sha}
    with remembering.store.read() as txn:
        (run,) = runs.by_node(txn, "spaces", "upper")
    assert run.soft["space owner/upper"] == space.sha


def test_known_results_need_neither_the_space_nor_the_hub(
    remembering: Engine, tmp_path: Path, hub: FakeHub, gradio_app: Server
) -> None:
    hub.add_space("owner/upper", gradio_app.url)
    call(remembering, graph(), tmp_path, upper__text="a")
    hub.spaces.clear()
    asked = len(hub.requests)
    assert call(remembering, graph(), tmp_path, upper__text="a") == {"upper": {"out": "A"}}
    assert len(hub.requests) == asked


def test_launch_is_told_what_is_wrong(remembering: Engine, hub: FakeHub, gradio_app: Server) -> None:
    (unknown,) = remembering.check(drawing_of(graph()))
    assert isinstance(unknown, EndpointError)
    space = hub.add_space("owner/upper", gradio_app.url, stage="SLEEPING")
    (asleep,) = remembering.check(drawing_of(graph()))
    assert isinstance(asleep, RemoteError)
    assert "was asleep" in asleep.message
    space.stage = "RUNNING"
    hub.spaces["owner/upper"] = space


def test_a_pin_is_held_before_anything_runs(
    remembering: Engine, tmp_path: Path, hub: FakeHub, gradio_app: Server
) -> None:
    space = hub.add_space("owner/upper", gradio_app.url)
    pinned = "1234567"
    with pytest.raises(EndpointError, match=f"Space 'owner/upper' is at {space.sha[:7]}, and pinned to {pinned}"):
        call(remembering, graph(pinned), tmp_path, upper__text="a")
    assert call(remembering, graph(space.sha[:7]), tmp_path, upper__text="a") == {"upper": {"out": "A"}}
