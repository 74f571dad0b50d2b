"""Every kind of output of a Gradio app reaches its port, is stored, and is shown as its component expects it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from daggr import FnNode, GradioNode, Graph, RemoteError
from daggr.engine.engine import Engine
from daggr.engine.hub.gradio_app import read_app
from daggr.engine.hub.gradio_schema import takes
from daggr.graph.graph import drawing_of
from daggr.server.messages import FileValue, JsonValue
from daggr.server.values import Values
from daggr.testing.apps import GradioApp
from daggr.testing.proxy import FaultProxy
from tests.unit.engine.remote import run
from tests.unit.engine.test_engine import call


def shown(engine: Engine, graph: Graph, node: str) -> dict[str, Any]:
    """What a card gets for each port of a node."""
    program = engine.load(drawing_of(graph))
    answer = engine.call(program, "local", {}, frozenset(program.drawing.nodes)).result(30)
    values = Values(engine.store, "local")
    with engine.store.read() as txn:
        return {output.port: values.read(txn, output.digest) for output in answer.runs[node].outputs}


def picture(path: str) -> tuple[int, int]:
    with Image.open(path) as opened:
        return opened.size


def urls(value: Any) -> list[str]:
    """The addresses of files within what a card is shown."""
    if isinstance(value, dict):
        own = [value["path"]] if str(value.get("path")).startswith("/file/") else []
        return [*own, *(url for key, part in value.items() if key != "path" for url in urls(part))]
    return [url for part in value for url in urls(part)] if isinstance(value, list) else []


KINDS: list[tuple[str, dict[str, Any], Any, Callable[[Any], Any], Any]] = [
    ("text", {"text": "abc"}, gr.Textbox(), lambda value: value, "ABC"),
    ("image", {"prompt": "x", "seed": 1}, gr.Image(), picture, (256, 256)),
    ("audio", {}, gr.Audio(), lambda path: Path(path).read_bytes()[:4], b"RIFF"),
    ("video", {}, gr.Video(), lambda path: Path(path).suffix, ".mp4"),
    ("file", {"text": "abc"}, gr.File(), lambda path: (Path(path).name, Path(path).read_text()), ("text.txt", "abc")),
    ("files", {}, gr.File(file_count="multiple"), lambda paths: [Path(path).read_text() for path in paths], ["0", "1"]),
    (
        "gallery",
        {},
        gr.Gallery(),
        lambda items: [(picture(item["image"]["path"]), item["caption"]) for item in items],
        [((256, 256), "picture 0"), ((256, 256), "picture 1")],
    ),
    (
        "label",
        {"text": "cat"},
        gr.Label(),
        lambda value: (value["label"], [part["confidence"] for part in value["confidences"]]),
        ("cat", [0.75, 0.25]),
    ),
    ("dataframe", {}, gr.Dataframe(), lambda value: value["data"], [[0, 0], [1, 1], [2, 4]]),
    (
        "chat",
        {"message": "hi"},
        gr.Chatbot(),
        lambda messages: [message["role"] for message in messages],
        ["user", "assistant", "assistant"],
    ),
    (
        "highlighted",
        {"text": "a b c"},
        gr.HighlightedText(),
        lambda words: [(word["token"], word["class_or_confidence"]) for word in words],
        [("a", None), ("b", "odd"), ("c", None)],
    ),
    (
        "structure",
        {"text": "t"},
        gr.JSON(),
        lambda value: value,
        {"text": "t", "list": [1, 2.5, None, True], "path": "/etc/hostname", "more": {"a": []}},
    ),
]


@pytest.mark.parametrize(
    ("endpoint", "inputs", "component", "read", "expected"), KINDS, ids=[kind[0] for kind in KINDS]
)
def test_each_kind_reaches_its_port(
    engine: Engine,
    tmp_path: Path,
    gradio_app: GradioApp,
    endpoint: str,
    inputs: dict[str, Any],
    component: Any,
    read: Callable[[Any], Any],
    expected: Any,
) -> None:
    node = GradioNode(gradio_app.url, endpoint, inputs=inputs, outputs={"out": component}, name="node")
    value = call(engine, Graph("Kinds", nodes=[node]), tmp_path)["node"]["out"]
    assert read(value) == expected


def test_an_annotated_image_is_shown_with_its_masks(engine: Engine, gradio_app: GradioApp) -> None:
    picture = GradioNode(gradio_app.url, "image", inputs={"prompt": "x"}, outputs={"image": gr.Image()}, name="image")
    node = GradioNode(
        gradio_app.url, "annotated", inputs={"image": picture.image}, outputs={"out": gr.AnnotatedImage()}, name="marks"
    )
    value = shown(engine, Graph("Marks", nodes=[node]), "marks")["out"]
    assert isinstance(value, JsonValue)
    assert [mark["label"] for mark in value.value["annotations"]] == ["corner", "middle"]
    assert len(urls(value.value)) == 3


def test_a_card_gets_the_files_within_values_as_addresses(engine: Engine, gradio_app: GradioApp) -> None:
    gallery = GradioNode(gradio_app.url, "gallery", outputs={"out": gr.Gallery()}, name="gallery")
    chat = GradioNode(gradio_app.url, "chat", inputs={"message": "x"}, outputs={"out": gr.Chatbot()}, name="chat")
    for node, count in ((gallery, 2), (chat, 1)):
        value = shown(engine, Graph("Shown", nodes=[node]), "gallery" if node is gallery else "chat")["out"]
        assert isinstance(value, JsonValue)
        assert len(urls(value.value)) == count, value
    files = GradioNode(gradio_app.url, "file", inputs={"text": "x"}, outputs={"out": gr.File()}, name="file")
    assert isinstance(shown(engine, Graph("File", nodes=[files]), "file")["out"], FileValue)


def test_several_outputs_come_in_order_and_without_state(engine: Engine, tmp_path: Path, gradio_app: GradioApp) -> None:
    many = GradioNode(
        gradio_app.url,
        "many",
        inputs={"text": "abc"},
        outputs={"text": gr.Textbox(), "length": gr.Number(), "image": gr.Image(), "more": gr.JSON()},
        name="many",
    )
    state = GradioNode(gradio_app.url, "state", inputs={"word": "x"}, outputs={"words": None}, name="state")
    values = call(engine, Graph("Many", nodes=[many, state]), tmp_path)
    assert (values["many"]["text"], values["many"]["length"]) == ("abc", 3)
    assert picture(values["many"]["image"]) == (256, 256)
    assert values["many"]["more"]["text"] == "abc"
    assert values["state"] == {"words": "x"}


def test_a_function_after_it_gets_a_path_that_also_reads_as_a_dict(
    engine: Engine, tmp_path: Path, gradio_app: GradioApp
) -> None:
    file = GradioNode(gradio_app.url, "file", inputs={"text": "abc"}, outputs={"out": None}, name="file")
    files = GradioNode(gradio_app.url, "files", outputs={"out": None}, name="files")
    gallery = GradioNode(gradio_app.url, "gallery", outputs={"out": None}, name="gallery")

    def read(file: Any, files: Any, gallery: Any) -> str:
        return json.dumps(
            [
                Path(file).read_text(),
                Path(file["path"]).read_text(),
                [Path(path).read_text() for path in files],
                [picture(item["image"]) for item in gallery],
            ]
        )

    after = FnNode(read, inputs={"file": file.out, "files": files.out, "gallery": gallery.out}, outputs={"said": None})
    values = call(engine, Graph("Paths", nodes=[after]), tmp_path)
    assert json.loads(values["read"]["said"]) == ["abc", "abc", ["0", "1"], [[256, 256], [256, 256]]]


def test_a_hook_gets_what_gradio_client_gives(engine: Engine, tmp_path: Path, gradio_app: GradioApp) -> None:
    seen: list[Any] = []

    def keep(*values: Any) -> Any:
        seen.extend(values)
        return values[-1] if len(values) > 1 else "kept"

    def node(endpoint: str, **inputs: Any) -> GradioNode:
        return GradioNode(gradio_app.url, endpoint, inputs=inputs, outputs={"x": None}, postprocess=keep, cache=False)

    call(engine, Graph("Hook", nodes=[node("gallery", count=1)]), tmp_path)
    (gallery,) = seen
    assert gallery[0]["caption"] == "picture 0"
    assert gallery[0]["image"]["meta"] == {"_type": "gradio.FileData"}
    assert gallery[0]["image"]["path"].startswith(str(engine.store.root))
    seen.clear()
    call(engine, Graph("Hook", nodes=[node("many", text="abc")]), tmp_path)
    assert [type(value) for value in seen] == [str, int, dict, dict]


def test_an_update_is_taken_by_its_value(proxy: FaultProxy) -> None:
    node = GradioNode(proxy.url, "/text", inputs={"text": "x"}, outputs={"out": None})
    update = b'"data":[{"__type__":"update","value":"new","visible":false}]'
    for said, expected in ((update, "new"), (b'"data":[{"__type__":"update"}]', None)):
        proxy.clear()
        proxy.fault("rewrite", path="/queue/data", pattern=rb'"data":\["X"\]', body=said)
        returned, _ = run(node, text="x")
        assert returned.values == {"out": expected}


def test_components_of_parameters_are_told_by_their_schema() -> None:
    expected = {
        gr.Image: "file",
        gr.Audio: "file",
        gr.Video: "file",
        gr.File: "file",
        gr.Model3D: "file",
        gr.UploadButton: "file",
        gr.Gallery: "pictures",
        gr.ImageSlider: "files",
        gr.ImageEditor: "within",
        gr.MultimodalTextbox: "within",
        gr.Chatbot: "within",
        gr.Textbox: "value",
        gr.JSON: "value",
        gr.Dataframe: "value",
        gr.FileExplorer: "value",
        gr.Dropdown: "value",
    }
    found = {kind: takes(kind().api_info(), kind().get_block_name()) for kind in expected}
    assert found == expected
    assert takes(gr.File(file_count="multiple").api_info(), "file") == "files"
    assert takes(None, "gallery") == "pictures"
    assert takes({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}) == "value"  # it ends


def test_parameters_of_early_apps_are_named_by_their_labels() -> None:
    described: list[dict[str, Any]] = [{"label": label} for label in ("Some Text!", "Some Text!", "")]
    described.append({"parameter_name": "own"})
    config: dict[str, Any] = {"dependencies": [{"api_name": "f", "inputs": [1, 2, 3, 4, 5], "outputs": [5, 6]}]}
    config["components"] = [{"id": number, "type": "textbox"} for number in (1, 2, 3, 4, 6)]
    config["components"].append({"id": 5, "type": "state"})
    app = read_app("x", "http://x", {}, config, {"named_endpoints": {"/f": {"parameters": described}}})
    endpoint = app.endpoints["/f"]
    assert [parameter.name for parameter in endpoint.parameters] == ["some_text", "param_1", "param_2", "own"]
    assert [slot and slot.name for slot in endpoint.slots] == ["some_text", "param_1", "param_2", "own", None]
    assert endpoint.returns == (False, True)


def test_an_endpoint_without_a_name_is_called_by_its_number(
    engine: Engine, tmp_path: Path, gradio_app: GradioApp
) -> None:
    node = GradioNode(gradio_app.url, 0, inputs={"text": "x"}, outputs={"out": None}, name="zero")
    assert call(engine, Graph("Zero", nodes=[node]), tmp_path) == {"zero": {"out": "number 0 x"}}


def test_defaults_are_the_apps_own(engine: Engine, tmp_path: Path, gradio_app: GradioApp) -> None:
    node = GradioNode(gradio_app.url, "defaults", inputs={"number": 5}, outputs={"out": None}, name="given")
    given = json.loads(call(engine, Graph("Given", nodes=[node]), tmp_path)["given"]["out"])
    assert given[:3] == ["a text", 5, True]


def test_a_drawing_is_a_file_of_its_own(engine: Engine, tmp_path: Path, gradio_app: GradioApp) -> None:
    """Gradio gives it without a path: as an address that holds it."""
    for component in (gr.Image(), None):
        node = GradioNode(gradio_app.url, "drawing", name="n", inputs={"text": "hi"}, outputs={"out": component})
        path = Path(call(engine, Graph("Drawing", nodes=[node]), tmp_path)["n"]["out"])
        assert (path.suffix, "<text>hi</text>" in path.read_text()) == (".svg", True)


def test_pictures_and_captions_go_up(gradio_app: GradioApp, tmp_path: Path) -> None:
    path = str(tmp_path / "in.png")
    Image.new("RGB", (5, 4)).save(path)
    node = GradioNode(gradio_app.url, "takes_pictures", inputs={"pictures": gr.Gallery()}, outputs={"sizes": None})
    graph = Graph("Pictures", nodes=[node])
    for given in ([path], [(path, None)]):
        assert node.test(pictures=given) == {"sizes": "(5, 4) None"}
    for pair in ([path, "cap"], (path, "cap")):
        assert next(iter(graph.run({f"{node.name}__pictures": [pair]}).values())) == {"sizes": "(5, 4) cap"}
    assert node.test()["sizes"].endswith(" None"), "an example of its own"


def test_an_app_that_keeps_its_reasons_says_how_it_would_tell(gradio_app: GradioApp) -> None:
    node = GradioNode(gradio_app.url, "raises", inputs={"text": "x"}, outputs={"never": None})
    with pytest.raises(RemoteError, match=r"gave no reason \(an app tells it only with launch\(show_error=True\)\)"):
        node.test()
