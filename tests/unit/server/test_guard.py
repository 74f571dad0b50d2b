"""Who may talk to the server at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.serving import Served, serving
from tests.unit.engine.graphs import chain


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(chain(), tmp_path_factory.mktemp("guard")) as running:
        yield running


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:7860", "", "[::1", "a b"])
def test_a_foreign_host_is_refused(served: Served, host: str) -> None:
    for path in ("/", "/api/schema", "/file/x/y", "/theme.css"):
        answer = served.http.get(path, headers={"host": host})
        assert 400 <= answer.status_code < 500
        assert b"subgraphs" not in answer.content


def test_names_of_this_machine_are_welcome(served: Served) -> None:
    port = served.http.base_url.port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "LOCALHOST"):
        assert served.http.get("/api/schema", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1.evil.example", "http://["]
)
def test_a_foreign_page_cannot_run_anything(served: Served, origin: str) -> None:
    assert served.http.post("/api/call", json={}, headers={"origin": origin}).status_code == 403
    assert served.http.put("/api/uploads", content=b"x", headers={"origin": origin}).status_code == 403
    with pytest.raises(InvalidStatus), connect(_events(served), origin=origin):  # type: ignore[arg-type]
        pass


def test_the_page_itself_can(served: Served) -> None:
    origin = str(served.http.base_url).rstrip("/")
    assert served.http.post("/api/call", json={}, headers={"origin": origin}).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_what_a_form_could_send_is_no_command(served: Served, kind: str) -> None:
    for path in ("/api/call", "//api/call", "/api//call"):
        answer = served.http.post(path, content=b"{}", headers={"content-type": kind})
        assert answer.status_code in (404, 415)


def test_the_page_may_load_nothing_from_elsewhere(served: Served) -> None:
    policy = served.http.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


def _events(served: Served) -> str:
    return f"ws://127.0.0.1:{served.http.base_url.port}/api/events?sheet={served.sheet.rpartition('/')[2]}"
