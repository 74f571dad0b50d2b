"""An app that is busy is asked again; one that cannot help it is not. Over a real app behind a door that refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from daggr import GradioNode, Graph, RemoteError
from daggr.engine.engine import Engine
from daggr.engine.hub.patience import seconds_of
from tests.servers import Server
from tests.unit.engine.test_engine import call


class Door:
    """Stands before an app. It refuses the first few who want a place in the queue.

    Attributes:
        refusals: How many it still refuses.
        status: With what.
        retry_after: The header that it sends with it, if any.
        asked: When somebody wanted a place.
    """

    def __init__(self, app: str) -> None:
        self.refusals, self.status, self.retry_after = 0, 503, ""
        self.asked: list[float] = []
        self._app = app
        door = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                door.answer(self)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Let a request through, or not."""
        if request.path.endswith("/queue/join"):
            self.asked.append(time.monotonic())
            if self.refusals > 0:
                self.refusals -= 1
                request.send_response(self.status)
                if self.retry_after:
                    request.send_header("retry-after", self.retry_after)
                request.send_header("content-length", "4")
                request.end_headers()
                request.wfile.write(b"full")
                return
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        with httpx.stream(
            request.command, f"{self._app}{request.path}", content=body, headers=headers, timeout=30
        ) as got:
            request.send_response(got.status_code)
            request.send_header("content-type", got.headers.get("content-type", ""))
            request.send_header("connection", "close")
            request.end_headers()
            for chunk in got.iter_bytes():
                request.wfile.write(chunk)
                request.wfile.flush()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def door(gradio_app: Server) -> Iterator[Door]:
    made = Door(gradio_app.url)
    yield made
    made.close()


def upper(door: Door, **how: Any) -> Graph:
    node = GradioNode(door.url, "/text", name="up", inputs={"text": "abc"}, outputs={"upper": None}, **how)
    return Graph("Upper", nodes=[node])


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_app_is_asked_again(engine: Engine, tmp_path: Path, door: Door, status: int) -> None:
    door.refusals, door.status = 2, status
    assert call(engine, upper(door), tmp_path) == {"up": {"upper": "ABC"}}
    assert len(door.asked) == 3


def test_it_is_taken_at_its_word_when_it_says_when(engine: Engine, tmp_path: Path, door: Door) -> None:
    door.refusals, door.retry_after = 1, "1"
    assert call(engine, upper(door), tmp_path) == {"up": {"upper": "ABC"}}
    assert door.asked[1] - door.asked[0] >= 1


@pytest.mark.parametrize(
    ("how", "status", "retry_after", "times"),
    [
        ({"retries": 0}, 503, "", 1),
        ({"retries": 1}, 429, "", 2),
        ({}, 422, "", 1),
        ({}, 500, "", 1),
        ({}, 503, "3600", 1),
    ],
)
def test_in_the_end_it_fails_and_says_what_the_app_said(
    engine: Engine, tmp_path: Path, door: Door, how: Any, status: int, retry_after: str, times: int
) -> None:
    door.refusals, door.status, door.retry_after = 9, status, retry_after
    with pytest.raises(RemoteError, match=f"refuses the call with {status}: full"):
        call(engine, upper(door, **how), tmp_path)
    assert len(door.asked) == times


def test_retry_after_is_seconds_or_a_date() -> None:
    assert seconds_of("7") == 7
    assert seconds_of("-7") == 0
    soon = seconds_of(format_datetime(datetime.now(timezone.utc) + timedelta(seconds=60), usegmt=True))
    assert soon is not None
    assert 50 < soon <= 60
    assert seconds_of(None) is seconds_of("soon") is None
