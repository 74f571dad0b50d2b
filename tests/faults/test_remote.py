"""Networks and apps that fail while a GradioNode is at work: a real app behind a proxy that does what it is told.

Whatever happens, a call ends in time with an error that says what to do, nothing of it is stored, nothing is done
twice, and the next call is right.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from daggr import GradioNode, Graph, RemoteError
from daggr.engine.engine import Engine
from daggr.errors import DaggrError, RunTimeoutError
from daggr.graph.graph import drawing_of
from daggr.store.store import Store
from daggr.store.tables import RUNS
from daggr.testing.apps import GradioApp, loopback
from daggr.testing.proxy import FaultProxy
from daggr.testing.samples import png
from tests.faults.invariants import violations
from tests.servers import isolated_environment

DEADLINE = 1.5
"""Seconds that each thing may take; it must have ended in 1.2 times that."""

JOIN, DATA, UPLOAD, FILE = "/queue/join$", "/queue/data$", "/upload$", "/file="
CONFIG, INFO, APP_ID = "^/config$", "/info$", "/app_id$"

BROKEN: dict[str, dict[str, Any]] = {
    "reset without an answer": {"kind": "reset"},
    "reset before it came": {"kind": "reset", "forward": False},
    "reset in the answer": {"kind": "reset", "after": 20},
    "truncated": {"kind": "truncate", "after": 20},
    "closed without an answer": {"kind": "truncate"},
    "half closed": {"kind": "half_close", "after": 20},
}
SILENT: dict[str, dict[str, Any]] = {
    "black hole": {"kind": "black_hole"},
    "stalled before its answer": {"kind": "stall"},
    "stalled in its answer": {"kind": "stall", "after": 20},
}
REFUSED: dict[str, dict[str, Any]] = {
    "503": {"kind": "status", "status": 503, "body": b"<html>Service Unavailable</html>"},
    "429": {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}},
    "502": {"kind": "status", "status": 502},
    "another page": {"kind": "status", "status": 200, "body": b"<html>Please log in to the Wi-Fi</html>"},
}


@dataclass
class Room:
    """An engine, its store, and what is behind the proxy."""

    proxy: FaultProxy
    folder: Path
    store: Store
    engine: Engine
    given: dict[str, Any] = field(default_factory=lambda: {"idle_timeout": DEADLINE, "connect_timeout": DEADLINE})

    @property
    def calls(self) -> Path:
        """Where the app writes a line for each call of `/noted`."""
        return self.folder / "calls.txt"

    def times_done(self) -> int:
        """How often the app did what it was asked."""
        return len(self.calls.read_text().split()) if self.calls.exists() else 0

    def pictures(self, **how: Any) -> Graph:
        """A call that goes through everything: an upload, the queue, two files."""
        (picture := self.folder / "given.png").write_bytes(png(3, 64))
        node = GradioNode(
            self.proxy.url,
            "/two",
            name="two",
            inputs={"image": gr.Image(value=str(picture), visible=False)},
            outputs={"original": gr.Image(), "cut": gr.Image()},
            **{**self.given, **how},
        )
        return Graph("Two", nodes=[node])

    def noted(self, text: str = "word", **how: Any) -> Graph:
        """A call that leaves a line with the app."""
        inputs = {"path": str(self.calls), "text": text}
        node = GradioNode(
            self.proxy.url, "/noted", name="noted", inputs=inputs, outputs={"same": None}, **{**self.given, **how}
        )
        return Graph("Noted", nodes=[node])

    def graph(self, endpoint: str, outputs: str, inputs: dict[str, Any], **how: Any) -> Graph:
        """A call of another endpoint."""
        ports = dict.fromkeys(outputs.split())
        node = GradioNode(self.proxy.url, endpoint, name="node", inputs=inputs, outputs=ports, **{**self.given, **how})
        return Graph("Other", nodes=[node])

    def call(self, graph: Graph) -> dict[str, Any]:
        """What the only node of a graph gives."""
        program = self.engine.load(drawing_of(graph))
        answer = self.engine.call(program, "local", {}, frozenset(program.drawing.nodes)).result(20)
        (run,) = answer.runs.values()
        return {output.port: self.engine.store.load(output.digest, self.folder / "out") for output in run.outputs}

    def fails(self, graph: Graph) -> DaggrError:
        """The error of a call."""
        with pytest.raises((RemoteError, RunTimeoutError)) as raised:
            self.call(graph)
        return raised.value

    def done(self) -> int:
        """Runs that were stored as done."""
        with self.store.read() as txn:
            return sum(run.status == "done" for _, run in txn.scan(RUNS))


@contextmanager
def opened(proxy: FaultProxy, folder: Path) -> Iterator[Room]:
    with Store(folder / "store") as store:
        engine = Engine(store)
        try:
            yield Room(proxy, folder, store, engine)
        finally:
            proxy.clear()
            engine.close()
    assert violations(folder / "store", []) == []


@pytest.fixture
def room(proxy: FaultProxy, tmp_path: Path) -> Iterator[Room]:
    with opened(proxy, tmp_path) as made:
        yield made


def check_message(error: DaggrError, room: Room) -> None:
    """It names the app and the line of the script, and says what to do."""
    assert error.hint, f"does not say what to do: {error}"
    assert error.where, f"does not say where: {error}"
    assert Path(__file__).name in error.where
    assert room.proxy.url in error.message or "'two'" in error.message
    assert "<html" not in str(error)
    assert "Traceback" not in str(error)


def check_it_works_again(room: Room) -> None:
    room.proxy.clear()
    given = room.call(room.pictures())
    for name, mode in (("original", "RGB"), ("cut", "RGBA")):
        with Image.open(given[name]) as picture:
            assert (picture.size, picture.mode) == ((64, 64), mode)


# ---------------------------------------------------------------- any fault, at any request

REQUESTS = {"config": CONFIG, "info": INFO, "upload": UPLOAD, "join": JOIN, "stream": DATA, "file": FILE}


def some(requests: Iterable[str], faults: Iterable[str]) -> list[Any]:
    """Every request with every fault; in a normal run, each of them once or twice."""
    rows, columns = list(requests), list(faults)
    most = max(len(rows), len(columns))
    chosen = {(rows[place % len(rows)], columns[place % len(columns)]) for place in range(most)}
    return [
        pytest.param(row, column, marks=[] if (row, column) in chosen else [pytest.mark.long])
        for row in rows
        for column in columns
    ]


@pytest.mark.parametrize(("request_", "fault"), some(REQUESTS, BROKEN))
def test_a_connection_that_breaks(room: Room, request_: str, fault: str) -> None:
    room.proxy.fault(path=REQUESTS[request_], **BROKEN[fault])
    error = room.fails(room.pictures())
    assert time.monotonic() - room.proxy.met[-1] < 0.2 * DEADLINE, "it waited for nothing"
    check_message(error, room)
    assert room.done() == 0
    assert room.proxy.count(JOIN) <= 1
    check_it_works_again(room)


@pytest.mark.parametrize(("request_", "fault"), some(REQUESTS, SILENT))
def test_a_connection_that_goes_silent(room: Room, request_: str, fault: str) -> None:
    room.proxy.fault(path=REQUESTS[request_], **SILENT[fault])
    error = room.fails(room.pictures())
    assert time.monotonic() - room.proxy.met[0] < 1.2 * DEADLINE
    check_message(error, room)
    assert room.done() == 0
    assert room.proxy.count(JOIN) <= 1
    check_it_works_again(room)


@pytest.mark.parametrize(("request_", "fault"), some(REQUESTS, REFUSED))
def test_a_refusal_that_stays(room: Room, request_: str, fault: str) -> None:
    if fault == "another page" and request_ == "file":
        pytest.skip("files may be anything: whoever decodes them will see")
    room.proxy.fault(path=REQUESTS[request_], **REFUSED[fault])
    begun = time.monotonic()
    error = room.fails(room.pictures(retries=1))
    assert time.monotonic() - begun < 2 * DEADLINE
    check_message(error, room)
    assert room.done() == 0
    assert room.proxy.count(JOIN) <= 2
    check_it_works_again(room)


@pytest.mark.parametrize("request_", REQUESTS)
def test_the_nodes_own_deadline_holds_everywhere(room: Room, request_: str) -> None:
    room.given = {"timeout": DEADLINE}
    room.proxy.fault("black_hole", path=REQUESTS[request_])
    begun = time.monotonic()
    error = room.fails(room.pictures())
    assert time.monotonic() - begun < 1.2 * DEADLINE + 0.1  # the store and the thread before it
    assert "1.5 s" in error.message
    assert room.done() == 0
    check_it_works_again(room)


def test_a_timeout_says_what_to_do(room: Room) -> None:
    room.proxy.fault("black_hole", path=JOIN)
    error = room.fails(room.pictures(timeout=0.3))
    assert isinstance(error, RunTimeoutError)
    check_message(error, room)


def test_a_slow_network_is_no_fault(room: Room) -> None:
    room.proxy.fault("latency", seconds=0.2)
    check_it_works_again(room)
    room.proxy.fault("latency", seconds=0.2)
    assert room.call(room.noted()) == {"same": "word"}


def test_nothing_listens(room: Room) -> None:
    graph = room.noted(retries=0)
    room.call(graph)
    room.proxy.close()
    try:
        begun = time.monotonic()
        error = room.fails(room.noted("other", retries=0))
        assert time.monotonic() - begun < DEADLINE
        check_message(error, room)
        assert "Is the app running at" in error.hint
    finally:
        room.proxy.start()


# ---------------------------------------------------------------- what is tried again


@pytest.mark.parametrize("fault", [*BROKEN, *SILENT])
def test_what_may_have_begun_is_not_asked_twice(room: Room, fault: str) -> None:
    room.given = {"idle_timeout": 0.5, "retries": 5}
    for path in (JOIN, DATA):
        room.proxy.clear()
        room.calls.unlink(missing_ok=True)
        room.proxy.fault(path=path, **(BROKEN | SILENT)[fault])
        room.fails(room.noted(f"{fault} {path}".replace(" ", "_")))
        assert room.proxy.count(JOIN) == 1
        time.sleep(0.1)
        assert room.times_done() <= 1


@pytest.mark.parametrize("status", [429, 503])
def test_what_was_refused_is_asked_again_when_it_says(room: Room, status: int) -> None:
    room.call(room.noted("first"))
    room.proxy.clear()
    room.proxy.fault("status", path=JOIN, status=status, times=2, headers={"Retry-After": "1"})
    begun = time.monotonic()
    assert room.call(room.noted("second")) == {"same": "second"}
    assert 2 <= time.monotonic() - begun < 3
    assert (room.proxy.count(JOIN), room.times_done()) == (3, 2)


def test_retries_are_counted(room: Room) -> None:
    room.proxy.fault("status", path=JOIN, status=503)
    error = room.fails(room.noted(retries=1))
    assert isinstance(error, RemoteError)
    assert error.retryable
    assert (room.proxy.count(JOIN), room.times_done()) == (2, 0)


def test_a_retry_after_that_is_longer_than_the_deadline(room: Room) -> None:
    room.proxy.fault("status", path=JOIN, status=429, headers={"Retry-After": "3600"})
    begun = time.monotonic()
    error = room.fails(room.noted(timeout=DEADLINE))
    assert time.monotonic() - begun < 1.2 * DEADLINE
    check = error.hint and "later" in error.hint
    assert check, str(error)


@pytest.mark.parametrize("fault", ["reset in the answer", "truncated", "closed without an answer", "half closed"])
def test_a_download_that_breaks_once_does_not_cost_the_call(room: Room, fault: str) -> None:
    room.proxy.fault(path=FILE, times=1, **BROKEN[fault])
    assert set(room.call(room.pictures())) == {"original", "cut"}
    assert (room.proxy.count(JOIN), room.proxy.count(FILE)) == (1, 3)


# ---------------------------------------------------------------- many at once


def test_a_fault_is_that_calls_alone(room: Room) -> None:
    """One of many calls breaks; the others don't notice."""
    room.call(room.noted("warm"))
    room.proxy.fault("reset", path=DATA, times=1, after=20)
    errors: list[DaggrError] = []
    given: list[str] = []

    def one(number: int) -> None:
        try:
            given.append(room.call(room.noted(f"number-{number}"))["same"])
        except RemoteError as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(errors), len(given), len(set(given))) == (1, 19, 19)


# ---------------------------------------------------------------- the app itself goes


@pytest.fixture
def own_app(tmp_path: Path) -> Iterator[GradioApp]:
    with loopback(tmp_path / "app", env=isolated_environment(tmp_path / "app")) as app:
        yield app


def test_an_app_that_is_restarted_in_the_middle_of_a_call(own_app: GradioApp, tmp_path: Path) -> None:
    with FaultProxy(own_app.url) as proxy, opened(proxy, tmp_path) as room:
        graph = room.graph("/sleeps", "slept", {"seconds": 30}, idle_timeout=None)
        failed: list[tuple[DaggrError, float]] = []
        thread = threading.Thread(target=lambda: failed.append((room.fails(graph), time.monotonic())))
        thread.start()
        while not proxy.count(DATA):
            time.sleep(0.02)
        time.sleep(0.2)
        killed = time.monotonic()
        own_app.stop(signal.SIGKILL)
        thread.join(DEADLINE)
        assert failed, "it still waits for an app that is gone"
        error, when = failed[0]
        assert when - killed < 0.5 * DEADLINE
        check_message(error, room)
        check_message(room.fails(room.noted("while it is down", retries=0)), room)
        own_app.start()
        assert room.call(room.noted("after")) == {"same": "after"}
        assert room.done() == 1


# ---------------------------------------------------------------- answers that are not the app's


def test_a_stream_that_ends_in_order_but_without_a_result(room: Room) -> None:
    room.proxy.fault("rewrite", path=DATA, pattern=rb'data: \{"msg": ?"process_completed".*\n', body=b"")
    error = room.fails(room.noted())
    check_message(error, room)
    assert "without a result" in error.message
    assert room.done() == 0


@pytest.mark.parametrize("said", [b"no json", b"[1, 2]", b'{"msg": "process_completed"}', b'"text"', b"{" * 5000])
def test_events_that_no_app_sends(room: Room, said: bytes) -> None:
    room.proxy.fault("rewrite", path=DATA, pattern=rb'\{"msg": ?"process_completed".*', body=said)
    check_message(room.fails(room.noted()), room)
    assert room.done() == 0


@pytest.mark.parametrize(
    "place", [b"/etc/hostname", b"../../etc/hostname", b"http://127.0.0.1:9/x.png", b"file:///etc/hostname"]
)
def test_a_file_that_the_app_does_not_have_is_not_fetched(room: Room, place: bytes) -> None:
    """The answer names a file of the machine, or one from elsewhere, as an app that was taken over might."""
    room.proxy.fault("rewrite", path=DATA, pattern=rb'"path": ?"[^"]*"', body=b'"path": "%b"' % place)
    error = room.fails(room.pictures())
    assert error.where
    assert error.hint
    assert room.done() == 0
    assert Path("/etc/hostname").read_text().strip() not in str(error)


def test_an_address_elsewhere_is_not_asked(room: Room) -> None:
    with FaultProxy("http://127.0.0.1:9") as elsewhere:
        there = elsewhere.url.encode()
        room.proxy.fault("rewrite", path=DATA, pattern=rb'"url": ?"[^"]*"', body=b'"url": "%b/x.png"' % there)
        error = room.fails(room.pictures())
        assert "none of its own" in error.message
        assert elsewhere.requests == []
    assert room.done() == 0
