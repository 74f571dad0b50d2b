"""Files of calls: only those that daggr or a hook gave go up, only the app's own come down."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from daggr import EndpointError, FnNode, GradioNode, Graph, NodeFailedError, RemoteError
from daggr.engine.engine import Engine
from daggr.engine.hub import gradio_schema
from daggr.engine.hub.gradio_app import Endpoint, Parameter
from daggr.engine.hub.gradio_schema import Takes
from daggr.engine.runners.base import Call
from daggr.engine.runners.gradio import files as gradio_files
from daggr.engine.runners.gradio import payload as gradio_payload
from daggr.engine.runners.gradio.payload import Payload
from daggr.graph.graph import drawing_of
from daggr.graph.nodes.base import spec_of
from daggr.store.codecs.fileref import FilePath
from daggr.testing.apps import GradioApp
from daggr.testing.proxy import FaultProxy
from tests.unit.engine.remote import Watch, carry_out, run
from tests.unit.engine.rooms import picture, size
from tests.unit.engine.test_engine import call

META = {"_type": "gradio.FileData"}


def node(url: str, endpoint: str, **how: Any) -> GradioNode:
    return GradioNode(url, endpoint, name="node", outputs={"out": how.pop("component", None)}, **how)


def sent(
    value: Any, takes: Takes, folder: Path, *, component: str = "image", texts: Any = None
) -> tuple[Any, list[Path]]:
    """What one parameter is sent, and the files that would go up."""
    spec = spec_of(node("http://127.0.0.1:9", "f", inputs={"given": None}))
    payload = Payload(Call(spec, {}, folder, print, lambda *_: None, started_ns=time.time_ns()), texts)
    endpoint = Endpoint("/f", 0, (given := Parameter("given", True, None, takes, component),), (given,), (True,))
    return payload.of(endpoint, {"given": value})[0], [path for _, path in payload.files]


# ---------------------------------------------------------------- up


def test_a_file_goes_from_one_app_to_the_next(engine: Engine, tmp_path: Path, gradio_app: GradioApp) -> None:
    file = GradioNode(gradio_app.url, "file", inputs={"text": "abc"}, outputs={"file": gr.File()}, name="file")
    read = node(gradio_app.url, "takes_file", inputs={"file": file.file})
    assert call(engine, Graph("Chain", nodes=[read]), tmp_path)["node"] == {"out": "text.txt: abc"}


def test_a_list_of_files_goes_up(engine: Engine, tmp_path: Path, gradio_app: GradioApp) -> None:
    for component in (gr.File(file_count="multiple"), None):
        files = GradioNode(gradio_app.url, "files", outputs={"files": component}, name="files")
        read = node(gradio_app.url, "takes_files", inputs={"files": files.files})
        assert call(engine, Graph("Chain", nodes=[read]), tmp_path)["node"] == {"out": "0 1"}


def test_a_file_of_a_component_goes_up(engine: Engine, tmp_path: Path, gradio_app: GradioApp) -> None:
    given = picture(tmp_path / "in.png")
    two = GradioNode(
        gradio_app.url,
        "two",
        inputs={"image": gr.Image(value=str(given), visible=False)},
        outputs={"a": gr.Image(), "b": gr.Image()},
        name="two",
    )
    with Image.open(call(engine, Graph("Two", nodes=[two]), tmp_path)["two"]["b"]) as cut:
        assert (cut.size, cut.mode) == (size(given), "RGBA")


def test_a_typed_path_is_sent_as_text_and_where_a_file_belongs_it_is_an_error(
    engine: Engine, tmp_path: Path, gradio_app: GradioApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_text("secret")
    for path in ("secret.txt", str(tmp_path / "secret.txt")):
        echo = node(gradio_app.url, "echo", inputs={"text": gr.Textbox()})
        assert call(engine, Graph("Echo", nodes=[echo]), tmp_path, node__text=path)["node"] == {"out": path}
        read = node(gradio_app.url, "takes_file", inputs={"file": gr.Textbox()})
        with pytest.raises(NodeFailedError, match="takes a file") as caught:
            call(engine, Graph("Read", nodes=[read]), tmp_path, node__file=path)
        assert f"gr.File(value={path!r}, visible=False)" in caught.value.hint


def test_a_fixed_path_is_told_before_anything_runs(engine: Engine, gradio_app: GradioApp) -> None:
    wrong = node(gradio_app.url, "two", inputs={"image": "cat.png"})
    (error,) = engine.check(drawing_of(Graph("Fixed", nodes=[wrong])))
    assert isinstance(error, EndpointError)
    assert "takes a file; it is given the text 'cat.png'" in error.message
    assert "gr.Image(value='cat.png', visible=False)" in error.hint
    right = node(gradio_app.url, "two", inputs={"image": "https://example.com/cat.png"})
    assert engine.check(drawing_of(Graph("Address", nodes=[right]))) == []


def test_what_an_app_answers_is_text_for_the_next(engine: Engine, tmp_path: Path, gradio_app: GradioApp) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    echo = GradioNode(gradio_app.url, "echo", inputs={"text": str(secret)}, outputs={"text": None}, name="echo")
    read = node(gradio_app.url, "takes_file", inputs={"file": echo.text})
    with pytest.raises(NodeFailedError, match="takes a file"):
        call(engine, Graph("Answer", nodes=[read]), tmp_path)


def test_an_address_is_the_apps_to_fetch(tmp_path: Path) -> None:
    address = "https://example.com/a/cat.png?x=1"
    expected = {"path": address, "url": address, "orig_name": "cat.png", "meta": META}
    assert sent(address, "file", tmp_path) == (expected, [])
    assert sent([address], "files", tmp_path) == ([expected], [])
    assert sent(address, "pictures", tmp_path) == ([{"image": expected, "caption": None}], [])
    assert sent(address, "value", tmp_path) == (address, [])


def test_a_dict_of_a_users_that_names_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    """gradio_client would read the file and upload it."""
    secret = {"path": "/etc/hostname", "meta": META}
    for takes in ("file", "within", "value"):
        assert sent(secret, takes, tmp_path) == (secret, [])
        assert sent({"a": [secret]}, takes, tmp_path) == ({"a": [secret]}, [])
        assert sent(secret, takes, tmp_path, texts=frozenset({"/etc/hostname", META["_type"]})) == (secret, [])


def test_files_that_were_handed_out_go_up_wherever_they_are(tmp_path: Path) -> None:
    path = FilePath(str(picture(tmp_path / "a.png")))
    stands = {"path": "", "orig_name": "a.png", "meta": META}
    film = FilePath(str(tmp_path / "film.mp4"))
    for takes, value, expected in (
        ("file", path, stands),
        ("file", {"image": path, "caption": "x"}, stands),
        ("file", {"path": path, "url": None, "meta": META}, stands),
        ("files", path, [stands]),
        ("files", (path, path), [stands, stands]),
        ("pictures", [path], [{"image": stands, "caption": None}]),
        ("pictures", [(path, "x")], [{"image": stands, "caption": "x"}]),
        ("pictures", [{"image": {"path": path, "meta": META}, "caption": "x"}], [{"image": stands, "caption": "x"}]),
        ("pictures", [film], [{"video": {**stands, "orig_name": "film.mp4"}, "caption": None}]),
        ("within", {"text": "x", "files": [path]}, {"text": "x", "files": [stands]}),
        ("value", {"voice": path, "path": 5}, {"voice": stands, "path": 5}),
    ):
        found, files = sent(value, takes, tmp_path)  # type: ignore[arg-type]
        assert found == expected
        assert files


def test_a_hook_may_give_what_the_run_may_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside"
    for folder in (work, outside):
        folder.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setattr("daggr.engine.reach._TEMPORARY", ())
    own = picture(work / "own.png")
    stands = {"path": "", "orig_name": "own.png", "meta": META}
    for value in (str(own), own, "own.png", {"path": str(own), "meta": META}, gr.FileData(path=str(own))):
        found, (path,) = sent(value, "file", tmp_path / "run", texts=frozenset())
        assert (found, Path(path).resolve()) == (stands, own)
    for value, message in (
        (str(picture(outside / "other.png")), "outside of the working folder"),
        ("nothing.png", "where there is no file"),
    ):
        with pytest.raises(NodeFailedError, match=message):
            sent(value, "file", tmp_path / "run", texts=frozenset())
    with pytest.raises(NodeFailedError, match="came in as text"):
        sent(str(own), "file", tmp_path / "run", texts=frozenset({str(own)}))
    assert sent({"note": str(own)}, "value", tmp_path / "run", texts=frozenset()) == ({"note": str(own)}, [])


def test_what_a_hook_makes_is_saved_and_sent(engine: Engine, tmp_path: Path, gradio_app: GradioApp) -> None:
    pixels = np.full((3, 5, 3), 200, np.uint8)
    for made in (Image.fromarray(pixels), pixels):

        def paint(inputs: dict[str, Any], made: Any = made) -> dict[str, Any]:
            return {**inputs, "image": made}

        two = GradioNode(
            gradio_app.url,
            "two",
            preprocess=paint,
            outputs={"a": gr.Image(), "b": gr.Image()},
            name="two",
        )
        with Image.open(call(engine, Graph("Made", nodes=[two]), tmp_path)["two"]["a"]) as opened:
            assert opened.size == (5, 3)
            assert opened.getpixel((0, 0)) == (200, 200, 200)
    sound, (path,) = sent((8000, np.zeros(80, np.int16)), "file", tmp_path, component="audio")
    assert sound["orig_name"] == "sound.wav"
    assert path.read_bytes()[:4] == b"RIFF"


def test_a_picture_of_a_function_goes_up_without_a_component(
    engine: Engine, tmp_path: Path, gradio_app: GradioApp
) -> None:
    draw = FnNode(lambda: Image.new("RGB", (7, 3)), name="draw", outputs={"picture": None})
    two = node(gradio_app.url, "two", inputs={"image": draw.picture}, component=gr.Image())
    with Image.open(call(engine, Graph("Draw", nodes=[two]), tmp_path)["node"]["out"]) as opened:
        assert opened.size == (7, 3)


def test_what_is_no_json_is_sent_as_the_nearest(tmp_path: Path) -> None:
    import pandas

    table = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    for value, expected in (
        (np.float64(0.5), 0.5),
        (np.arange(3), [0, 1, 2]),
        ({"t": (1, 2), 3: {4}}, {"t": [1, 2], "3": [4]}),
        (table, {"headers": ["a", "b"], "data": [[1, "x"], [2, "y"]]}),
        (Path("a/b"), "a/b"),
    ):
        found, _ = sent(value, "value", tmp_path)
        assert found == expected
        assert json.loads(json.dumps(found)) == expected
    with pytest.raises(NodeFailedError, match="'given' of 'node' is a object, which cannot be sent"):
        sent(object(), "value", tmp_path)


def test_a_file_goes_up_once_however_often_it_is_given(proxy: FaultProxy, tmp_path: Path) -> None:
    path = FilePath(str(tmp_path / "a.txt"))
    Path(path).write_text("abc")
    returned, _ = run(node(proxy.url, "takes_files"), files=[path, path])
    assert returned.values == {"out": "abc abc"}
    assert proxy.count("/upload") == 1


@pytest.mark.parametrize("path", ["/upload", "/file="])
def test_files_are_tried_again_after_an_error_of_the_server(proxy: FaultProxy, tmp_path: Path, path: str) -> None:
    given = FilePath(str(tmp_path / "a.txt"))
    Path(given).write_text("abc")
    proxy.fault("status", path=path, times=1, status=500, headers={"retry-after": "0"})
    if path == "/upload":
        assert run(node(proxy.url, "takes_files"), files=[given])[0].values == {"out": "abc"}
    else:
        returned, _ = run(node(proxy.url, "file", component=gr.File()), text="x")
        assert Path(returned.values["out"]["path"]).read_text() == "x"
    assert proxy.count(path) == 2


def test_a_large_file_goes_up_from_the_disk(gradio_app: GradioApp, tmp_path: Path) -> None:
    path = FilePath(str(tmp_path / "large.bin"))
    with open(path, "wb") as file:
        os.truncate(file.fileno(), 64 << 20)
    watch = Watch(node(gradio_app.url, "takes_file", retries=0), tmp_path, {"file": path})
    tracemalloc.start()
    try:
        with pytest.raises(RemoteError):  # the app's function does not take it for a text
            asyncio.run(carry_out(replace_endpoint(watch, "two", {"image": path})))
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def replace_endpoint(watch: Watch, endpoint: str, inputs: dict[str, Any]) -> Watch:
    spec = replace(watch.call.spec, api_name=f"/{endpoint}")  # type: ignore[call-arg]
    watch.call = replace(watch.call, spec=spec, inputs=inputs)
    return watch


def test_an_app_says_how_large_files_may_be(tmp_path: Path, proxy: FaultProxy) -> None:
    path = FilePath(str(tmp_path / "a.txt"))
    Path(path).write_text("abcdef")
    proxy.fault("rewrite", path="/config", pattern=rb'"max_file_size":null', body=b'"max_file_size":5')
    with pytest.raises(NodeFailedError, match=r"The file 'a.txt' has 6 B; the app takes at most 5 B"):
        run(node(proxy.url, "takes_file"), file=path)
    assert proxy.count("/upload") == 0


# ---------------------------------------------------------------- down


def answered(proxy: FaultProxy, path: str, url: str | None, **more: Any) -> Any:
    """The value of a file port when the app answers with this file."""
    found = {"path": path, "url": url, "orig_name": "a.txt", "size": None, "mime_type": None, "meta": META, **more}
    body = b'"data":[' + json.dumps(found).encode() + b"]"
    proxy.fault("rewrite", path="/queue/data", pattern=rb'"data":\[\{.*?\}\]', body=body)
    returned, _ = run(node(proxy.url, "file", component=gr.File()), text="x")
    return returned.values["out"]


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("https://elsewhere.example/a.txt", "https://elsewhere.example/a.txt"),
        ("//elsewhere.example/a.txt", None),
        ("data:text/plain,abc", None),
        ("/tmp/a.txt", "https://elsewhere.example/a.txt"),
        ("/tmp/a.txt", "http://elsewhere.example/gradio_api/file=/etc/passwd"),
        ("/tmp/a.txt", "file:///etc/passwd"),
        ("/tmp/../etc/passwd", None),
        ("..\\a.txt", None),
    ],
)
def test_files_of_others_are_refused(proxy: FaultProxy, path: str, url: str | None) -> None:
    with pytest.raises(RemoteError, match="none of its own") as caught:
        answered(proxy, path, url)
    assert caught.value.where
    assert not caught.value.retryable
    assert proxy.count("/file=") == 0


def test_a_local_path_of_an_answer_is_asked_of_the_app_never_of_the_disk(proxy: FaultProxy, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    proxy.fault("status", path="/file=", status=200, body=b"the app's own")
    value = answered(proxy, str(secret), None)
    assert Path(value["path"]).read_bytes() == b"the app's own"
    assert Path(value["path"]) != secret


def test_another_name_of_the_app_for_its_own_file_does_no_harm(proxy: FaultProxy) -> None:
    """Behind a proxy an app often has a name that nobody else knows. Its file is asked of the app that was called."""
    proxy.fault("status", path="/file=", status=200, body=b"abc")
    value = answered(proxy, "/tmp/a b.txt", "http://inner.example:1234/gradio_api/file=/tmp/a%20b.txt")
    assert Path(value["path"]).read_bytes() == b"abc"


def test_an_app_that_does_not_give_its_file(proxy: FaultProxy) -> None:
    with pytest.raises(RemoteError, match=r"refuses its own file 'a\.txt' with 403: File not allowed"):
        answered(proxy, "/etc/hostname", None)
    proxy.clear()
    proxy.fault("status", path="/file=", status=302, headers={"location": "https://elsewhere.example/a.txt"})
    with pytest.raises(RemoteError, match="302"):
        answered(proxy, "/tmp/a.txt", None)


@pytest.mark.parametrize("kind", ["truncate", "reset"])
def test_a_file_that_does_not_come_whole_is_an_error(proxy: FaultProxy, kind: Any) -> None:
    proxy.fault(kind, path="/file=", after=20)
    shown = node(proxy.url, "image", component=gr.Image())
    with pytest.raises(RemoteError, match="broke off"):
        run(shown, prompt="x", seed=0)


def test_a_file_that_is_too_large_is_not_taken(gradio_app: GradioApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradio_files, "MAX_FILE", 100)
    with pytest.raises(RemoteError, match=r"more than 0 GiB for 'picture\.png'"):
        run(node(gradio_app.url, "image", component=gr.Image()), prompt="x", seed=0)


def test_too_many_files_are_not_taken(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradio_files, "MOST", 3)
    with pytest.raises(RemoteError, match="answers with 4 files; daggr takes 3 at most"):
        run(node(proxy.url, "files"), count=4)
    assert proxy.count("/file=") == 0
    monkeypatch.setattr(gradio_files, "MOST", 4)
    assert len(run(node(proxy.url, "files"), count=4)[0].values["out"]) == 4
    monkeypatch.setattr(gradio_files, "MOST", 0)
    drawing: Any = {"path": None, "url": "data:image/svg+xml,x", "orig_name": "a.svg", "meta": META}
    with pytest.raises(RemoteError, match="answers with 1 files"):
        answered(proxy, **drawing)


def test_a_busy_app_is_asked_again_for_its_file(proxy: FaultProxy) -> None:
    proxy.fault("status", path="/file=", times=1, status=503, headers={"retry-after": "0"})
    returned, _ = run(node(proxy.url, "file", component=gr.File()), text="x")
    assert Path(returned.values["out"]["path"]).read_text() == "x"


def test_many_files_come_side_by_side(proxy: FaultProxy) -> None:
    proxy.fault("latency", path="/file=", seconds=0.3)
    started = time.monotonic()
    returned, _ = run(node(proxy.url, "files"), count=8)
    assert [Path(path).read_text() for path in returned.values["out"]] == [str(number) for number in range(8)]
    assert proxy.count("/file=") == 8
    assert time.monotonic() - started < 2


def test_of_a_stream_the_whole_is_taken(proxy: FaultProxy) -> None:
    path = "a1b2/c3d4/7/playlist.m3u8"
    proxy.fault("status", path="/stream/a1b2/c3d4/7/playlist-file", status=200, body=b"sound")
    url = f"{proxy.url}/gradio_api/stream/{path}"
    value = answered(proxy, path, url, is_stream=True, orig_name="sound.mp3")
    assert Path(value["path"]).name == "sound.mp3"
    assert Path(value["path"]).read_bytes() == b"sound"


def test_names_are_those_of_files(proxy: FaultProxy) -> None:
    for given, path, expected in (
        ("../../evil.txt", "/tmp/x/a.txt", "evil.txt"),
        (None, "/tmp/x/b c.png", "b c.png"),
        ("noending", "/tmp/x/c.wav", "noending.wav"),
    ):
        proxy.clear()
        proxy.fault("status", path="/file=", status=200, body=b"x")
        assert Path(answered(proxy, path, None, orig_name=given)["path"]).name == expected


def test_plain_values_need_no_thread() -> None:
    assert gradio_payload.is_plain({"a": [1, "x", None, (FilePath("/a"),)]})
    assert not gradio_payload.is_plain({"a": [np.zeros(1)]})


def test_a_schema_that_refers_to_itself_takes_no_time() -> None:
    own = {"$ref": "#/$defs/A"}
    file: Any = {"properties": {"path": {}, "meta": {}}}
    started = time.monotonic()
    assert gradio_schema.takes({**own, "$defs": {"A": {"anyOf": [own] * 18}}}) == "value"
    assert gradio_schema.takes({**own, "$defs": {"A": {"anyOf": [own, {"$ref": "#/$defs/B"}]}, "B": file}}) == "file"
    assert gradio_schema.takes({"anyOf": [file, *[own] * 18], "$defs": {"A": {"anyOf": [own] * 18}}}) == "file"
    assert time.monotonic() - started < 1
