"""Programs are started, killed and started again; the loopback app has every kind of endpoint."""

from __future__ import annotations

import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from daggr.testing.apps import GradioApp, Program
from daggr.testing.samples import png

SCRIPT = """
import argparse, http.server
parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
server = http.server.ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), http.server.SimpleHTTPRequestHandler)
print(f"Running on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (path := tmp_path / "app.py").write_text(SCRIPT)
    return path


def test_an_app_comes_back_at_its_address(script: Path) -> None:
    with GradioApp(script) as app:
        folder, url = app.folder, app.url
        urllib.request.urlopen(url).close()
        assert app.stop(signal.SIGKILL) == -signal.SIGKILL
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(url)
        app.start()
        assert app.url == url
        urllib.request.urlopen(url).close()
    assert not folder.exists()


def test_a_program_that_ends_at_once_says_why(tmp_path: Path) -> None:
    program = Program([sys.executable, "-c", "raise SystemExit('no such luck')"], tmp_path / "room")
    with pytest.raises(RuntimeError, match="ended with 1:\nno such luck"):
        program.start()


@pytest.fixture(scope="module")
def client(gradio_app: GradioApp, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("downloads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        client = Client(gradio_app.url, verbose=False, token=False, download_files=folder, analytics_enabled=False)
    yield client
    client.close()


def test_texts(client: Any) -> None:
    assert client.predict("a", api_name="/text") == "A"
    assert client.predict("/etc/hostname", api_name="/echo") == "/etc/hostname"
    assert client.predict("a", fn_index=0) == "number 0 a"
    assert client.predict(api_name="/defaults") == '["a text", 3, true, "first"]'
    assert client.predict(api_name="/session") == client.session_hash
    assert "user-agent" in client.predict(api_name="/headers")


def test_errors(client: Any) -> None:
    with pytest.raises(AppError, match="refuses 'a'"):
        client.predict("a", api_name="/fail")
    with pytest.raises(AppError):
        client.predict("a", api_name="/raises")


def test_files(client: Any, tmp_path: Path) -> None:
    assert Path(client.predict("a", 1, api_name="/image")).read_bytes().startswith(b"\x89PNG")
    assert Path(client.predict(440, api_name="/audio")).read_bytes().startswith(b"RIFF")
    assert Path(client.predict(1, api_name="/video")).read_bytes()[4:8] == b"ftyp"
    assert Path(client.predict("words", api_name="/file")).read_text() == "words"
    assert [Path(file).read_text() for file in client.predict(2, api_name="/files")] == ["0", "1"]
    assert [one["caption"] for one in client.predict(2, api_name="/gallery")] == ["picture 0", "picture 1"]
    (file := tmp_path / "a name.txt").write_text("content")
    assert client.predict(handle_file(str(file)), api_name="/takes_file") == "a name.txt: content"
    assert client.predict([handle_file(str(file))] * 2, api_name="/takes_files") == "content content"


def test_structures(client: Any, tmp_path: Path) -> None:
    (picture := tmp_path / "picture.png").write_bytes(png(3, 64))
    assert client.predict("a", api_name="/label")["label"] == "a"
    assert client.predict(2, api_name="/dataframe")["data"] == [[0, 0], [1, 1]]
    assert [turn["role"] for turn in client.predict("a", api_name="/chat")] == ["user", "assistant", "assistant"]
    marked = client.predict(handle_file(str(picture)), api_name="/annotated")
    assert [one["label"] for one in marked["annotations"]] == ["corner", "middle"]
    assert [one["class_or_confidence"] for one in client.predict("a b", api_name="/highlighted")] == [None, "odd"]


def test_what_comes_bit_by_bit(client: Any) -> None:
    job = client.submit("a b c", api_name="/stream")
    job.result()
    assert job.outputs() == ["a", "a b", "a b c"]
    job = client.submit(2, api_name="/pictures")
    job.result()
    assert len(job.outputs()) == 2
    logs = [update.log[0] for update in client.submit("a", api_name="/told") if getattr(update, "log", None)]
    assert client.predict("a", api_name="/told") == "a"
    assert logs in ([], ["The loopback app has an opinion.", "The loopback app has a doubt."])


def test_calls_wait_where_they_must(client: Any) -> None:
    begun = time.monotonic()
    jobs = [client.submit(0.2, api_name="/limited") for _ in range(3)]
    assert [job.result() for job in jobs] == ["slept 0.2"] * 3
    assert time.monotonic() - begun > 0.6
    begun = time.monotonic()
    jobs = [client.submit(0.4, api_name="/sleeps") for _ in range(4)]
    assert [job.result() for job in jobs] == ["slept 0.4"] * 4
    assert time.monotonic() - begun < 1.6


def test_what_was_done_can_be_counted(client: Any, tmp_path: Path) -> None:
    for word in ("a", "b"):
        client.predict(str(tmp_path / "calls"), word, api_name="/noted")
    assert (tmp_path / "calls").read_text().split() == ["a", "b"]
    client.predict(str(tmp_path / "steps"), 3, 0.01, api_name="/steps")
    assert (tmp_path / "steps").read_text().split() == ["0", "1", "2"]
