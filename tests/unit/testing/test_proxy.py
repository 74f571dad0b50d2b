"""The proxy of the test kit does to answers what it was told to, and nothing else."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest

from daggr.testing.proxy import FaultProxy
from daggr.testing.web import Asked, Reply, Web

BODY = b"0123456789" * 10


class Plain(Web):
    """An app of two pages: one with a length, one that comes in chunks."""

    def reply(self, asked: Asked) -> Reply:
        if asked.path == "/chunks":
            return Reply(200, (BODY[start : start + 10] for start in range(0, 100, 10)))
        return Reply(200, asked.body or BODY)


@pytest.fixture
def app() -> Iterator[Plain]:
    with Plain() as plain:
        yield plain


@pytest.fixture
def proxy(app: Plain) -> Iterator[FaultProxy]:
    with FaultProxy(app.url) as made:
        yield made


def get(proxy: FaultProxy, path: str = "/page", timeout: float = 5) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=timeout)
    with closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read()


@pytest.mark.parametrize("path", ["/page", "/chunks"])
def test_without_faults_everything_passes(proxy: FaultProxy, path: str) -> None:
    assert get(proxy, path) == BODY
    assert proxy.requests == [("GET", path)]


def test_bodies_pass_and_connections_are_kept(proxy: FaultProxy, app: Plain) -> None:
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=5)
    with closing(connection):
        for number in range(3):
            sent = b"x" * number * 100_000
            connection.request("POST", "/page?a=1", sent)
            assert connection.getresponse().read() == (sent or BODY)
    assert [one.query for one in app.requests] == [{"a": ["1"]}] * 3


@pytest.mark.parametrize("path", ["/page", "/chunks"])
@pytest.mark.parametrize("after", [None, 0, 35])
def test_a_reset_is_a_reset(proxy: FaultProxy, path: str, after: int | None) -> None:
    proxy.fault("reset", path=path, after=after)
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=5)
    with closing(connection):
        connection.request("GET", path)
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            connection.getresponse().read()


@pytest.mark.parametrize("kind", ["truncate", "half_close"])
def test_an_answer_that_ends_early(proxy: FaultProxy, kind: str) -> None:
    proxy.fault(kind, after=35)  # type: ignore[arg-type]
    with pytest.raises(http.client.IncompleteRead) as raised:
        get(proxy)
    assert len(raised.value.partial) == 35


def test_a_stall_sends_so_much_and_then_nothing(proxy: FaultProxy) -> None:
    proxy.fault("stall", after=35)
    with socket.create_connection(("127.0.0.1", urlsplit(proxy.url).port or 0), timeout=0.5) as connection:
        connection.sendall(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
        got = b""
        with suppress(TimeoutError):
            while piece := connection.recv(4096):
                got += piece
            pytest.fail("It hung up.")
    assert got.partition(b"\r\n\r\n")[2] == BODY[:35]


def test_a_black_hole_answers_nothing(proxy: FaultProxy, app: Plain) -> None:
    proxy.fault("black_hole")
    with pytest.raises(TimeoutError):
        get(proxy, timeout=0.3)
    assert app.requests == []


def test_latency(proxy: FaultProxy) -> None:
    proxy.fault("latency", seconds=0.3)
    begun = time.monotonic()
    assert get(proxy) == BODY
    assert time.monotonic() - begun >= 0.3


def test_a_status_so_many_times(proxy: FaultProxy, app: Plain) -> None:
    proxy.fault("status", times=2, status=503, body=b"later", headers={"Retry-After": "1"})
    assert [get(proxy), get(proxy), get(proxy)] == [b"later", b"later", BODY]
    assert len(app.requests) == 1


def test_faults_are_for_paths_and_can_be_cleared(proxy: FaultProxy) -> None:
    proxy.fault("status", path="^/chunks$", body=b"no")
    assert (get(proxy, "/page"), get(proxy, "/chunks")) == (BODY, b"no")
    assert proxy.count("/chunks") == 1
    proxy.clear()
    assert get(proxy, "/chunks") == BODY
    assert proxy.requests == [("GET", "/chunks")]


@pytest.mark.parametrize(("forward", "came"), [(True, 1), (False, 0)])
def test_a_lost_answer_may_have_been_asked_for(proxy: FaultProxy, app: Plain, forward: bool, came: int) -> None:
    proxy.fault("reset", forward=forward)
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        get(proxy)
    assert len(app.requests) == came


def test_an_app_that_is_gone(proxy: FaultProxy, app: Plain) -> None:
    app.close()
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        get(proxy)


@pytest.mark.parametrize("path", ["/page", "/chunks"])
def test_an_answer_can_be_rewritten(proxy: FaultProxy, path: str) -> None:
    proxy.fault("rewrite", pattern=rb"34+5", body=b"<other>")
    assert get(proxy, path) == BODY.replace(b"345", b"<other>")
