"""GradioNode against a real Gradio app on loopback."""

from __future__ import annotations

import random
import socket
import sys
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from daggr import EndpointError, FnNode, GradioNode, Graph, NodeFailedError, RemoteError
from daggr.engine.engine import Engine
from daggr.engine.events import StepProgressed
from daggr.graph.graph import drawing_of
from tests.servers import Server, isolated_environment
from tests.unit.engine.test_engine import Watch, call


def test_the_quick_start_runs_with_a_local_app(engine: Engine, tmp_path: Path, gradio_app: Server) -> None:
    """The shape of the quick start: fixed values, a callable, a port as an input, `postprocess`."""
    image_maker = GradioNode(
        gradio_app.url,
        api_name="/image",
        name="image maker",
        inputs={"prompt": gr.Textbox(label="Prompt", value="A cheetah", lines=3), "seed": random.random},
        outputs={"image": gr.Image(label="Image")},
    )
    background_remover = GradioNode(
        gradio_app.url,
        api_name="two",
        name="background remover",
        inputs={"image": image_maker.image},
        postprocess=lambda _, final: final,
        outputs={"image": gr.Image(label="Final image")},
    )
    graph = Graph("Transparent Background Image Generator", nodes=[image_maker, background_remover])
    assert engine.check(drawing_of(graph)) == []
    values = call(engine, graph, tmp_path)
    with Image.open(values["background remover"]["image"]) as final:
        assert (final.size, final.mode) == ((256, 256), "RGBA")


def test_an_app_is_asked_once_for_the_same_inputs(engine: Engine, tmp_path: Path, gradio_app: Server) -> None:
    node = GradioNode(gradio_app.url, "text", inputs={"text": gr.Textbox()}, outputs={"upper": gr.Textbox()}, name="up")
    graph = Graph("Upper", nodes=[node])
    assert call(engine, graph, tmp_path, up__text="abc") == {"up": {"upper": "ABC"}}
    watch = Watch(engine)
    call(engine, graph, tmp_path, up__text="abc")
    assert watch.executed() == []


def test_every_run_is_a_session_of_its_own(engine: Engine, tmp_path: Path, gradio_app: Server) -> None:
    def node(name: str, word: str) -> GradioNode:
        return GradioNode(gradio_app.url, "/state", name=name, inputs={"word": word}, outputs={"words": None})

    values = call(engine, Graph("State", nodes=[node("a", "one"), node("b", "two")]), tmp_path)
    assert values == {"a": {"words": "one"}, "b": {"words": "two"}}


def test_progress_reaches_the_observer(engine: Engine, tmp_path: Path, gradio_app: Server) -> None:
    node = GradioNode(gradio_app.url, "/slow", inputs={"steps": 4, "seconds": 0.4}, outputs={"said": None}, name="slow")
    watch = Watch(engine)
    assert call(engine, Graph("Slow", nodes=[node]), tmp_path) == {"slow": {"said": "1 2 3 4"}}
    texts = [event.text for event in watch.events if isinstance(event, StepProgressed)]
    assert any(text.startswith("step ") for text in texts), texts


def test_an_apps_error_is_the_nodes(engine: Engine, tmp_path: Path, gradio_app: Server) -> None:
    node = GradioNode(gradio_app.url, "/fail", inputs={"text": "x"}, outputs={"y": None}, name="refuser")
    with pytest.raises(RemoteError, match=r"'refuser' failed: .* says: The loopback app refuses 'x'"):
        call(engine, Graph("Fail", nodes=[node]), tmp_path)


def test_a_path_in_a_text_is_sent_as_text(engine: Engine, tmp_path: Path, gradio_app: Server) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    node = GradioNode(gradio_app.url, "/text", inputs={"text": gr.Textbox()}, outputs={"upper": None}, name="up")
    assert call(engine, Graph("Path", nodes=[node]), tmp_path, up__text=str(secret)) == {
        "up": {"upper": str(secret).upper()}
    }


def test_text_of_an_answer_never_becomes_a_file(engine: Engine, tmp_path: Path, gradio_app: Server) -> None:
    secret = Path("/TMP-SECRET.PNG")  # what /text makes of its lower case
    node = GradioNode(
        gradio_app.url, "/text", inputs={"text": str(secret).lower()}, outputs={"picture": gr.Image()}, name="up"
    )
    with pytest.raises(NodeFailedError, match="does not become a file"):
        call(engine, Graph("Answer", nodes=[node]), tmp_path)


@pytest.mark.parametrize(
    ("endpoint", "inputs", "message"),
    [
        ("/imge", {}, r"API endpoint '/imge' not found in .* Did you mean '/image'\?"),
        ("/image", {"promt": "x", "seed": 1}, r"Invalid parameter\(s\) \{'promt'\} .* 'promt' -> 'prompt'"),
        ("/text", {}, r"Missing required parameter\(s\) \{'text'\} for endpoint '/text'"),
    ],
)
def test_a_wrong_call_is_told_before_anything_runs(
    engine: Engine, gradio_app: Server, endpoint: str, inputs: dict[str, Any], message: str
) -> None:
    node = GradioNode(gradio_app.url, endpoint, inputs=inputs, outputs={"x": None}, name="wrong")
    (error,) = engine.check(drawing_of(Graph("Wrong", nodes=[node])))
    assert isinstance(error, EndpointError)
    with pytest.raises(EndpointError, match=message):
        raise error
    assert error.where is not None
    assert error.where.startswith("test_gradio.py:")


def test_an_app_that_is_not_there_says_so(engine: Engine, tmp_path: Path) -> None:
    node = GradioNode("http://127.0.0.1:9", "/x", inputs={"text": "x"}, outputs={"y": None}, name="gone")
    after = FnNode(lambda y: y, name="after", inputs={"y": node.y}, outputs={"z": None})
    with pytest.raises(RemoteError, match=r"does not answer: ConnectError") as caught:
        call(engine, Graph("Gone", nodes=[after]), tmp_path)
    assert caught.value.retryable


def test_an_app_that_was_started_anew_is_asked_anew(engine: Engine, tmp_path: Path) -> None:
    """Its endpoints have other numbers then: by number, another function would answer, and the answer would be kept."""
    script = Path(__file__).parents[2] / "apps" / "reordered.py"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    node = GradioNode(f"http://127.0.0.1:{port}", "/good", inputs={"text": gr.Textbox()}, outputs={"x": None}, name="n")
    graph = Graph("Anew", nodes=[node])
    for order in ("FIRST", "SECOND"):
        app = Server([sys.executable, script, port, order], tmp_path / order, isolated_environment(tmp_path / order))
        try:
            assert call(engine, graph, tmp_path, n__text=order) == {"n": {"x": f"good {order}"}}
        finally:
            app.stop()
